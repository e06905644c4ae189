"""Evidence of one model in one zip: whole blocks from the first on, what they say in readable copies, and on request
the sealed updates with the keys of one recipient. `custody verify` reads it, and believes none of it.

The same ledger at the same height gives the same bytes. Entries are stored, not compressed: compressors differ.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway import lineage, wraps
from gateway.ledger import Chain, Event, Ledger, Position
from gateway.system import System
from gateway.who import NotAllowed
from sealed.keys import SigningKey, Wrap, WrongKey, kid_of
from sealed.records import encode

PAYLOAD_TYPE = "application/vnd.custody.bundle.1+json"
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
READABLE = 0o100644 << 16
PIECE = 1 << 20
README = """Evidence of model {model}, from the {kind} ledger with genesis
{genesis}

Verify it, offline:        custody verify BUNDLE.zip --trust PIN
With an auditor's key:     custody verify BUNDLE.zip --trust PIN --keys auditor.pem

PIN is a head of this ledger that you noted down earlier (custody export --pin FILE), or genesis:HASH.
Never take it from the hands that gave you the bundle. What each verdict proves: docs/verify.md.

blocks/    the ledger, whole, from its first block
records/   what the blocks say of the model, decoded: block, transaction and key of each
blobs/     sealed versions and updates; wraps/ their keys for one recipient (with --with-updates --for KEY)
"""


@dataclass(frozen=True, slots=True)
class Wish:
    model: str
    recipient: str = ""  # X25519, hex: with the sealed updates, for whoever holds this key


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the bundle; its bytes are fetched only when it is written."""

    name: str
    sha256: str
    size: int
    pieces: Callable[[], Iterator[bytes]]


@dataclass
class Evidence:
    """What a model's records come to: readable copies, counts by schema, and the blobs that they anchor."""

    model: str
    parts: list[Part] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    blobs: dict[str, int] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        for index, (key, state) in enumerate(event.writes.items()):
            if state.get("txid") == event.txid and state.get("record", {}).get("model", self.model) == self.model:
                self._take_state(event, index, key, state)

    def _take_state(self, event: Event, index: int, key: str, state: dict[str, Any]) -> None:
        block, tx = event.position
        copy = encode({"block": block, "key": key, "state": state, "tx": tx})
        self.parts.append(part_of(f"records/{block:08}-{tx:08}-{index:04}.json", copy))
        self.counts[state["record"]["schema"]] += 1
        if key.startswith(("version/", "update/")):
            blob = state["record"]["blob"]
            self.blobs[blob["sha256"]] = blob["size"]


def write_bundle(system: System, wish: Wish, folder: Path) -> Path:
    """The bundle, as a file in `folder`, which also holds what is fetched for it."""
    kid = recipient_of(system, wish)
    chain = system.ledger.chain()
    evidence = Evidence(wish.model)
    for event in events_until(system.ledger, chain.height):
        evidence.take(event)
    parts = [*block_parts(system.ledger, chain.height, folder), *evidence.parts, readme(wish, chain)]
    if kid:
        parts += sealed_parts(system, wish, kid, evidence.blobs)
    parts.sort(key=lambda part: part.name)
    manifest = manifest_of(wish, kid, chain, evidence.counts, parts)
    envelope = signed_envelope(manifest, system.receipts)
    target = folder / "bundle.zip"
    write_zip(target, [*parts, part_of("manifest.json", manifest), part_of("manifest.dsse.json", envelope)])
    return target


def recipient_of(system: System, wish: Wish) -> str:
    """Keys go to auditors that the model's policy names, to its validator and its aggregator, and to nobody else."""
    with system.database.reading() as session:
        _, record = lineage.policy(session, wish.model)
    if not wish.recipient:
        return ""
    keys = record["keys"]
    if wish.recipient not in {keys["aggregator"], keys["validator"], *keys["auditors"]}:
        raise NotAllowed(f"{wish.recipient} is no key that {wish.model} grants its updates to")
    return kid_of(wish.recipient)


def events_until(ledger: Ledger, height: int) -> Iterator[Event]:
    for event in ledger.events(Position(0, 0), follow=False):
        if event is None:
            continue
        if event.position.block > height:
            return
        yield event


def block_parts(ledger: Ledger, height: int, folder: Path) -> Iterator[Part]:
    for number in range(height + 1):
        yield kept_part(f"blocks/{number:08}.block", ledger.block(number), folder)


def sealed_parts(system: System, wish: Wish, kid: str, blobs: dict[str, int]) -> Iterator[Part]:
    """Blobs that are still there, and keys that were not erased; the verifier says what is missing."""
    for sha256, size in blobs.items():
        if system.blobs.has(sha256):
            yield Part(f"blobs/{sha256}", sha256, size, lambda sha256=sha256: system.blobs.get(sha256))  # type: ignore[misc]
            found = wraps_for(system, wish, kid, sha256)
            if found:
                yield part_of(f"wraps/{sha256}.json", encode({"wraps": found}))


def wraps_for(system: System, wish: Wish, kid: str, sha256: str) -> list[Wrap]:
    """Who anchored what is no sealed blob, or a key that opens nothing, must not keep the rest from being shown."""
    with suppress(WrongKey), system.database.writing() as session:
        wraps.wrap_again(session, system.blobs, system.sealing, sha256, [wish.recipient])
    with system.database.reading() as session:
        return wraps.of_blob(session, sha256, [kid])


def readme(wish: Wish, chain: Chain) -> Part:
    return part_of("README.txt", README.format(model=wish.model, kind=chain.kind, genesis=chain.genesis).encode())


def manifest_of(wish: Wish, kid: str, chain: Chain, counts: Counter[str], parts: Iterable[Part]) -> bytes:
    return encode(
        {
            "schema": "bundle.1",
            "model": wish.model,
            "kind": chain.kind,
            "genesis": chain.genesis,
            "from": 0,
            "to": chain.height,
            "head": chain.head,
            "files": [{"name": part.name, "sha256": part.sha256, "size": part.size} for part in parts],
            "counts": dict(counts),
            "with_updates": bool(kid),
            "recipient": kid,
        }
    )


def signed_envelope(manifest: bytes, key: SigningKey) -> bytes:
    """DSSE: the signature covers the payload's type and length as well."""
    kind = PAYLOAD_TYPE.encode()
    signature = key.sign(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(manifest), manifest))
    signatures = [{"keyid": key.public, "sig": base64.b64encode(bytes.fromhex(signature)).decode()}]
    payload = base64.b64encode(manifest).decode()
    return encode({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": signatures})


def part_of(name: str, data: bytes) -> Part:
    return Part(name, hashlib.sha256(data).hexdigest(), len(data), lambda: iter((data,)))


def kept_part(name: str, data: bytes, folder: Path) -> Part:
    path = folder / name.replace("/", "-")
    path.write_bytes(data)
    return Part(name, hashlib.sha256(data).hexdigest(), len(data), lambda: pieces_of(path))


def pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def write_zip(target: Path, parts: Iterable[Part]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for part in sorted(parts, key=lambda part: part.name):
            entry = zipfile.ZipInfo(part.name, FIXED_TIME)
            entry.create_system, entry.external_attr, entry.file_size = 3, READABLE, part.size
            with archive.open(entry, "w") as file:
                for piece in part.pieces():
                    file.write(piece)
