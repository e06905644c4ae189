"""One version: its record, what became of it, and the steps that open it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import lineage
from gateway.api.access import READS, Hash, WithSystem
from gateway.lineage_db import Decision, Status, Validation, Version

router = APIRouter()


@router.get("/versions/{version}", dependencies=[READS])
def get_version(version: Hash, system: WithSystem) -> dict[str, Any]:
    with system.database.reading() as session:
        row = lineage.version(session, version)
        live = lineage.pointer(session, row.model).to
        of_version = select(Validation).where(Validation.version == version).order_by(Validation.number)
        return {
            **summary(session, row, live),
            "record": row.record,
            "record_bytes": lineage.record_text(row),
            "validations": [validation.value for validation in session.scalars(of_version)],
            "committed": {"block": row.block, "tx": row.tx, "txid": row.txid, "claimed_at": row.value["claimed_at"]},
            "ledger": system.ledger_name,
        }


@router.get("/versions/{version}/steps", dependencies=[READS])
def get_steps(version: Hash, system: WithSystem) -> dict[str, Any]:
    with system.database.reading() as session:
        steps = [lineage.step(row) for row in lineage.steps(session, version)]
    return {"steps": steps, "ledger": system.ledger_name}


def summary(session: Session, row: Version, live: str) -> dict[str, Any]:
    decision, status = session.get(Decision, row.version), session.get(Status, row.version)
    judged = (
        {"decision": decision.decision, "reason": decision.reason, "accuracy_bp": decision.score} if decision else {}
    )
    return {
        "id": row.version,
        **{
            name: getattr(row, name)
            for name in ("model", "number", "kind", "epoch", "round", "parent", "weights", "blob")
        },
        **judged,
        "promoted": status.promoted if status else False,
        "quarantined": status.quarantined if status else False,
        "held": status.held if status else False,
        "live": row.version == live,
    }
