"""Records: one way to write them, and nothing else is read."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealed import records
from sealed.records import Record, RecordError, chain, check, encode, parse, record_id
from tests.campaigns import Campaign

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text("ascii"))


WRITTEN = golden("records.json")
REFUSED = golden("refused.json")

KEYS = st.from_regex(r"[A-Za-z0-9._-]{1,8}", fullmatch=True)
SCALARS = st.booleans() | st.integers(-records.LARGEST, records.LARGEST) | st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))
RECORDS = st.dictionaries(KEYS, VALUES, max_size=5)


@pytest.mark.parametrize("vector", WRITTEN["records"] + WRITTEN["edges"], ids=lambda v: v.get("schema") or v["why"])
def test_written_vectors_are_reproduced(vector: dict[str, str]) -> None:
    data = vector["bytes"].encode("ascii")
    assert encode(parse(data)) == data
    assert record_id(data) == vector["id"]


@pytest.mark.parametrize("vector", WRITTEN["records"], ids=lambda v: v["schema"])
def test_written_records_fit_their_schema(vector: dict[str, str]) -> None:
    check(parse(vector["bytes"], records.LIMITS.get(vector["schema"], records.LIMIT)))


@pytest.mark.parametrize("vector", REFUSED["parse"], ids=lambda v: v["why"])
def test_bytes_that_are_not_canonical_are_refused(vector: dict[str, str]) -> None:
    with pytest.raises(RecordError):
        parse(base64.b64decode(vector["base64"]))


@pytest.mark.parametrize("vector", REFUSED["check"], ids=lambda v: f"{v['schema']} {v['why']}")
def test_records_that_break_their_schema_are_refused(vector: dict[str, str]) -> None:
    with pytest.raises(RecordError):
        check(parse(base64.b64decode(vector["base64"]), 2**20))


@given(RECORDS)
def test_what_is_encoded_is_read_back(record: Record) -> None:
    data = encode(record)
    assert parse(data, len(data)) == record
    assert encode(dict(reversed(record.items()))) == data


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_bytes_are_read_that_would_be_written_otherwise(data: bytes) -> None:
    try:
        record = parse(data)
    except RecordError:
        return
    assert encode(record) == data


def test_every_change_of_a_byte_is_another_record_or_refused(campaign: Campaign) -> None:
    data = WRITTEN["records"][1]["bytes"].encode("ascii")
    for case in range(campaign("record byte changes", sampled=2000, full=20_000)):
        position, change = (case * 7919) % len(data), case % 255 + 1
        changed = data[:position] + bytes([data[position] ^ change]) + data[position + 1 :]
        try:
            assert encode(parse(changed)) == changed
        except RecordError:
            continue
        assert record_id(changed) != record_id(data)


@pytest.mark.parametrize(
    "value",
    [1.0, None, float("nan"), b"bytes", {1: 2}, {"": 1}, {"a b": 1}, ("a",), {"a"}, 2**53, -(2**53), "\ud800", 1j],
)
def test_values_that_have_no_place_in_a_record_are_not_written(value: object) -> None:
    with pytest.raises(RecordError):
        encode({"a": value})


def test_a_string_that_is_given_instead_of_bytes_must_be_ascii_too() -> None:
    assert parse('{"a":1}') == {"a": 1}
    with pytest.raises(RecordError):
        parse('{"a":"é"}')


def test_the_chain_of_a_round_is_a_hash_over_all_before() -> None:
    one, two = record_id(b"one"), record_id(b"two")
    assert chain([]) == "00" * 32
    assert chain([one, two]) == chain([two], chain([one])) != chain([two, one])


def test_fields_are_read_with_their_kind() -> None:
    record: Record = {"a": {"b": "text", "n": 5, "f": True, "l": [1], "r": [{"x": 1}]}}
    assert records.text_at(record, "a", "b") == "text"
    assert records.number_at(record, "a", "n") == 5
    assert records.flag_at(record, "a", "f") is True
    assert records.list_at(record, "a", "l") == [1]
    assert records.records_at(record, "a", "r") == [{"x": 1}]
    assert records.record_at(record, "a") == record["a"]


@pytest.mark.parametrize(
    ("read", "path"),
    [
        (records.text_at, ("a", "n")), (records.number_at, ("a", "b")), (records.number_at, ("a", "f")),
        (records.flag_at, ("a", "n")), (records.list_at, ("a",)), (records.record_at, ("a", "l")),
        (records.records_at, ("a", "l")), (records.text_at, ("a", "missing")), (records.text_at, ("a", "b", "deeper")),
    ],
)  # fmt: skip
def test_fields_of_another_kind_are_refused(read: Any, path: tuple[str, ...]) -> None:
    with pytest.raises(RecordError):
        read({"a": {"b": "text", "n": 5, "f": True, "l": [1], "r": [{"x": 1}]}}, *path)


NAMES = {"a": True, "ward-1_x.y": True, "": False, "A": False, "a/b": False, "a" * 65: False, "a\n": False, "é": False}


@pytest.mark.parametrize(("text", "fits"), NAMES.items())
def test_names_have_a_grammar(text: str, fits: bool) -> None:
    assert records.name_ok(text) is fits
