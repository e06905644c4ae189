"""One suite, every queue: what `gateway.tasks.Tasks` promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.bell import Bell
from gateway.database import Database
from gateway.tasks import VALIDATOR, Task, Tasks, of_round, of_validation, participant
from gateway.tasks.database import DatabaseTasks

LEASE_S = 60
SITE = participant("digits", "site-a")
TRAIN = Task("TRAIN", "digits", of_round(1), SITE, "v0", "", {"round": "{}"}, created_at=100)


def in_database(folder: Path) -> Tasks:
    database = Database(f"sqlite:///{folder / 'tasks.db'}")
    database.migrate()
    return DatabaseTasks(database, Bell(), LEASE_S)


QUEUES: dict[str, Callable[[Path], Tasks]] = {"database": in_database}


@pytest.fixture(params=QUEUES)
def tasks(request: pytest.FixtureRequest, tmp_path: Path) -> Tasks:
    return QUEUES[request.param](tmp_path)


def test_a_task_is_leased_as_it_was_offered(tasks: Tasks) -> None:
    tasks.offer([TRAIN])
    assert tasks.lease(SITE, 100) == TRAIN


def test_a_leased_task_is_offered_again_when_the_lease_runs_out(tasks: Tasks) -> None:
    tasks.offer([TRAIN])
    tasks.lease(SITE, 100)
    assert tasks.lease(SITE, 100 + LEASE_S - 1) is None
    assert tasks.lease(SITE, 100 + LEASE_S) == replace(TRAIN, retry_count=1)


def test_a_released_task_is_offered_again_at_once(tasks: Tasks) -> None:
    tasks.offer([TRAIN])
    tasks.lease(SITE, 100)
    tasks.release(SITE)
    assert tasks.lease(SITE, 101) is not None


def test_offering_again_changes_nothing_even_when_it_has_ended(tasks: Tasks) -> None:
    tasks.offer([TRAIN])
    tasks.offer([replace(TRAIN, payload={"round": "other"}, created_at=200)])
    assert tasks.lease(SITE, 100) == TRAIN
    tasks.end(TRAIN, 101)
    tasks.offer([TRAIN])
    assert tasks.lease(SITE, 1000) is None


def test_the_most_urgent_comes_first_and_then_the_oldest(tasks: Tasks) -> None:
    later = replace(TRAIN, about=of_round(2), created_at=101)
    rollback = replace(TRAIN, task_type="ROLLBACK", about="move/3", created_at=102)
    tasks.offer([later, TRAIN, rollback])
    assert [tasks.lease(SITE, 200) for _ in range(4)] == [rollback, TRAIN, later, None]


def test_nobody_gets_the_task_of_another(tasks: Tasks) -> None:
    tasks.offer([TRAIN])
    assert tasks.lease(participant("digits", "site-b"), 100) is None
    assert tasks.lease(VALIDATOR, 100) is None


def test_who_was_offered_a_task_stays_known(tasks: Tasks) -> None:
    other = replace(TRAIN, recipient=participant("digits", "site-b"))
    tasks.offer([TRAIN, other, replace(TRAIN, about=of_validation("v1", "probe"), recipient=VALIDATOR)])
    tasks.end(TRAIN, 101)
    assert tasks.offered("digits", of_round(1)) == {TRAIN.recipient, other.recipient}
    assert tasks.offered("digits", of_round(2)) == frozenset()
    assert tasks.offered("other", of_round(1)) == frozenset()
