"""One round's sealed update, on disk before its first byte leaves.

A folder appears whole (written beside its place, flushed, renamed) or not at all. From then on the round is never
trained or sealed again: after a crash the very same bytes are handed in. `outcome.json` ends it: the blob and its key
are removed, the manifest and the receipt stay as the site's own evidence.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fl_worker.home import write_whole
from sealed.files import flush
from sealed.records import Record, parse

UPDATE, BLOB, KEY, OUTCOME = "update.json", "blob", "key", "outcome.json"


@dataclass(frozen=True, slots=True)
class SealedUpdate:
    """A blob, the key it was sealed with, and a signed manifest that names it."""

    manifest: bytes
    signature: str
    key: bytes
    dek: str
    blob: bytes


@dataclass(frozen=True, slots=True)
class KeptRound:
    path: Path

    def update(self) -> SealedUpdate:
        said = json.loads((self.path / UPDATE).read_text())
        key, blob = (self.path / KEY).read_bytes(), (self.path / BLOB).read_bytes()
        return SealedUpdate(said["manifest"].encode("ascii"), said["signature"], key, said["dek"], blob)

    @property
    def manifest(self) -> Record:
        return parse(json.loads((self.path / UPDATE).read_text())["manifest"])

    def outcome(self) -> dict[str, Any] | None:
        said = self.path / OUTCOME
        outcome: dict[str, Any] | None = json.loads(said.read_text()) if said.exists() else None
        return outcome

    def end(self, outcome: dict[str, Any]) -> None:
        write_whole(self.path / OUTCOME, json.dumps(outcome, indent=1, sort_keys=True).encode() + b"\n")
        for secret in (KEY, BLOB):
            (self.path / secret).unlink(missing_ok=True)


def keep(rounds: Path, round_id: str, update: SealedUpdate) -> KeptRound:
    beside = rounds / f".{round_id}.partial"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True, mode=0o700)
    said = {"manifest": update.manifest.decode("ascii"), "signature": update.signature, "dek": update.dek}
    write_whole(beside / KEY, update.key)
    write_whole(beside / BLOB, update.blob)
    write_whole(beside / UPDATE, json.dumps(said).encode())
    beside.rename(rounds / round_id)
    flush(rounds)
    return KeptRound(rounds / round_id)


def find(rounds: Path, round_id: str) -> KeptRound | None:
    kept = KeptRound(rounds / round_id)
    return kept if kept.path.exists() else None


def all_kept(rounds: Path) -> Iterator[KeptRound]:
    """Oldest first."""
    folders = [folder for folder in rounds.glob("*") if not folder.name.startswith(".")]
    yield from (KeptRound(folder) for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime))


def discard_unsent(rounds: Path) -> list[Path]:
    """After a rollback, what was sealed on a version left behind is of no use to anybody."""
    unsent = [kept.path for kept in all_kept(rounds) if kept.outcome() is None]
    for folder in [*unsent, *rounds.glob(".*.partial")]:
        shutil.rmtree(folder)
    return unsent
