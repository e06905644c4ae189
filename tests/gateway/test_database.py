"""The migrations make the tables that the code speaks of; transactions are whole; secrets are not kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select

from gateway import kept_db, leases, lineage_db, who
from gateway.database import Base, Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{tmp_path / 'gateway.db'}")) as database:
        database.migrate()
        yield database


def test_the_migrations_end_in_the_tables_that_the_code_has(database: Database) -> None:
    with database.reading() as session:
        context = MigrationContext.configure(session.connection())
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    database.migrate()


def test_every_table_says_whether_it_can_be_rebuilt() -> None:
    assert {name.partition("_")[0] for name in Base.metadata.tables} == {"index", "kept"}
    assert {table.name for table in lineage_db.index_tables()} == {
        name for name in Base.metadata.tables if name.startswith("index_")
    }


def test_what_fails_halfway_leaves_nothing(database: Database) -> None:
    def fail_halfway() -> None:
        with database.writing() as session:
            session.add(kept_db.Lease(name="a", holder="b", expires_at=1))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    with database.reading() as session:
        assert session.get(kept_db.Lease, "a") is None


def test_writers_wait_for_each_other(database: Database) -> None:
    def count_up() -> None:
        for _ in range(20):
            with database.writing() as session:
                row = session.get(kept_db.Lease, "a") or kept_db.Lease(name="a", holder="", expires_at=0)
                row.expires_at += 1
                session.add(row)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as session:
        assert session.get_one(kept_db.Lease, "a").expires_at == 80


@pytest.mark.parametrize(
    ("now", "holder", "held"),
    [
        pytest.param(105, "first", True, id="who holds it renews it"),
        pytest.param(105, "second", False, id="another waits"),
        pytest.param(110, "second", True, id="until it runs out"),
    ],
)
def test_a_lease_has_one_holder(database: Database, now: int, holder: str, held: bool) -> None:
    assert leases.hold(database, "rounds", "first", 100, 10)
    assert leases.hold(database, "rounds", holder, now, 10) is held


def test_a_lease_that_was_given_up_is_free(database: Database) -> None:
    leases.hold(database, "rounds", "first", 100, 10)
    leases.give_up(database, "rounds", "second")
    assert not leases.hold(database, "rounds", "second", 101, 10)
    leases.give_up(database, "rounds", "first")
    assert leases.hold(database, "rounds", "second", 101, 10)


def test_an_api_key_is_kept_as_a_hash_and_its_name_serves_once(database: Database) -> None:
    key = who.add_key(database, "anna", "viewer", "the secret", 100)
    with database.reading() as session:
        kept = session.scalars(select(kept_db.ApiKey)).one()
        assert key not in (kept.hash, kept.name)
        assert who.caller_of(session, key, 101).name == "anna"
    with pytest.raises(who.NameTaken):
        who.add_key(database, "anna", "operator", "another", 101)


def test_challenges_and_tokens_that_have_run_out_are_swept(database: Database) -> None:
    with database.writing() as session:
        session.add(kept_db.Token(hash="aa", model="m", participant="p", expires_at=10))
    who.add_token(database, who.Caller(who.PARTICIPANT, "p", "m"), "secret", 1000, 100)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(kept_db.Token)) == 1
