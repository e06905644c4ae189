"""What the ledger says, as tables: written by `projection.py` alone, and rebuilt from the ledger at any time.

Every row is the newest value of one state (docs/records.md, State) with the columns that questions are asked by.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Index, String, Table, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from gateway.database import Base

HASH = String(64)
NAME = String(64)


class Checkpoint(Base):
    """The last event in the index, and which ledger it came from."""

    __tablename__ = "index_checkpoint"
    genesis: Mapped[str] = mapped_column(HASH, primary_key=True)
    kind: Mapped[str] = mapped_column(NAME)
    block: Mapped[int]
    tx: Mapped[int]


class Event(Base):
    __tablename__ = "index_events"
    block: Mapped[int] = mapped_column(primary_key=True)
    tx: Mapped[int] = mapped_column(primary_key=True)
    txid: Mapped[str] = mapped_column(HASH)
    name: Mapped[str] = mapped_column(NAME)


class State(Base):
    """What all rows have: the state's canonical JSON, and the transaction that wrote it last."""

    __abstract__ = True
    state: Mapped[str] = mapped_column(Text)
    block: Mapped[int]
    tx: Mapped[int]
    txid: Mapped[str] = mapped_column(HASH)

    @property
    def value(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.state)
        return value

    @property
    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = self.value["record"]
        return record


class Model(State):
    __tablename__ = "index_models"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)


class Fact(State):
    """What is asked for by its key alone: counters, open slots, and remarks about something that has its own row."""

    __tablename__ = "index_facts"
    noun: Mapped[str] = mapped_column(NAME, primary_key=True)
    subject: Mapped[str] = mapped_column(HASH, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Policy(State):
    __tablename__ = "index_policies"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Proposal(State):
    __tablename__ = "index_proposals"
    proposal: Mapped[str] = mapped_column(HASH, primary_key=True)
    model: Mapped[str] = mapped_column(NAME, index=True)


class Epoch(State):
    __tablename__ = "index_epochs"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    epoch: Mapped[int]


class Judge(State):
    __tablename__ = "index_judges"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)


class Participant(State):
    __tablename__ = "index_participants"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    participant: Mapped[str] = mapped_column(NAME, primary_key=True)
    organisation: Mapped[str] = mapped_column(NAME)
    status: Mapped[str] = mapped_column(NAME)
    ed25519: Mapped[str] = mapped_column(HASH)
    x25519: Mapped[str] = mapped_column(HASH)


