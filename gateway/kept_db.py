"""What is not on the ledger and must be backed up: no rebuild of the index touches these tables."""

from __future__ import annotations

from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base

HASH = String(64)
NAME = String(64)


class Wrap(Base):
    """A blob's key, wrapped for one recipient. Deleting all of them is how a blob is erased."""

    __tablename__ = "kept_wraps"
    blob: Mapped[str] = mapped_column(HASH, primary_key=True)
    kid: Mapped[str] = mapped_column(String(32), primary_key=True)
    wrap: Mapped[str] = mapped_column(Text)


class Upload(Base):
    """Who handed a blob in here. One that never gets anchored belongs to nobody else."""

    __tablename__ = "kept_uploads"
    blob: Mapped[str] = mapped_column(HASH, primary_key=True)
    owner: Mapped[str] = mapped_column(String(160), primary_key=True)
    at: Mapped[int]


class Sealed(Base):
    """A version's bytes, made once and kept before anything about them is anchored; made again they would differ."""

    __tablename__ = "kept_sealed"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    record: Mapped[str] = mapped_column(Text)


class Spoiled(Base):
    """A sealed round of which no version can be made, and why."""

    __tablename__ = "kept_spoiled"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(Text)


class Write(Base):
    """A record that is about to be submitted: after a crash the same bytes go out again, not newer ones.

    After a refusal it is empty until the next attempt makes a new one.
    """

    __tablename__ = "kept_writes"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    record: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int]


class Inbox(Base):
    """What participants signed and handed in, until the ledger has taken or refused it."""

    __tablename__ = "kept_inbox"
    item: Mapped[str] = mapped_column(HASH, primary_key=True)
    schema: Mapped[str] = mapped_column(NAME)
    model: Mapped[str] = mapped_column(NAME)
    record: Mapped[str] = mapped_column(Text)
    signature: Mapped[str] = mapped_column(String(128))
    received_at: Mapped[int]
    result: Mapped[str] = mapped_column(NAME, default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (Index("kept_inbox_by_arrival", "result", "received_at"),)


class Task(Base):
    __tablename__ = "kept_tasks"
    task_id: Mapped[str] = mapped_column(HASH, primary_key=True)
    task_type: Mapped[str] = mapped_column(NAME)
    model: Mapped[str] = mapped_column(NAME)
    about: Mapped[str] = mapped_column(String(100))
    recipient: Mapped[str] = mapped_column(String(160))
    model_version_id: Mapped[str] = mapped_column(HASH)
    parent_version_id: Mapped[str] = mapped_column(HASH)
    payload: Mapped[str] = mapped_column(Text)
    created_at: Mapped[int]
    priority: Mapped[int]
    retry_count: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[int] = mapped_column(default=0)
    ended_at: Mapped[int] = mapped_column(default=0)
    __table_args__ = (
        Index("kept_tasks_of_a_recipient", "recipient", "ended_at"),
        Index("kept_tasks_about", "model", "about"),
    )


class ApiKey(Base):
    __tablename__ = "kept_api_keys"
    hash: Mapped[str] = mapped_column(HASH, primary_key=True)
    name: Mapped[str] = mapped_column(NAME, unique=True)
    role: Mapped[str] = mapped_column(NAME)
    created_at: Mapped[int]


class Challenge(Base):
    __tablename__ = "kept_challenges"
    hash: Mapped[str] = mapped_column(HASH, primary_key=True)
    expires_at: Mapped[int] = mapped_column(index=True)


class Token(Base):
    __tablename__ = "kept_tokens"
    hash: Mapped[str] = mapped_column(HASH, primary_key=True)
    model: Mapped[str] = mapped_column(NAME)
    participant: Mapped[str] = mapped_column(NAME)
    expires_at: Mapped[int] = mapped_column(index=True)


class Training(Base):
    """A run of rounds that an operator asked for; one at a time for each model."""

    __tablename__ = "kept_trainings"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(NAME)  # running, stopping, ended
    rounds: Mapped[int]
    first_round: Mapped[int]
    participants: Mapped[list[str]] = mapped_column(JSON)  # none: all who are active
    hyperparameters: Mapped[dict[str, int | str]] = mapped_column(JSON)
    round_seconds: Mapped[int]
    started_at: Mapped[int]
    started_by: Mapped[str] = mapped_column(NAME)
    ended_at: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(Text, default="")


class Trouble(Base):
    """Why a model's rounds do not move at the moment."""

    __tablename__ = "kept_troubles"
    model: Mapped[str] = mapped_column(NAME, primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    since: Mapped[int]


class Lease(Base):
    """Which gateway runs the rounds."""

    __tablename__ = "kept_leases"
    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    holder: Mapped[str] = mapped_column(NAME)
    expires_at: Mapped[int]
