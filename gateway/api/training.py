"""Operators start, watch and stop runs of rounds."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from gateway import lineage, trainings, troubles
from gateway.api.access import OPERATES, READS, UP_TO_DATE, Name, Operator, WithSystem

router = APIRouter()

LONGEST_ROUND_S = 7 * 24 * 3600
ParticipantName = Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,64}$")]


class Wish(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    rounds: int = Field(ge=1, le=100_000)
    round_seconds: int = Field(ge=1, le=LONGEST_ROUND_S)
    hyperparameters: dict[str, int | str] = {}
    participants: list[ParticipantName] = []


@router.post("/models/{model}/training", status_code=201, dependencies=[UP_TO_DATE])
def start(model: Name, body: Wish, caller: Operator, system: WithSystem) -> dict[str, Any]:
    wish = trainings.Wish(body.rounds, body.round_seconds, body.hyperparameters, body.participants)
    trainings.start(system.database, model, wish, caller.name, system.now())
    system.bell.ring()
    return _answer(system, model)


@router.get("/models/{model}/training", dependencies=[READS])
def show(model: Name, system: WithSystem) -> dict[str, Any]:
    return _answer(system, model)


@router.delete("/models/{model}/training", status_code=202, dependencies=[OPERATES])
def stop(model: Name, system: WithSystem) -> dict[str, Any]:
    trainings.stop(system.database, model)
    system.bell.ring()
    return _answer(system, model)


def _answer(system: WithSystem, model: str) -> dict[str, Any]:
    with system.database.reading() as session:
        row = trainings.newest_of(session, model)
        if row is None:
            raise lineage.Absent(f"{model} was never trained here")
        newest = lineage.newest_round(session, model)
        trouble = troubles.told(session, model)
        done = max(0, newest.number - row.first_round + (newest.outcome != "open")) if newest else 0
    named = ("state", "rounds", "first_round", "participants", "hyperparameters", "round_seconds")
    times = ("started_at", "started_by", "ended_at", "reason")
    return {
        "model": model,
        **{name: getattr(row, name) for name in named + times},
        "rounds_closed": done,
        "trouble": trouble,
        "ledger": system.ledger_name,
    }
