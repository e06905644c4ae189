"""Where two states differ, told by the first field that does."""

from __future__ import annotations

import json

from sealed.records import RecordError, Value, encode, parse
from verifier.state import LIMIT

SHORT = 120


def difference(recorded: bytes | None, expected: bytes | None) -> str:
    if expected is None:
        return "was written, and no rule writes it"
    if recorded is None:
        return "should have been written, and was not"
    try:
        return first_difference(parse(recorded, limit=LIMIT), parse(expected, limit=LIMIT), "")
    except RecordError as error:
        return f"is no state: {error}"


def first_difference(recorded: Value | None, expected: Value | None, where: str) -> str:
    if isinstance(recorded, dict) and isinstance(expected, dict):
        for name in sorted(recorded.keys() | expected.keys()):
            if recorded.get(name) != expected.get(name):
                return first_difference(recorded.get(name), expected.get(name), f"{where}.{name}")
    if isinstance(recorded, list) and isinstance(expected, list) and len(recorded) == len(expected):
        for index, (one, other) in enumerate(zip(recorded, expected, strict=True)):
            if one != other:
                return first_difference(one, other, f"{where}.{index}")
    return f"{where.lstrip('.') or 'it'} is {shown(recorded)}; the rules make it {shown(expected)}"


def shown(value: Value | None) -> str:
    if value is None:
        return "absent"
    text = encode(value).decode() if isinstance(value, dict) else json.dumps(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"
