"""The sealed blobs that a bundle carries: are they the anchored ones, and which of the auditor's keys opens them?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sealed.cid import CidHasher
from sealed.keys import SealingKey, Wrap
from sealed.records import Record, number_at, parse, record_at, records_at, text_at
from verifier.archive import SMALL, Archive
from verifier.ledger import Ledger
from verifier.report import Broken, Place


class NotAvailable(Exception):
    """A blob or key that the bundle does not hold. `excused` when the ledger holds the receipt of its erasure."""

    def __init__(self, reason: str, *, excused: bool) -> None:
        super().__init__(reason)
        self.excused = excused


@dataclass(frozen=True)
class Blobs:
    archive: Archive
    ledger: Ledger
    keys: Sequence[SealingKey]

    @cached_property
    def inside(self) -> list[str]:
        return sorted(name.removeprefix("blobs/") for name in self.archive.names if name.startswith("blobs/"))

    def read(self, sha256: str) -> bytes:
        return b"".join(self._chunks(sha256))

    def copy(self, sha256: str, folder: Path) -> Path:
        path = folder / sha256
        with path.open("wb") as file:
            file.writelines(self._chunks(sha256))
        return path

    def _chunks(self, sha256: str) -> Iterator[bytes]:
        if f"blobs/{sha256}" not in self.archive.names:
            raise self._absent(sha256, f"blob {sha256} is not in the bundle")
        return self.archive.chunks(f"blobs/{sha256}")

    def wraps(self, sha256: str) -> list[Wrap]:
        name = f"wraps/{sha256}.json"
        if name not in self.archive.names:
            raise self._absent(sha256, f"no key of blob {sha256} is in the bundle")
        items = records_at(parse(self.archive.read(name), limit=SMALL), "wraps")
        return [Wrap(kid=text_at(item, "kid"), wrap=text_at(item, "wrap")) for item in items]

    def key_for(self, sha256: str, wraps: Sequence[Wrap]) -> SealingKey:
        kids = {wrap["kid"] for wrap in wraps}
        found = next((key for key in self.keys if key.kid in kids), None)
        if found is None:
            raise self._absent(sha256, f"none of the keys given opens blob {sha256}")
        return found

    def check_anchored(self, sha256: str) -> None:
        """The file check has held the bytes against their name; what the name stands for is on the ledger."""
        anchored = self._address(sha256)
        digest, cid, size = hashlib.sha256(), CidHasher(), 0
        for chunk in self.archive.chunks(f"blobs/{sha256}"):
            digest.update(chunk)
            cid.update(chunk)
            size += len(chunk)
        found = (digest.hexdigest(), cid.cid(), size)
        if found != (text_at(anchored, "sha256"), text_at(anchored, "cid"), number_at(anchored, "size")):
            raise Broken("is not the blob that was anchored", Place(file=f"blobs/{sha256}"))

    def _address(self, sha256: str) -> Record:
        owner = self.ledger.value(f"blob/{sha256}")
        if owner is None:
            raise Broken("was never anchored", Place(file=f"blobs/{sha256}"))
        if "version" in owner:
            return record_at(self.ledger.record(f"version/{text_at(owner, 'version')}"), "blob")
        parts = ("update", text_at(owner, "model"), str(number_at(owner, "round")), text_at(owner, "participant"))
        return record_at(self.ledger.record("/".join(parts)), "blob")

    def _absent(self, sha256: str, reason: str) -> NotAvailable:
        erased = self.ledger.state.get(f"erasure/{sha256}") is not None
        return NotAvailable(f"{reason}; its erasure is recorded" if erased else reason, excused=erased)
