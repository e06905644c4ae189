"""One thread that carries what was handed in to the ledger, many items to a transaction.

A batch is nobody's record: after a crash its items go out again in another batch, and the ledger answers each of them
with its first result.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from sqlalchemy import select

from gateway.kept_db import Inbox
from gateway.ledger import BadRecord, CommitUnknown, LedgerUnavailable
from gateway.system import System
from sealed.records import encode

log = logging.getLogger(__name__)

IDLE_S = 1.0
RETRY_S = 1.0
BATCH_BYTES = 480 * 1024  # below the record's limit of 512 KiB, with room for quotes and commas


@dataclass(frozen=True, slots=True)
class Batch:
    function: str
    schema: str
    item: str
    most: int


BATCHES = {
    "update.1": Batch("AnchorUpdates", "anchor-batch.1", "manifest", 100),
    "ack.1": Batch("AckRollback", "ack-batch.1", "ack", 1000),
}


def run(system: System, stop: threading.Event) -> None:
    while not stop.is_set():
        heard = system.bell.rings
        try:
            busy = anchor_waiting(system)
        except (LedgerUnavailable, CommitUnknown) as error:
            log.warning("what was handed in waits: %s", error)
            stop.wait(RETRY_S)
            continue
        if not busy:
            system.bell.wait(heard, IDLE_S)


def anchor_waiting(system: System) -> bool:
    """Anchor one batch; False when nothing waits."""
    rows = _waiting(system)
    if not rows:
        return False
    _anchor(system, rows)
    return True


def _anchor(system: System, rows: Sequence[Inbox]) -> None:
    batch = BATCHES[rows[0].schema]
    items = [{batch.item: row.record, "signature": row.signature} for row in rows]
    try:
        committed = system.ledger.submit(batch.function, encode({"schema": batch.schema, "items": items}))
    except BadRecord as error:
        _set_apart(system, rows, error)
    else:
        _settle(system, rows, committed.result["results"])


def _set_apart(system: System, rows: Sequence[Inbox], error: BadRecord) -> None:
    """A batch with one item that is none fails whole: the others must not suffer for it."""
    if len(rows) == 1:
        _settle(system, rows, [{"result": "invalid", "reason": error.detail}])
    else:
        for row in rows:
            _anchor(system, [row])


def _waiting(system: System) -> Sequence[Inbox]:
    """The oldest items that fit into one batch: of one kind and one model."""
    waiting = select(Inbox).where(Inbox.result == "").order_by(Inbox.received_at, Inbox.item)
    with system.database.reading() as session:
        first = session.scalars(waiting.limit(1)).first()
        if first is None:
            return []
        alike = waiting.where(Inbox.schema == first.schema, Inbox.model == first.model)
        rows = session.scalars(alike.limit(BATCHES[first.schema].most)).all()
    sizes = [len(row.record) * 2 for row in rows]  # quotes within the quoted record are escaped
    return [row for row, _ in takewhile(lambda pair: pair[1] <= BATCH_BYTES, zip(rows, _sums(sizes), strict=True))]


def _sums(sizes: Sequence[int]) -> list[int]:
    return [sum(sizes[: index + 1]) for index in range(len(sizes))]


def _settle(system: System, rows: Sequence[Inbox], results: Sequence[dict[str, str]]) -> None:
    with system.database.writing() as session:
        for row, result in zip(rows, results, strict=True):
            kept = session.get_one(Inbox, row.item)
            kept.result, kept.reason = result["result"], result.get("reason", "")
    system.bell.ring()
