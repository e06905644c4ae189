"""The weights of versions, opened with the aggregator's key and checked step by step against the ledger."""

from __future__ import annotations

import threading

from gateway import blobs, lineage, wraps
from gateway.blobs import Blobs
from gateway.database import Database
from sealed.cid import AddressMismatch
from sealed.codec import CodecError
from sealed.fldiff import BlobError
from sealed.keys import SealingKey, Wrap, WrongKey
from sealed.tensors import TensorError, Tensors
from sealed.versions import VersionError, open_steps

UNOPENED = (AddressMismatch, BlobError, CodecError, TensorError, VersionError, WrongKey)


class CannotOpen(Exception):
    """A version of ours does not open: its key was erased, or its bytes or our key are not what they were."""


class Weights:
    """Remembers the version asked for last: each update of a round needs its base, and the aggregate once more."""

    def __init__(self, database: Database, stored: Blobs, sealing: SealingKey, genesis: str) -> None:
        self._database = database
        self._blobs = stored
        self._sealing = sealing
        self._genesis = genesis
        self._lock = threading.Lock()
        self._last: tuple[str, Tensors] | None = None

    def of(self, version: str) -> Tensors:
        """To be read, not written to: others hold the same arrays."""
        with self._lock:
            if self._last is None or self._last[0] != version:
                self._last = version, self._open(version)
            return self._last[1]

    def _open(self, version: str) -> Tensors:
        with self._database.reading() as session:
            steps = [row.record for row in lineage.steps(session, version)]
            model = lineage.version(session, version).model
        try:
            return open_steps(steps, self._blob, self._wraps, self._sealing, self._genesis, model)
        except UNOPENED as error:
            raise CannotOpen(f"version {version} of {model}: {error}") from error

    def _blob(self, sha256: str) -> bytes:
        return blobs.read(self._blobs, sha256)

    def _wraps(self, sha256: str) -> list[Wrap]:
        with self._database.reading() as session:
            return wraps.of_blob(session, sha256, [self._sealing.kid])