class ParticipantEvent(State):
    __tablename__ = "index_participant_events"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    participant: Mapped[str] = mapped_column(NAME, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Key(State):
    __tablename__ = "index_keys"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    ed25519: Mapped[str] = mapped_column(HASH, primary_key=True)
    participant: Mapped[str] = mapped_column(NAME)


class Dataset(State):
    __tablename__ = "index_datasets"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    sha256: Mapped[str] = mapped_column(HASH, primary_key=True)
    kind: Mapped[str] = mapped_column(NAME)
    participant: Mapped[str] = mapped_column(NAME)


class Round(State):
    __tablename__ = "index_rounds"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    base: Mapped[str] = mapped_column(HASH)
    outcome: Mapped[str] = mapped_column(NAME)
    count: Mapped[int]
    chain: Mapped[str] = mapped_column(HASH)
    deadline_at: Mapped[int]


class Update(State):
    __tablename__ = "index_updates"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    participant: Mapped[str] = mapped_column(NAME, primary_key=True)
    manifest: Mapped[str] = mapped_column(HASH, index=True)
    blob: Mapped[str] = mapped_column(HASH, index=True)
    examples: Mapped[int]


class Blob(State):
    __tablename__ = "index_blobs"
    sha256: Mapped[str] = mapped_column(HASH, primary_key=True)
    model: Mapped[str] = mapped_column(NAME)


class Refusal(State):
    __tablename__ = "index_refusals"
    manifest: Mapped[str] = mapped_column(HASH, primary_key=True)
    model: Mapped[str] = mapped_column(NAME)
    round: Mapped[int]
    participant: Mapped[str] = mapped_column(NAME)
    reason: Mapped[str] = mapped_column(NAME)
    __table_args__ = (Index("index_refusals_of_a_round", "model", "round", "participant"),)


class Version(State):
    __tablename__ = "index_versions"
    version: Mapped[str] = mapped_column(HASH, primary_key=True)
    model: Mapped[str] = mapped_column(NAME)
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(NAME)
    epoch: Mapped[int]
    round: Mapped[int]
    parent: Mapped[str] = mapped_column(HASH, index=True)
    weights: Mapped[str] = mapped_column(HASH, index=True)
    blob: Mapped[str] = mapped_column(HASH, index=True)
    codec: Mapped[str] = mapped_column(NAME)
    __table_args__ = (Index("index_versions_by_number", "model", "number", unique=True),)


class VersionNumber(State):
    __tablename__ = "index_version_numbers"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(HASH)


class RoundResult(State):
    """Which version an aggregate (epoch 0 here) or a replay of a round became."""

    __tablename__ = "index_round_results"
    kind: Mapped[str] = mapped_column(NAME, primary_key=True)
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(HASH)


class Validation(State):
    __tablename__ = "index_validations"
    version: Mapped[str] = mapped_column(HASH, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(NAME)
    accuracy_bp: Mapped[int]


class Decision(State):
    __tablename__ = "index_decisions"
    version: Mapped[str] = mapped_column(HASH, primary_key=True)
    decision: Mapped[str] = mapped_column(NAME)
    reason: Mapped[str] = mapped_column(NAME)
    score: Mapped[int]
    target: Mapped[str] = mapped_column(HASH)


class Status(State):
    __tablename__ = "index_statuses"
    version: Mapped[str] = mapped_column(HASH, primary_key=True)
    held: Mapped[bool]
    promoted: Mapped[bool]
    quarantined: Mapped[bool]


class Move(State):
    """One move of a pointer."""

    __tablename__ = "index_moves"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(NAME)
    to: Mapped[str] = mapped_column(HASH)
    epoch: Mapped[int]
    claimed_at: Mapped[int] = mapped_column(BigInteger)  # milliseconds


class Pointer(State):
    __tablename__ = "index_pointers"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    seq: Mapped[int]
    to: Mapped[str] = mapped_column(HASH)
    kind: Mapped[str] = mapped_column(NAME)
    move: Mapped[int]
    frozen: Mapped[bool]


class Rollback(State):
    __tablename__ = "index_rollbacks"
    request: Mapped[str] = mapped_column(HASH, primary_key=True)
    model: Mapped[str] = mapped_column(NAME, index=True)
    stage: Mapped[str] = mapped_column(NAME)
    expires_at: Mapped[int]


class OpenRollback(State):
    __tablename__ = "index_open_rollbacks"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    request: Mapped[str] = mapped_column(HASH)


class ShadowMove(State):
    __tablename__ = "index_shadow_moves"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Acknowledgement(State):
    __tablename__ = "index_acks"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    participant: Mapped[str] = mapped_column(NAME, primary_key=True)
    ack: Mapped[str] = mapped_column(HASH, index=True)
    weights: Mapped[str] = mapped_column(HASH)


class Root(State):
    __tablename__ = "index_roots"
    log: Mapped[str] = mapped_column(NAME, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Erasure(State):
    __tablename__ = "index_erasures"
    blob: Mapped[str] = mapped_column(HASH, primary_key=True)


class Completion(State):
    __tablename__ = "index_completions"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)


def index_tables() -> list[Table]:
    tables = Base.metadata.tables
    return [tables[name] for name in sorted(tables) if name.startswith("index_")]


def root_hash(session: Session) -> str:
    """SHA-256 over the lines `["table", column, …]` of all index tables, by table and primary key."""
    digest = hashlib.sha256()
    for table in index_tables():
        order = [_by_byte(session, column) for column in table.primary_key]
        for row in session.execute(select(table).order_by(*order).execution_options(yield_per=1000)):
            digest.update(json.dumps([table.name, *row], separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()


def _by_byte(session: Session, column: Column[Any]) -> ColumnElement[Any]:
    """Postgres orders texts by its locale, which would make the same rows another root."""
    if isinstance(column.type, String) and session.get_bind().dialect.name == "postgresql":
        return column.collate("C")
    return column
