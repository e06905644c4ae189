"""A second implementation of the bundle, for tests: from blocks to a zip, with a hand on every part of it."""

import base64
import hashlib
import json
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from warnings import catch_warnings

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealed.keys import Wrap
from tests.verifier.story import MODEL, Story
from tests.verifier.writer import canonical, hash_of

PAYLOAD_TYPE = b"application/vnd.custody.bundle.1+json"


def fields(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def transactions(block: bytes) -> list[bytes]:
    return fields(fields(block)[1])


@dataclass
class Pack:
    """What an exporter puts into a bundle; tests change it before or after it is listed and signed."""

    blocks: list[bytes]
    model: str = MODEL
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    wraps: Mapping[str, Sequence[Wrap]] = field(default_factory=dict)
    recipient: str = ""
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    claims: dict[str, object] = field(default_factory=dict)  # what the manifest says against the facts

    def files(self) -> dict[str, bytes]:
        files = {f"blocks/{number:08}.block": block for number, block in enumerate(self.blocks)}
        files |= {name: copy for name, copy, _ in self.records()}
        for sha256 in self.anchored() if self.recipient else ():
            files[f"blobs/{sha256}"] = self.blobs[sha256]
            own = [dict(wrap) for wrap in self.wraps[sha256] if wrap["kid"] == self.recipient]
            if own:
                files[f"wraps/{sha256}.json"] = canonical({"wraps": own})
        return {**files, "README.txt": b"custody verify\n"}

    def anchored(self) -> Iterator[str]:
        for _, copy, _ in self.records():
            said = json.loads(copy)
            if said["key"].startswith(("version/", "update/")):
                yield said["state"]["record"]["blob"]["sha256"]

    def records(self) -> Iterator[tuple[str, bytes, str]]:
        for number, block in enumerate(self.blocks[1:], 1):
            with suppress(struct.error):  # of a block that was cut up
                for index, tx in enumerate(transactions(block)):
                    yield from self.records_of(number, index, tx)

    def records_of(self, block: int, tx: int, raw: bytes) -> Iterator[tuple[str, bytes, str]]:
        txid = hashlib.sha256(fields(raw)[0]).hexdigest()
        writes = [fields(write) for write in fields(fields(fields(raw)[2])[1])]
        shown = [(key.decode(), json.loads(value)) for key, value in writes if not key.startswith(b"record/")]
        for index, (key, state) in enumerate(shown):
            record = state.get("record", {})
            if state.get("txid") == txid and record.get("model", self.model) == self.model:
                copy = canonical({"block": block, "tx": tx, "key": key, "state": state})
                yield f"records/{block:08}-{tx:08}-{index:04}.json", copy, record["schema"]

    def manifest(self, files: Mapping[str, bytes]) -> bytes:
        listed = [
            {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
            for name, data in sorted(files.items())
        ]
        document: dict[str, object] = {
            "schema": "bundle.1", "model": self.model, "kind": "embedded", "genesis": hash_of(self.blocks[0]).hex(),
            "from": 0, "to": len(self.blocks) - 1, "head": hash_of(self.blocks[-1]).hex(), "files": listed,
            "counts": dict(Counter(schema for _, _, schema in self.records())),
            "with_updates": bool(self.recipient), "recipient": self.recipient,
        }  # fmt: skip
        return canonical({**document, **self.claims})

    def envelope(self, manifest: bytes) -> bytes:
        signature = self.key.sign(b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE, len(manifest), manifest))
        signed = {"keyid": self.exporter, "sig": base64.b64encode(signature).decode()}
        payload = base64.b64encode(manifest).decode()
        return canonical({"payload": payload, "payloadType": PAYLOAD_TYPE.decode(), "signatures": [signed]})

    @property
    def exporter(self) -> str:
        return self.key.public_key().public_bytes_raw().hex()

    def entries(self, files: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
        """Everything in the zip, listed and signed."""
        files = self.files() if files is None else files
        manifest = self.manifest(files)
        return {**files, "manifest.json": manifest, "manifest.dsse.json": self.envelope(manifest)}

    def write(self, path: Path, entries: Mapping[str, bytes] | None = None) -> Path:
        write_zip(path, sorted((self.entries() if entries is None else entries).items()))
        return path


def write_zip(path: Path, entries: Sequence[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            with catch_warnings(action="ignore"):  # of names that are there already
                archive.writestr(entry, data, compression)


def pack_of(story: Story, blocks: Sequence[bytes], *, with_updates: bool = True) -> Pack:
    pack = Pack(list(blocks))
    if with_updates:
        pack.blobs, pack.wraps, pack.recipient = story.blobs, story.wraps, story.auditor.kid
    return pack


def pin_file(path: Path, blocks: Sequence[bytes], number: int = -1) -> Path:
    number = number % len(blocks)
    genesis, head = hash_of(blocks[0]).hex(), hash_of(blocks[number]).hex()
    path.write_bytes(
        canonical({"schema": "pin.1", "kind": "embedded", "genesis": genesis, "block": number, "hash": head})
    )
    return path
