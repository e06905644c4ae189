"""Length-prefixed fields, the one shape that blocks are made of: for each, a big-endian u32 length and the bytes."""

import struct
from collections.abc import Iterable


class Malformed(ValueError):
    """The bytes are not what docs/ledger.md says. Every malformation has a class of its own."""


class Truncated(Malformed):
    """A length points past the end."""


class WrongCount(Malformed):
    """More or fewer fields than the format has; bytes left over are fields too many."""


class WrongLength(Malformed):
    """A field of fixed size has another size."""


def split(data: bytes, what: str) -> list[bytes]:
    fields, at = [], 0
    while at < len(data):
        start = at + 4
        if start > len(data):
            raise Truncated(f"{what}: a length is cut off at byte {at}")
        end = start + int.from_bytes(data[at:start], "big")
        if end > len(data):
            raise Truncated(f"{what}: the field at byte {at} ends {end - len(data)} bytes past the end")
        fields.append(data[start:end])
        at = end
    return fields


def split_exactly(data: bytes, count: int, what: str) -> list[bytes]:
    fields = split(data, what)
    if len(fields) != count:
        raise WrongCount(f"{what}: {len(fields)} fields, not {count}")
    return fields


def join(fields: Iterable[bytes]) -> bytes:
    return b"".join(struct.pack(">I", len(field)) + field for field in fields)


def exactly(data: bytes, size: int, what: str) -> bytes:
    if len(data) != size:
        raise WrongLength(f"{what}: {len(data)} bytes, not {size}")
    return data


def u64(data: bytes, what: str) -> int:
    return int.from_bytes(exactly(data, 8, what), "big")
