"""A record is kept before it is submitted, so that after a crash the very same bytes go out again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.database import insert_new, table_of
from gateway.kept_db import Write
from gateway.ledger import Committed, Refused
from gateway.system import System
from sealed.records import check, encode

INDEX_S = 30.0


def write_once(system: System, name: str, function: str, make: Callable[[], Mapping[str, Any]]) -> Committed:
    """Submit the record of this name; `make` is asked for it only if there is none yet.

    A refusal is final for those bytes: the next attempt starts from what is true then.
    """
    record, attempt = _kept(system, name) or _keep(system, name, make())
    try:
        committed = system.ledger.submit(function, record, attempt=attempt)
    except Refused:
        _start_over(system, name, attempt)
        raise
    system.projection.reach(committed.block, INDEX_S)  # or the next step would be decided without this one
    _forget(system, name)
    return committed


def _kept(system: System, name: str) -> tuple[bytes, int] | None:
    with system.database.reading() as session:
        row = session.get(Write, name)
        return (row.record.encode("ascii"), row.attempt) if row and row.record else None


def _keep(system: System, name: str, record: Mapping[str, Any]) -> tuple[bytes, int]:
    """What another gateway kept a moment before is as good."""
    check(record)
    with system.database.writing() as session:
        insert_new(session, table_of(Write), {"name": name, "record": "", "attempt": 0})
        row = session.get_one(Write, name)
        row.record = row.record or encode(record).decode("ascii")
        return row.record.encode("ascii"), row.attempt


def _start_over(system: System, name: str, attempt: int) -> None:
    with system.database.writing() as session:
        row = session.get(Write, name)
        if row is not None and row.attempt == attempt:
            row.record, row.attempt = "", attempt + 1


def _forget(system: System, name: str) -> None:
    with system.database.writing() as session:
        if (row := session.get(Write, name)) is not None:
            session.delete(row)
