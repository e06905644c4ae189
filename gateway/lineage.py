"""Questions to the index. Each takes a session, so that one answer is one consistent view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway import lineage_db as rows
from gateway.provenance import lineage
from sealed.records import encode

Row = TypeVar("Row")
ACTIVE = "active"  # also who was reinstated
EXCLUDED = "excluded"


class Absent(Exception):
    """Nothing of that name is on the ledger, as far as the index has read it."""


def model(session: Session, name: str) -> rows.Model:
    return _present(session.get(rows.Model, name), f"there is no model {name}")


def policy(session: Session, name: str) -> tuple[int, dict[str, Any]]:
    """The number of the newest policy record, and its record: grants, keys and policy in force."""
    newest = select(rows.Policy).where(rows.Policy.model == name).order_by(rows.Policy.number.desc()).limit(1)
    row = _present(session.scalars(newest).first(), f"there is no model {name}")
    return row.number, row.record


def pointer(session: Session, name: str) -> rows.Pointer:
    return _present(session.get(rows.Pointer, name), f"there is no model {name}")


def move(session: Session, name: str, seq: int) -> rows.Move:
    return _present(session.get(rows.Move, (name, seq)), f"the pointer of {name} has made no move {seq}")


def moves(session: Session, name: str) -> Sequence[rows.Move]:
    return session.scalars(select(rows.Move).where(rows.Move.model == name).order_by(rows.Move.seq)).all()


def newest_rollback(session: Session, name: str) -> int | None:
    wanted = (rows.Move.model == name, rows.Move.kind == "rollback")
    return session.scalar(select(func.max(rows.Move.seq)).where(*wanted))


def epoch(session: Session, name: str) -> int:
    row = session.get(rows.Epoch, name)
    return row.epoch if row else 0


def version(session: Session, version_id: str) -> rows.Version:
    return _present(session.get(rows.Version, version_id), f"there is no version {version_id}")


def versions(session: Session, name: str, below: int, limit: int) -> Sequence[rows.Version]:
    """The newest first, from the number `below` downwards."""
    newest = select(rows.Version).where(rows.Version.model == name, rows.Version.number < below)
    return session.scalars(newest.order_by(rows.Version.number.desc()).limit(limit)).all()


def newest_version(session: Session, name: str) -> rows.Version:
    newest = select(rows.Version).where(rows.Version.model == name).order_by(rows.Version.number.desc()).limit(1)
    return _present(session.scalars(newest).first(), f"there is no model {name}")


def version_of_blob(session: Session, sha256: str) -> rows.Version | None:
    return session.scalars(select(rows.Version).where(rows.Version.blob == sha256).limit(1)).first()


def update_of_blob(session: Session, sha256: str) -> rows.Update | None:
    return session.scalars(select(rows.Update).where(rows.Update.blob == sha256).limit(1)).first()


def steps(session: Session, version_id: str) -> list[rows.Version]:
    """The versions that open this one, from the last whole one on."""

    def node_of(wanted: str) -> lineage.Node:
        row = version(session, wanted)
        return lineage.Node(row.version, row.number, row.parent, row.codec)

    return [version(session, node.version) for node in lineage.steps(version_id, node_of)]


def round_(session: Session, name: str, number: int) -> rows.Round:
    return _present(session.get(rows.Round, (name, number)), f"{name} has no round {number}")


def newest_round(session: Session, name: str) -> rows.Round | None:
    newest = select(rows.Round).where(rows.Round.model == name).order_by(rows.Round.number.desc()).limit(1)
    return session.scalars(newest).first()


def updates(session: Session, name: str, number: int) -> Sequence[rows.Update]:
    """As anchored, in the order of the participants' names, byte by byte on every database."""
    of_round = select(rows.Update).where(rows.Update.model == name, rows.Update.round == number)
    return sorted(session.scalars(of_round), key=lambda row: row.participant)


def participants(session: Session, name: str) -> Sequence[rows.Participant]:
    of_model = select(rows.Participant).where(rows.Participant.model == name)
    return sorted(session.scalars(of_model), key=lambda row: row.participant)


def active_participants(session: Session, name: str) -> list[rows.Participant]:
    return [row for row in participants(session, name) if row.status == ACTIVE]


def excluded_participants(session: Session, name: str) -> dict[str, int]:
    """With the number of the event that excluded them: nothing else can follow it but to be reinstated."""
    excluded = [row for row in participants(session, name) if row.status == EXCLUDED]
    return {row.participant: row.value["outcome"]["number"] for row in excluded}


def acknowledged(session: Session, name: str, seq: int) -> frozenset[str]:
    column = rows.Acknowledgement.participant
    wanted = (rows.Acknowledgement.model == name, rows.Acknowledgement.seq == seq)
    return frozenset(session.scalars(select(column).where(*wanted)))


def decision(session: Session, version_id: str) -> rows.Decision | None:
    return session.get(rows.Decision, version_id)


def is_validated(session: Session, version_id: str, purpose: str) -> bool:
    wanted = (rows.Validation.version == version_id, rows.Validation.purpose == purpose)
    return session.scalar(select(func.count()).where(*wanted)) != 0


def record_text(row: rows.State) -> str:
    """The record's bytes, as they were signed: canonical JSON encodes in one way only."""
    return encode(row.record).decode("ascii")


def step(row: rows.Version) -> dict[str, str]:
    """As tasks and answers name it (docs/wire.md)."""
    return {"version_id": row.version, "record": record_text(row)}


def _present(row: Row | None, otherwise: str) -> Row:
    if row is None:
        raise Absent(otherwise)
    return row
