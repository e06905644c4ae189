"""The gateway's database: SQLite on one machine, Postgres for many; the same tables, made by the same migrations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
BUSY_TIMEOUT_MS = 20_000


class Base(DeclarativeBase):
    pass


class Database:
    def __init__(self, url: str) -> None:
        self._readers = _engine(url)
        self._writers = self._readers.execution_options(writes=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent view; nothing is written."""
        with Session(self._readers, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """All of it or nothing."""
        with Session(self._writers, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> None:
        with self._writers.begin() as connection:
            command.upgrade(alembic_config(connection), "head")

    def close(self) -> None:
        self._readers.dispose()


def alembic_config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def table_of(mapped: type[Base]) -> Table:
    return cast(Table, mapped.__table__)


def insert_or_update(session: Session, table: Table, row: Mapping[str, Any]) -> None:
    statement = _insert(session, table).values(**row)
    keys = [column.name for column in table.primary_key]
    rest = {name: statement.excluded[name] for name in row if name not in keys}
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest))


def insert_new(session: Session, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert what is not there yet; False when it is."""
    statement = _insert(session, table).values(**row).on_conflict_do_nothing().returning(*table.primary_key)
    return session.execute(statement).first() is not None


def _insert(session: Session, table: Table) -> sqlite.Insert | postgresql.Insert:
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if make_url(url).get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late: see _begin_sqlite
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that reads and then writes fails at once when another wrote between: so writers lock first."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
