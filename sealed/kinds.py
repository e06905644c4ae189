"""What a field may hold. A kind takes a value and the place where it stands, and returns or refuses."""

import itertools
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

Kind: TypeAlias = Callable[[object, str], None]

LARGEST = 2**53 - 1


class RecordError(ValueError):
    """Bytes or fields that are no record."""


def integer(low: int = -LARGEST, high: int = LARGEST) -> Kind:
    def check(value: object, where: str) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise RecordError(f"{where}: not an integer")
        if not low <= value <= high:
            raise RecordError(f"{where}: {value} is not within {low}…{high}")

    return check


def text(pattern: str, what: str) -> Kind:
    grammar = re.compile(pattern, re.ASCII)

    def check(value: object, where: str) -> None:
        if not isinstance(value, str):
            raise RecordError(f"{where}: not a string")
        if not grammar.fullmatch(value):
            raise RecordError(f"{where}: not {what}")

    return check


def one_of(*words: str) -> Kind:
    return text("|".join(map(re.escape, words)), "one of " + " ".join(words))


def flag(value: object, where: str) -> None:
    if not isinstance(value, bool):
        raise RecordError(f"{where}: not true or false")


def either(*kinds: Kind) -> Kind:
    """The first kind is the one whose refusal is told."""

    def check(value: object, where: str) -> None:
        if not any(_fits(kind, value) for kind in kinds[1:]):
            kinds[0](value, where)

    return check


def _fits(kind: Kind, value: object) -> bool:
    try:
        kind(value, "")
    except RecordError:
        return False
    return True


def array(kind: Kind, low: int = 0, high: int = LARGEST) -> Kind:
    def check(value: object, where: str) -> None:
        if not isinstance(value, list):
            raise RecordError(f"{where}: not an array")
        if not low <= len(value) <= high:
            raise RecordError(f"{where}: {len(value)} items are not within {low}…{high}")
        for index, item in enumerate(value):
            kind(item, f"{where}[{index}]")

    return check


def ascending(items: Kind, *keys: str) -> Kind:
    """An array whose items (or whose fields `keys`) rise strictly, so that nothing stands twice."""

    def place(item: object) -> object:
        return [item[key] for key in keys] if isinstance(item, dict) else item

    def check(value: object, where: str) -> None:
        items(value, where)
        places = [place(item) for item in value] if isinstance(value, list) else []
        if any(not before < after for before, after in itertools.pairwise(places)):  # type: ignore[operator]
            raise RecordError(f"{where}: not sorted, or an item twice")

    return check


def fields(kinds: Mapping[str, Kind], optional: Mapping[str, Kind] | None = None, others: Kind | None = None) -> Kind:
    """An object with all of `kinds`, perhaps the `optional` ones, and more only if there is a kind for `others`."""
    known = {**kinds, **(optional or {})}

    def check(value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise RecordError(f"{where}: not an object")
        for name in kinds.keys() - value.keys():
            raise RecordError(f"{where}: {name} is missing")
        for name, item in value.items():
            kind = known.get(name, others)
            if kind is None:
                raise RecordError(f"{where}: {name} is unknown")
            kind(item, f"{where}.{name}")

    return check
