"""Events of the ledger become rows of the index. What a state is called says which row it is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from gateway import lineage_db as rows
from gateway.bell import Bell
from gateway.database import Database, insert_or_update, table_of
from gateway.ledger import Chain, Event, Ledger, LedgerUnavailable, OtherLedger, Position
from sealed.records import encode

log = logging.getLogger(__name__)

BATCH = 200
RETRY_S = 1.0
OTHER_GATEWAYS_S = 0.5  # what another gateway on this database does rings no bell here
START = Position(0, 0)


class ProjectionError(Exception):
    """The ledger said something that this index cannot hold: it needs a newer gateway, or a rebuild."""


class UnknownState(ProjectionError):
    pass


class Gap(ProjectionError):
    pass


class IndexBehind(Exception):
    """The ledger is ahead of the index, and deciding from the index now would be deciding from the past."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Which states a table holds, and its columns: named parts of the key ({name}, {name:d}) and paths in the value."""

    pattern: str
    table: type[rows.State]
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str | int] = field(default_factory=dict)
    numbered_by: str = ""  # a number that must follow the one before, so that a missing event shows


REMARKS = ("approval", "needed", "quarantine", "rejection", "review", "tested")
SLOTS = (
    *((noun, "head") for noun in ("hold", "policy", "root", "round", "shadow", "validation", "version")),
    ("rollback", "unreviewed"),
    ("shadow", "open"),
)
WRITERS = (
    Writer("model/{model}", rows.Model),
    Writer("policy/{model}/{number:d}", rows.Policy, numbered_by="number"),
    Writer("proposal/{proposal}", rows.Proposal, {"model": "record.model"}),
    Writer("epoch/{model}", rows.Epoch, {"epoch": "epoch"}),
    Writer("judge/{model}", rows.Judge),
    Writer(
        "participant/{model}/{participant}",
        rows.Participant,
        {
            "organisation": "record.organisation",
            "status": "outcome.status",
            "ed25519": "outcome.ed25519",
            "x25519": "outcome.x25519",
        },
    ),
    Writer("participant/{model}/{participant}/{number:d}", rows.ParticipantEvent, numbered_by="number"),
    Writer("key/{model}/{ed25519}", rows.Key, {"participant": "participant"}),
    Writer("dataset/{model}/{sha256}", rows.Dataset, {"kind": "record.kind", "participant": "record.participant"}),
    Writer(
        "round/{model}/{number:d}",
        rows.Round,
        {
            "epoch": "record.epoch",
            "base": "record.base",
            "deadline_at": "record.deadline_at",
            "outcome": "outcome.outcome",
            "count": "outcome.count",
            "chain": "outcome.chain",
        },
        numbered_by="number",
    ),
    Writer(
        "update/{model}/{round:d}/{participant}",
        rows.Update,
        {"manifest": "id", "blob": "record.blob.sha256", "examples": "record.examples"},
    ),
    Writer("blob/{sha256}", rows.Blob, {"model": "model"}),
    Writer(
        "refusal/{manifest}",
        rows.Refusal,
        {
            "model": "record.model",
            "round": "record.round",
            "participant": "record.participant",
            "reason": "outcome.reason",
        },
    ),
    Writer(
        "version/{version}",
        rows.Version,
        {
            "model": "record.model",
            "number": "record.number",
            "kind": "record.kind",
            "epoch": "record.epoch",
            "round": "record.round",
            "parent": "record.parent",
            "weights": "record.weights",
            "blob": "record.blob.sha256",
            "codec": "record.blob.codec",
        },
    ),
    Writer("version/{model}/{number:d}", rows.VersionNumber, {"version": "id"}, numbered_by="number"),
    Writer(
        "aggregate/{model}/{round:d}",
        rows.RoundResult,
        {"version": "version"},
        constants={"kind": "aggregate", "epoch": 0},
    ),
    Writer(
        "replay/{model}/{round:d}/{epoch:d}", rows.RoundResult, {"version": "version"}, constants={"kind": "replay"}
    ),
    Writer(
        "validation/{version}/{number:d}",
        rows.Validation,
        {"purpose": "record.purpose", "accuracy_bp": "record.metrics.accuracy_bp"},
        numbered_by="number",
    ),
    Writer(
        "decision/{version}",
        rows.Decision,
        {"decision": "decision", "reason": "reason", "score": "score", "target": "target"},
    ),
    Writer("status/{version}", rows.Status, {"held": "held", "promoted": "promoted", "quarantined": "quarantined"}),
    Writer("pointer/{model}/head", rows.Pointer, {name: name for name in ("frozen", "kind", "move", "seq", "to")}),
    Writer(
        "pointer/{model}/{seq:d}",
        rows.Move,
        {"kind": "outcome.kind", "to": "outcome.to", "epoch": "outcome.epoch", "claimed_at": "claimed_at"},
        numbered_by="seq",
    ),
    Writer("rollback/{model}/open", rows.OpenRollback, {"request": "request"}),
    Writer(
        "rollback/{request}",
        rows.Rollback,
        {"model": "record.model", "stage": "outcome.state", "expires_at": "record.expires_at"},
    ),
    Writer("shadow/{model}/{number:d}", rows.ShadowMove, numbered_by="number"),
    Writer("ack/{model}/{seq:d}/{participant}", rows.Acknowledgement, {"ack": "id", "weights": "record.weights"}),
    Writer("root/{log}/{number:d}", rows.Root, numbered_by="number"),
    Writer("erasure/{blob}", rows.Erasure),
    Writer("completion/{model}", rows.Completion),
    *(Writer(f"{noun}/{{subject}}/{{number:d}}", rows.Fact, constants={"noun": noun}) for noun in ("close", "hold")),
    *(Writer(f"{noun}/{{subject}}", rows.Fact, constants={"noun": noun, "number": 0}) for noun in REMARKS),
    *(
        Writer(f"{noun}/{{subject}}/{slot}", rows.Fact, constants={"noun": f"{noun}/{slot}", "number": 0})
        for noun, slot in SLOTS
    ),
)


