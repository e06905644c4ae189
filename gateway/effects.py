"""A task ends by its effect: has it happened already? The index answers, whoever did it and however often."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from gateway import lineage
from gateway.lineage_db import Acknowledgement, Refusal, Round, Update
from gateway.system import System
from gateway.tasks import Task


def next_task(system: System, recipient: str) -> Task | None:
    """Lease the most urgent task that still has something to bring about; end those that have not."""
    while (task := system.tasks.lease(recipient, system.now())) is not None:
        with system.database.reading() as session:
            over = EFFECTS[task.task_type](session, task)
        if not over:
            return task
        system.tasks.end(task, system.now())
    return None


def _trained(session: Session, task: Task) -> bool:
    number, name = int(task.about.rpartition("/")[2]), task.participant
    round_ = session.get(Round, (task.model, number))
    refused = select(exists().where(Refusal.model == task.model, Refusal.round == number, Refusal.participant == name))
    return (
        round_ is None
        or round_.outcome != "open"
        or session.get(Update, (task.model, number, name)) is not None
        or bool(session.scalar(refused))
    )


def _rolled_back(session: Session, task: Task) -> bool:
    """A later promotion changes nothing: the site still confirms what it went back to. A later rollback does."""
    seq = int(task.about.rpartition("/")[2])
    return (
        lineage.newest_rollback(session, task.model) != seq
        or session.get(Acknowledgement, (task.model, seq, task.participant)) is not None
    )


def _validated(session: Session, task: Task) -> bool:
    return lineage.is_validated(session, task.model_version_id, str(task.payload["purpose"]))


EFFECTS: dict[str, Callable[[Session, Task], bool]] = {
    "TRAIN": _trained,
    "ROLLBACK": _rolled_back,
    "VALIDATE": _validated,
}
