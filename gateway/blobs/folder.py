"""Blobs as files: `ab/abcd…` by address, `incoming/` while they are written, `pins/` for what must stay."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gateway.blobs import PIECE, BlobDamaged, BlobMissing, BlobTooLarge, Stat, WrongAddress


class FolderBlobs:
    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        for made in (self._incoming, self._pins):
            made.mkdir(parents=True, exist_ok=True)

    def put(self, sha256: str, pieces: Iterable[bytes]) -> bool:
        with _temporary(self._incoming) as (file, name):
            self._receive(sha256, pieces, file)
            if self.has(sha256):
                return False
            _flush(file)
            self._publish(name, sha256)
            return True

    def get(self, sha256: str) -> Iterator[bytes]:
        try:
            file = self._path(sha256).open("rb")
        except FileNotFoundError:
            raise BlobMissing(sha256) from None
        return _checked(file, sha256)

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        if not self.has(sha256):
            raise BlobMissing(sha256)
        yield self._path(sha256)

    def has(self, sha256: str) -> bool:
        return self._path(sha256).exists()

    def stat(self, sha256: str) -> Stat:
        try:
            size = self._path(sha256).stat().st_size
        except FileNotFoundError:
            raise BlobMissing(sha256) from None
        return Stat(size, pinned=(self._pins / sha256).exists())

    def pin(self, sha256: str) -> None:
        if not self.has(sha256):
            raise BlobMissing(sha256)
        (self._pins / sha256).touch()
        _sync_folder(self._pins)

    def unpin(self, sha256: str) -> None:
        (self._pins / sha256).unlink(missing_ok=True)

    def _receive(self, sha256: str, pieces: Iterable[bytes], file: BinaryIO) -> None:
        digest, size = hashlib.sha256(), 0
        for piece in pieces:
            size += len(piece)
            if size > self._limit_bytes:
                raise BlobTooLarge(f"{sha256} is larger than {self._limit_bytes} bytes")
            digest.update(piece)
            file.write(piece)
        if digest.hexdigest() != sha256:
            raise WrongAddress(f"the bytes hash to {digest.hexdigest()}, not {sha256}")

    def _publish(self, temporary: Path, sha256: str) -> None:
        path = self._path(sha256)
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            _sync_folder(self._folder)
        temporary.replace(path)
        _sync_folder(path.parent)

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    @property
    def _incoming(self) -> Path:
        return self._folder / "incoming"

    @property
    def _pins(self) -> Path:
        return self._folder / "pins"


@contextmanager
def _temporary(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    descriptor, name = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """A rename is durable only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _checked(file: BinaryIO, sha256: str) -> Iterator[bytes]:
    digest, held = hashlib.sha256(), b""
    with file:
        while piece := file.read(PIECE):
            if held:
                yield held
            digest.update(piece)
            held = piece
    if digest.hexdigest() != sha256:
        raise BlobDamaged(f"what lies at {sha256} hashes to {digest.hexdigest()}")
    if held:
        yield held
