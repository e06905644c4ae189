"""What the contract writes has a place in the index, and what is missing does not go unnoticed."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from gateway import lineage_db as rows
from gateway.bell import Bell
from gateway.database import Base, Database
from gateway.ledger import Chain, Event, OtherLedger, Position
from gateway.projection import START, WRITERS, Gap, Projection, UnknownState, apply, row_of
from tests.gateway.conftest import World

CONTRACT = Path(__file__).resolve().parents[2] / "chaincode" / "contract" / "functions.go"
EXAMPLES = {
    "<model>": "digits",
    "<n>": "3",
    "<seq>": "3",
    "<round>": "3",
    "<epoch>": "1",
    "<participant>": "a",
    "<name>": "a",
}


def keys_of_the_contract() -> list[str]:
    patterns = set(re.findall(r'"([a-z]+/<[^"]*)"', CONTRACT.read_text("utf-8")))
    return sorted(re.sub(r"<\w+>", lambda found: EXAMPLES.get(found[0], "ab" * 32), pattern) for pattern in patterns)


@pytest.mark.parametrize("key", keys_of_the_contract())
def test_every_key_that_the_contract_writes_has_a_table(key: str) -> None:
    parts = key.split("/")
    assert any(_matches(writer.pattern.split("/"), parts) for writer in WRITERS)


def _matches(pattern: list[str], parts: list[str]) -> bool:
    return len(pattern) == len(parts) and all(
        expected == part or (expected.startswith("{") and (":d" not in expected or part.isdecimal()))
        for expected, part in zip(pattern, parts, strict=True)
    )


def test_the_contract_was_read_at_all() -> None:
    assert len(keys_of_the_contract()) > 30


def test_a_key_that_is_unknown_stops_the_index() -> None:
    with pytest.raises(UnknownState, match="moon/phase"):
        row_of("moon/phase", {})


# --- against a real ledger


def test_a_rebuild_comes_to_the_same_root_and_leaves_what_is_kept(world: World) -> None:
    world.create_model()
    world.admit("site-a", "site-b")
    world.validator.scores_bp = {2: 1}
    world.start(3)
    world.settle()
    before, kept = world.system.projection.root(), kept_rows(world)
    assert world.system.projection.rebuild() == before
    assert kept_rows(world) == kept


def kept_rows(world: World) -> dict[str, list[str]]:
    kept = [table for name, table in Base.metadata.tables.items() if name.startswith("kept_")]
    with world.system.database.reading() as session:
        return {table.name: sorted(map(repr, session.execute(select(table)))) for table in kept}


def test_an_index_that_someone_edited_has_another_root(world: World) -> None:
    world.create_model()
    world.index()
    before = world.system.projection.root()
    with world.system.database.writing() as session:
        session.execute(update(rows.Policy).values(state='{"record":{}}'))
    assert world.system.projection.root() != before


def test_the_database_of_one_ledger_does_not_serve_another(world: World) -> None:
    other = Chain("embedded", "cd" * 32, 0, "")
    with pytest.raises(OtherLedger, match="was built from the ledger with genesis"):
        world.system.projection.start(other)


def test_an_event_that_is_missing_is_noticed(world: World, tmp_path: Path) -> None:
    world.create_model()
    world.admit("site-a")
    world.start(2)
    world.settle()
    events = events_of(world)
    first = next(number for number, event in enumerate(events) if event.name == "RoundOpened.v1")
    database = Database(f"sqlite:///{tmp_path / 'gap'}.db")
    database.migrate()
    Projection(database, world.system.ledger, Bell()).start(Chain("embedded", world.consortium.genesis, 0, ""))
    apply_all(database, events[:first])
    with pytest.raises(Gap, match="the one before it is not in the index"):
        apply_all(database, [event for event in events[first:] if "round/digits/1" not in event.writes])
    database.close()


def test_a_transaction_without_an_event_is_no_gap(world: World) -> None:
    """The same record again commits, writes nothing, and says nothing."""
    world.create_model()
    events = events_of(world)
    last = events[-1]
    later = replace(last, position=Position(last.position.block + 2, 0))
    apply_all(world.system.database, [*events, later])
    with world.system.database.reading() as session:
        assert session.execute(select(rows.Checkpoint.block)).scalar_one() == last.position.block + 2


def test_the_same_event_twice_is_one_event(world: World) -> None:
    world.create_model()
    world.index()
    before = world.system.projection.root()
    apply_all(world.system.database, events_of(world))
    assert world.system.projection.root() == before


def events_of(world: World) -> list[Event]:
    return [event for event in world.system.ledger.events(START, follow=False) if event]


def apply_all(database: Database, events: Iterable[Event]) -> None:
    with database.writing() as session:
        for event in events:
            apply(session, event)
