"""What the contract writes has a place in the index, and what is missing does not go unnoticed."""

import re
from pathlib import Path

import pytest

from gateway.ledger import Position
from gateway.projection import START, WRITERS, UnknownState, follows, row_of

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


@pytest.mark.parametrize(
    ("kind", "last", "found", "answer"),
    [
        pytest.param("embedded", START, Position(1, 0), True, id="the first"),
        pytest.param("embedded", Position(4, 1), Position(4, 2), True, id="the next of a block"),
        pytest.param("embedded", Position(4, 1), Position(5, 0), True, id="the first of the next block"),
        pytest.param("embedded", Position(4, 1), Position(4, 3), False, id="one of a block is missing"),
        pytest.param("embedded", Position(4, 1), Position(6, 0), False, id="a block is missing"),
        pytest.param("fabric", Position(4, 1), Position(9, 3), True, id="Fabric's blocks hold other things too"),
        pytest.param("fabric", Position(4, 1), Position(4, 0), False, id="backwards"),
    ],
)
def test_what_may_follow(kind: str, last: Position, found: Position, answer: bool) -> None:
    assert follows(kind, last, found) is answer
