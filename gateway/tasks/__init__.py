"""What somebody is asked to do.

A task is leased to who fetched it and offered again when the lease runs out. It ends by its effect, never by being
fetched: doing it twice must be harmless."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

VALIDATOR = "validator"
PRIORITIES = {"ROLLBACK": 9, "VALIDATE": 5, "TRAIN": 5}


def participant(model: str, name: str) -> str:
    """Whom a task of one participant is for."""
    return f"participant/{model}/{name}"


def of_round(number: int) -> str:
    return f"round/{number}"


def of_move(seq: int) -> str:
    return f"move/{seq}"


def of_validation(version: str, purpose: str) -> str:
    return f"{purpose}/{version}"


@dataclass(frozen=True, slots=True)
class Task:
    task_type: str
    model: str
    about: str  # the round, move or validation that it is for
    recipient: str
    model_version_id: str
    parent_version_id: str
    payload: Mapping[str, Any]
    created_at: int
    retry_count: int = 0

    @property
    def task_id(self) -> str:
        """The same work is the same id: offering it again is harmless."""
        return hashlib.sha256(f"{self.task_type} {self.model} {self.about} {self.recipient}".encode()).hexdigest()

    @property
    def participant(self) -> str:
        return self.recipient.rpartition("/")[2]

    @property
    def priority(self) -> int:
        return PRIORITIES[self.task_type]

    def message(self) -> dict[str, Any]:
        """As docs/wire.md has it."""
        return {
            "task_id": self.task_id,
            "task_type": self.task_type,
            "model_version_id": self.model_version_id,
            "parent_version_id": self.parent_version_id,
            "payload": dict(self.payload),
            "metadata": {
                "created_at": self.created_at,
                "priority": self.priority,
                "retry_count": self.retry_count,
            },
        }


class Tasks(Protocol):
    def offer(self, tasks: Sequence[Task]) -> None:
        """Durable when this returns; what was offered before stays as it was."""

    def lease(self, recipient: str, now: int) -> Task | None:
        """The most urgent of what nobody holds."""

    def release(self, recipient: str) -> None:
        """Whoever held the recipient's tasks has gone: offer them again at once."""

    def end(self, task: Task, now: int) -> None: ...

    def offered(self, model: str, about: str) -> frozenset[str]:
        """The recipients who were ever offered a task about this."""
