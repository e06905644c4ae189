"""With a key: every version opened, and every aggregate computed again from its updates, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from sealed.aggregate import aggregate
from sealed.keys import unwrap_key
from sealed.records import Record, number_at, records_at, text_at
from sealed.tensors import Tensors, weights_hash
from sealed.updates import Update, open_update
from sealed.versions import WHOLE, open_version
from verifier.blobs import Blobs, NotAvailable
from verifier.report import Broken, Place, Tally

CHECKS = ("blobs", "versions", "recompute")
KEPT = 2  # sets of weights in memory: a version's and its parent's


def recompute(blobs: Blobs, model: str, tally: Tally) -> None:
    for sha256 in blobs.inside:
        tally.run("blobs", Place(file=f"blobs/{sha256}"), blobs.check_anchored, sha256)
    if not blobs.inside:
        tally.skip("blobs", "the bundle carries none (custody export --with-updates --for KEY)")
    if blobs.keys and blobs.inside:
        Recomputation(blobs, model, tally).run()
        return
    for check in ("versions", "recompute"):
        if blobs.keys:
            tally.cannot(check, "a key was given, and the bundle carries no blobs")
        else:
            tally.skip(check, "no key given (--keys FILE)")


@dataclass
class Recomputation:
    blobs: Blobs
    model: str
    tally: Tally
    known: dict[str, Tensors] = field(default_factory=dict)

    def run(self) -> None:
        head = self.blobs.ledger.value(f"version/{self.model}/head")
        for number in range(number_at(head, "number") + 1 if head else 0):
            self.check_version(self._id(number))

    def check_version(self, version: str) -> None:
        record = self._record(version)
        place = Place(key=f"version {number_at(record, 'number')} ({version})")
        self._check("versions", place, lambda: self.weights(version))
        if text_at(record, "kind") != "genesis":
            self._check("recompute", place, lambda: self.check_aggregate(record))

    def _check(self, name: str, place: Place, check: Callable[[], object]) -> None:
        try:
            self.tally.run(name, place, check)
        except NotAvailable as gap:
            say = self.tally.skip if gap.excused else self.tally.cannot
            say(name, f"{place}: {gap}")

    def weights(self, version: str) -> Tensors:
        if version not in self.known:
            for step in self._steps(version):
                self._remember(step, self._open(step))
        return self.known[version]

    def _steps(self, version: str) -> list[str]:
        """From the newest step that is whole, or whose parent is in memory, to the version."""
        steps = [version]
        while not self._opens_alone(steps[-1]):
            steps.append(text_at(self._record(steps[-1]), "parent"))
        return steps[::-1]

    def _opens_alone(self, version: str) -> bool:
        record = self._record(version)
        return text_at(record, "blob", "codec") == WHOLE or text_at(record, "parent") in self.known

    def _open(self, version: str) -> Tensors:
        record, ledger = self._record(version), self.blobs.ledger
        sha256 = text_at(record, "blob", "sha256")
        wraps = self.blobs.wraps(sha256)
        key = self.blobs.key_for(sha256, wraps)
        parent = self.known.get(text_at(record, "parent"))
        blob = self.blobs.read(sha256)
        return open_version(blob, record, lambda dek: unwrap_key(wraps, key, dek, sha256), ledger.genesis, parent)

    def _remember(self, version: str, weights: Tensors) -> None:
        self.known[version] = weights
        while len(self.known) > KEPT:
            del self.known[next(iter(self.known))]

    def check_aggregate(self, version: Record) -> None:
        base = self.weights(text_at(version, "parent"))
        with TemporaryDirectory(prefix="custody-verify-") as name:
            folder = Path(name)
            aggregated = aggregate(text_at(version, "rule"), base, self._updates(version, base, folder), folder)
        found = weights_hash(aggregated)
        if found != text_at(version, "weights"):
            raise Broken(f"the updates aggregate to weights {found}, not {text_at(version, 'weights')}")

    def _updates(self, version: Record, base: Tensors, folder: Path) -> Iterator[Update]:
        """Blobs stay sealed in files, decoded where they are read: a round may be larger than memory."""
        ledger, number = self.blobs.ledger, number_at(version, "round")
        for item in records_at(version, "included"):
            manifest = ledger.record(f"update/{self.model}/{number}/{text_at(item, 'participant')}")
            sha256 = text_at(manifest, "blob", "sha256")
            wraps = self.blobs.wraps(sha256)
            key = self.blobs.key_for(sha256, wraps)
            yield open_update(self.blobs.copy(sha256, folder), manifest, wraps, key, ledger.genesis, base)

    def _record(self, version: str) -> Record:
        return self.blobs.ledger.record(f"version/{version}")

    def _id(self, number: int) -> str:
        value = self.blobs.ledger.value(f"version/{self.model}/{number}")
        return text_at(value or {}, "id")