def row_of(key: str, value: Mapping[str, Any]) -> tuple[Writer, dict[str, Any]]:
    """Which writer takes this state, and the columns it makes of it."""
    parts = key.split("/")
    for writer in WRITERS:
        named = _match(writer.pattern.split("/"), parts)
        if named is not None:
            columns = {column: _at(value, path) for column, path in writer.columns.items()}
            return writer, {**writer.constants, **named, **columns, "state": encode(value).decode("ascii")}
    raise UnknownState(f"the ledger wrote {key!r}, which this gateway has no table for")


def _match(pattern: list[str], parts: list[str]) -> dict[str, str | int] | None:
    if len(pattern) != len(parts):
        return None
    named: dict[str, str | int] = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected.endswith(":d}"):
            if not part.isdecimal():
                return None
            named[expected[1:-3]] = int(part)
        elif expected.startswith("{"):
            named[expected[1:-1]] = part
        elif expected != part:
            return None
    return named


def _at(value: Mapping[str, Any], path: str) -> Any:
    found: Any = value
    for name in path.split("."):
        found = found[name]
    return found


class Projection:
    """Keeps the index at the ledger's head; everybody else only reads it."""

    def __init__(self, database: Database, ledger: Ledger, bell: Bell) -> None:
        self._database = database
        self._ledger = ledger
        self._bell = bell

    def start(self, chain: Chain) -> None:
        """Bind the index to this ledger, or refuse: an index of another one would answer for the wrong history."""
        with self._database.writing() as session:
            known = session.scalar(select(rows.Checkpoint))
            if known is None:
                session.add(rows.Checkpoint(genesis=chain.genesis, kind=chain.kind, block=0, tx=0))
            elif known.genesis != chain.genesis:
                raise OtherLedger(
                    f"this database was built from the ledger with genesis {known.genesis}, "
                    f"and the door speaks for {chain.genesis} ({chain.kind})"
                )

    def position(self) -> Position:
        with self._database.reading() as session:
            return _position(_checkpoint(session))

    def catch_up(self) -> None:
        """Everything that the ledger holds by now."""
        batch: list[Event] = []
        for event in self._ledger.events(self._next(), follow=False):
            batch.extend([event] if event else [])
            if len(batch) >= BATCH:
                self._apply(batch)
                batch = []
        self._apply(batch)

    def follow(self, stop: threading.Event) -> None:
        """Stay at the head until told to stop. The ledger may come and go meanwhile, but not turn into another."""
        while not stop.is_set():
            try:
                self.start(self._ledger.chain())
                self.catch_up()
                self._stay(stop)
            except LedgerUnavailable as error:
                if not stop.is_set():
                    log.warning("the index stands still: %s", error)
                    stop.wait(RETRY_S)

    def reach(self, block: int, timeout_s: float) -> None:
        if not self.reaches(block, timeout_s):
            raise IndexBehind(f"the index has not reached block {block} of the ledger within {timeout_s:.0f} s")

    def reaches(self, block: int, timeout_s: float) -> bool:
        """Wait until the index holds a block; False when it did not in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            heard = self._bell.rings
            if self.position().block >= block:
                return True
            if (remaining_s := deadline - time.monotonic()) <= 0:
                return False
            self._bell.wait(heard, min(remaining_s, OTHER_GATEWAYS_S))

    def rebuild(self) -> str:
        """Build the index again from the ledger alone, and say its root."""
        chain = self._ledger.chain()
        self.start(chain)  # or it would be an index of another ledger beside what was kept for this one
        with self._database.writing() as session:
            for table in rows.index_tables():
                session.execute(delete(table))
        self.start(chain)
        self.catch_up()
        return self.root()

    def root(self) -> str:
        with self._database.reading() as session:
            return rows.root_hash(session)

    def _stay(self, stop: threading.Event) -> None:
        for event in self._ledger.events(self._next(), follow=True):
            if stop.is_set():
                return
            self._apply([event] if event else [])

    def _next(self) -> Position:
        last = self.position()
        return last if last == START else Position(last.block, last.tx + 1)

    def _apply(self, events: Sequence[Event]) -> None:
        if not events:
            return
        with self._database.writing() as session:
            for event in events:
                apply(session, event)
        self._bell.ring()


def apply(session: Session, event: Event) -> None:
    checkpoint = _checkpoint(session)
    last = _position(checkpoint)
    if event.position <= last:
        return  # another gateway on this database was faster
    mark = {"block": event.position.block, "tx": event.position.tx, "txid": event.txid}
    for key, value in event.writes.items():
        _write(session, key, value, mark)
    insert_or_update(session, table_of(rows.Event), {**mark, "name": event.name})
    checkpoint.block, checkpoint.tx = event.position


def _write(session: Session, key: str, value: Mapping[str, Any], mark: Mapping[str, Any]) -> None:
    writer, row = row_of(key, value)
    if writer.numbered_by:
        _refuse_gap(session, writer, row, key)
    insert_or_update(session, table_of(writer.table), {**row, **mark})


def _refuse_gap(session: Session, writer: Writer, row: Mapping[str, Any], key: str) -> None:
    table, number = table_of(writer.table), row[writer.numbered_by]
    before = {column.name: row[column.name] for column in table.primary_key} | {writer.numbered_by: number - 1}
    if number > 1 and session.get(writer.table, before) is None:
        raise Gap(f"the ledger wrote {key}, and the one before it is not in the index")


def _checkpoint(session: Session) -> rows.Checkpoint:
    return session.execute(select(rows.Checkpoint)).scalar_one()


def _position(checkpoint: rows.Checkpoint) -> Position:
    return Position(checkpoint.block, checkpoint.tx)
