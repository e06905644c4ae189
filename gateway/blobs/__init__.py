"""Where sealed bytes lie, named by their SHA-256. Nothing goes in or comes out that hashes to something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PIECE = 256 * 1024


class BlobError(Exception):
    pass


class BlobMissing(BlobError):
    """Not here: fetch it from whoever has it, or hand it in again."""


class BlobDamaged(BlobError):
    """What lies here hashes to something else: restore it from another copy."""


class WrongAddress(BlobError):
    """What was handed in hashes to something else than its name: nothing was stored."""


class BlobTooLarge(BlobError):
    """More than this store takes in: nothing was stored."""


@dataclass(frozen=True, slots=True)
class Stat:
    size: int
    pinned: bool


class Blobs(Protocol):
    def put(self, sha256: str, pieces: Iterable[bytes]) -> bool:
        """Store durably what hashes to `sha256`, before returning; False when it was here already."""

    def get(self, sha256: str) -> Iterator[bytes]:
        """The bytes in pieces; the last one only when all of them together hashed right."""

    def local(self, sha256: str) -> AbstractContextManager[Path]:
        """The bytes as a file on this machine while the context lasts, unchecked, for who reads here and there."""

    def has(self, sha256: str) -> bool: ...

    def stat(self, sha256: str) -> Stat: ...

    def pin(self, sha256: str) -> None:
        """Keep it whatever is swept; pinning twice is pinning."""

    def unpin(self, sha256: str) -> None: ...


def read(blobs: Blobs, sha256: str) -> bytes:
    return b"".join(blobs.get(sha256))


def in_pieces(data: bytes) -> Iterator[bytes]:
    return (data[start : start + PIECE] for start in range(0, len(data), PIECE))
