"""Tasks as rows: enough for the few workers of a consortium, and nothing more to install."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Select, select, update

from gateway.bell import Bell
from gateway.database import Database, insert_new, table_of
from gateway.kept_db import Task as Row
from gateway.tasks import Task


class DatabaseTasks:
    def __init__(self, database: Database, bell: Bell, lease_s: int) -> None:
        self._database = database
        self._bell = bell
        self._lease_s = lease_s

    def offer(self, tasks: Sequence[Task]) -> None:
        with self._database.writing() as session:
            for task in tasks:
                insert_new(session, table_of(Row), _columns(task))
        self._bell.ring()

    def lease(self, recipient: str, now: int) -> Task | None:
        if not self._has_free(recipient, now):
            return None
        with self._database.writing() as session:
            row = session.scalars(_free(recipient, now).limit(1).with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            task = _task(row)
            row.retry_count += 1
            row.leased_until = now + self._lease_s
            return task

    def release(self, recipient: str) -> None:
        with self._database.writing() as session:
            session.execute(update(Row).where(Row.recipient == recipient, Row.ended_at == 0).values(leased_until=0))

    def end(self, task: Task, now: int) -> None:
        with self._database.writing() as session:
            session.execute(update(Row).where(Row.task_id == task.task_id, Row.ended_at == 0).values(ended_at=now))

    def offered(self, model: str, about: str) -> frozenset[str]:
        with self._database.reading() as session:
            recipients = select(Row.recipient).where(Row.model == model, Row.about == about)
            return frozenset(session.scalars(recipients))

    def _has_free(self, recipient: str, now: int) -> bool:
        """A long poll that finds nothing must not take the write lock."""
        with self._database.reading() as session:
            return session.scalars(_free(recipient, now).limit(1)).first() is not None


def _free(recipient: str, now: int) -> Select[Row]:
    return (
        select(Row)
        .where(Row.recipient == recipient, Row.ended_at == 0, Row.leased_until <= now)
        .order_by(Row.priority.desc(), Row.created_at, Row.task_id)
    )


def _columns(task: Task) -> dict[str, str | int]:
    return {
        "task_id": task.task_id,
        "task_type": task.task_type,
        "model": task.model,
        "about": task.about,
        "recipient": task.recipient,
        "model_version_id": task.model_version_id,
        "parent_version_id": task.parent_version_id,
        "payload": json.dumps(task.payload),
        "created_at": task.created_at,
        "priority": task.priority,
        "retry_count": task.retry_count,
        "leased_until": 0,
        "ended_at": 0,
    }


def _task(row: Row) -> Task:
    return Task(
        task_type=row.task_type,
        model=row.model,
        about=row.about,
        recipient=row.recipient,
        model_version_id=row.model_version_id,
        parent_version_id=row.parent_version_id,
        payload=json.loads(row.payload),
        created_at=row.created_at,
        retry_count=row.retry_count,
    )
