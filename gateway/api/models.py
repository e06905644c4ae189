"""A model, its versions, and what is live."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select

from gateway import lineage
from gateway.api.access import READS, Name, WithSystem
from gateway.api.versions import summary
from gateway.lineage_db import Model

router = APIRouter()

Limit = Annotated[int, Query(ge=1, le=200)]
Below = Annotated[int, Query(ge=0, description="only versions with a smaller number")]
NEWEST = 2**31 - 1


@router.get("/models", dependencies=[READS])
def list_models(system: WithSystem) -> dict[str, Any]:
    with system.database.reading() as session:
        return {
            "models": list(session.scalars(select(Model.model).order_by(Model.model))),
            "ledger": system.ledger_name,
        }


@router.get("/models/{model}", dependencies=[READS])
def get_model(model: Name, system: WithSystem) -> dict[str, Any]:
    with system.database.reading() as session:
        number, policy = lineage.policy(session, model)
        pointer, newest = lineage.pointer(session, model), lineage.newest_version(session, model)
        return {
            "model": model,
            "record": lineage.model(session, model).record,
            "policy": {"number": number, **{name: policy[name] for name in ("grants", "keys", "policy")}},
            "pointer": pointer.value,
            "epoch": lineage.epoch(session, model),
            "newest_version": {"id": newest.version, "number": newest.number},
            "participants": [
                {"participant": row.participant, "organisation": row.organisation, "status": row.status}
                for row in lineage.participants(session, model)
            ],
            "ledger": system.ledger_name,
        }


@router.get("/models/{model}/versions", dependencies=[READS])
def list_versions(model: Name, system: WithSystem, limit: Limit = 50, below: Below = NEWEST) -> dict[str, Any]:
    """The newest first; `next` is the `below` of the next page, absent on the last."""
    with system.database.reading() as session:
        lineage.model(session, model)
        found = lineage.versions(session, model, below, limit)
        live = lineage.pointer(session, model).to
        answer = {"versions": [summary(session, row, live) for row in found], "ledger": system.ledger_name}
    return {**answer, "next": found[-1].number} if found and found[-1].number > 0 else answer


@router.get("/models/{model}/pointer", dependencies=[READS])
def get_pointer(model: Name, system: WithSystem) -> dict[str, Any]:
    """What is live, and every move that led there."""
    with system.database.reading() as session:
        head = lineage.pointer(session, model)
        history = [
            {
                "seq": row.seq,
                "kind": row.kind,
                "to": row.to,
                "claimed_at": row.claimed_at,
                "txid": row.txid,
                "block": row.block,
            }
            for row in lineage.moves(session, model)
        ]
        return {"model": model, **head.value, "moves": history, "ledger": system.ledger_name}
