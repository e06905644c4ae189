"""Trust comes from outside of the evidence: a head noted down earlier, a genesis hash, the key of an exporter."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sealed.records import Record, RecordError, number_at, parse, text_at

HASH = re.compile(r"[0-9a-f]{64}")
PIN_FIELDS = {"schema", "kind", "genesis", "block", "hash"}


class TrustError(ValueError):
    """What was given as trust cannot be read."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A block that somebody saw at a time when they had no reason to doubt it."""

    genesis: str
    block: int
    hash: str


@dataclass(frozen=True, slots=True)
class Trust:
    genesis: frozenset[str] = frozenset()
    pins: tuple[Pin, ...] = ()
    exporters: frozenset[str] = frozenset()


def parse_trust(arguments: Iterable[str]) -> Trust:
    genesis, pins, exporters = set(), [], set()
    for argument in arguments:
        kind, colon, value = argument.partition(":")
        if colon and kind == "genesis":
            genesis.add(hash_of(value))
        elif colon and kind == "exporter":
            exporters.add(hash_of(value))
        else:
            pins.append(load_pin(Path(argument)))
    genesis.update(pin.genesis for pin in pins)
    return Trust(frozenset(genesis), tuple(pins), frozenset(exporters))


def load_pin(file: Path) -> Pin:
    try:
        record = parse(file.read_bytes().rstrip(b"\n"))
        return pin_of(record)
    except OSError as error:
        raise TrustError(f"{file}: {error.strerror}; --trust takes a pin file, genesis:HASH or exporter:KEY") from error
    except RecordError as error:
        raise TrustError(f"{file} is no pin: {error}") from error


def pin_of(record: Record) -> Pin:
    if record.keys() != PIN_FIELDS or text_at(record, "schema") != "pin.1":
        raise TrustError("a pin has the fields schema (pin.1), kind, genesis, block and hash")
    return Pin(hash_of(text_at(record, "genesis")), number_at(record, "block"), hash_of(text_at(record, "hash")))


def hash_of(text: str) -> str:
    if not HASH.fullmatch(text):
        raise TrustError(f"{text[:80]!r} is not 64 lower-case hex digits")
    return text
