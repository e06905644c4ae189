"""Blocks put aside: in memory while they are few, then in a file under a key that ends with the process."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealed.elements import Floats

IN_MEMORY = 16 * 1024 * 1024
TAG = 16


class _Place(NamedTuple):
    offset: int
    length: int
    number: int


class Spill:
    """Updates are secrets of those who sent them: what leaves memory is encrypted, and no file outlives its use."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._blocks: list[Floats | _Place] = []
        self._written = self._held = self._end = 0

    def put(self, block: Floats) -> int:
        if self._held + block.nbytes <= IN_MEMORY:
            self._held += block.nbytes
            self._blocks.append(block.copy())
        else:
            self._blocks.append(self._write(block.tobytes()))
        return len(self._blocks) - 1

    def get(self, index: int) -> Floats:
        kept = self._blocks[index]
        return self._read(kept) if isinstance(kept, _Place) else kept

    def clear(self) -> None:
        """The next blocks take the place of the old ones, under nonces that none had before."""
        self._blocks.clear()
        self._held = self._end = 0

    def _write(self, plain: bytes) -> _Place:
        self._written += 1
        place = _Place(self._end, len(plain) + TAG, self._written)
        self._file.seek(place.offset)
        self._file.write(self._cipher.encrypt(_nonce(place), plain, None))
        self._end += place.length
        return place

    def _read(self, place: _Place) -> Floats:
        self._file.seek(place.offset)
        return np.frombuffer(self._cipher.decrypt(_nonce(place), self._file.read(place.length), None), np.float32)


@contextmanager
def spill(folder: Path | None) -> Iterator[Spill]:
    """`folder` should lie on a disk with room for the largest tensor of every update; by default the system's."""
    with tempfile.TemporaryFile(dir=folder) as file:
        yield Spill(file)


def _nonce(place: _Place) -> bytes:
    return place.number.to_bytes(12, "big")
