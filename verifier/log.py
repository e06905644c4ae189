"""`blocks.log` of an embedded ledger, frame by frame."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from verifier.crc import crc32c
from verifier.fields import Malformed, Truncated

LARGEST_BLOCK = 256 * 1024 * 1024


class BadFrame(Malformed):
    """A frame whose CRC says that it was not written like this."""


def read_log(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        number = 0
        while head := file.read(4):
            yield f"{path.name}, frame {number}", read_frame(file, head)
            number += 1


def read_frame(file: BinaryIO, head: bytes) -> bytes:
    size = int.from_bytes(take(file, 4, head), "big")
    if size > LARGEST_BLOCK:
        raise BadFrame(f"a frame of {size} bytes")
    block = take(file, size)
    if crc32c(block) != int.from_bytes(take(file, 4), "big"):
        raise BadFrame("the CRC of a frame does not match")
    return block


def take(file: BinaryIO, size: int, begun: bytes = b"") -> bytes:
    data = begun + file.read(size - len(begun))
    if len(data) != size:
        raise Truncated("the log ends inside a frame")
    return data
