"""Runs of rounds that operators ask for: one at a time for each model, kept until the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import lineage
from gateway.database import Database
from gateway.kept_db import Training as Row
from gateway.lineage_db import Completion
from sealed.records import RecordError
from sealed.schemas import DESCRIPTION

RUNNING, STOPPING, ENDED = "running", "stopping", "ended"


class TrainingConflict(Exception):
    """The model is being trained, or its training is complete."""


class TrainingWrong(Exception):
    """No round could be opened from this."""


@dataclass(frozen=True, slots=True)
class Wish:
    rounds: int
    round_seconds: int
    hyperparameters: Mapping[str, int | str]
    participants: Sequence[str]  # none: all who are active


def start(database: Database, model: str, wish: Wish, by: str, now: int) -> None:
    with database.writing() as session:
        lineage.model(session, model)
        _refuse_impossible(session, model, wish)
        newest, last = newest_of(session, model), lineage.newest_round(session, model)
        if newest is not None and newest.state != ENDED:
            raise TrainingConflict(f"{model} is being trained: stop that run first")
        if session.get(Completion, model) is not None:
            raise TrainingConflict(f"the training of {model} is complete")
        session.add(
            Row(
                model=model,
                number=newest.number + 1 if newest else 1,
                state=RUNNING,
                rounds=wish.rounds,
                first_round=last.number + 1 if last else 1,
                participants=sorted(wish.participants),
                hyperparameters=dict(wish.hyperparameters),
                round_seconds=wish.round_seconds,
                started_at=now,
                started_by=by,
            )
        )


def stop(database: Database, model: str) -> None:
    """After the running round."""
    with database.writing() as session:
        running(session, model).state = STOPPING


def end(database: Database, model: str, number: int, reason: str, now: int) -> None:
    with database.writing() as session:
        row = session.get_one(Row, (model, number))
        row.state, row.reason, row.ended_at = ENDED, reason, now


def running(session: Session, model: str) -> Row:
    row = newest_of(session, model)
    if row is None or row.state == ENDED:
        raise lineage.Absent(f"{model} is not being trained")
    return row


def newest_of(session: Session, model: str) -> Row | None:
    return session.scalars(select(Row).where(Row.model == model).order_by(Row.number.desc()).limit(1)).first()


def _refuse_impossible(session: Session, model: str, wish: Wish) -> None:
    active = {row.participant for row in lineage.active_participants(session, model)}
    if not active:
        raise TrainingWrong(f"{model} has no active participants")
    if strange := sorted(set(wish.participants) - active):
        raise TrainingWrong(f"not active participants of {model}: {', '.join(strange)}")
    try:
        DESCRIPTION(dict(wish.hyperparameters), "hyperparameters")
    except RecordError as error:
        raise TrainingWrong(str(error)) from error
