"""What a bundle says of itself, and whether its files are the ones it says."""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from sealed.keys import verify
from sealed.records import Record, flag_at, number_at, parse, record_at, records_at, text_at
from verifier.archive import SMALL, Archive, check_once
from verifier.report import Broken, Place

MANIFEST, ENVELOPE = "manifest.json", "manifest.dsse.json"
PAYLOAD_TYPE = "application/vnd.custody.bundle.1+json"
FIELDS = {"schema", "model", "kind", "genesis", "from", "to", "head", "files", "counts", "with_updates", "recipient"}


@dataclass(frozen=True, slots=True)
class File:
    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    raw: bytes
    record: Record

    def text(self, name: str) -> str:
        return text_at(self.record, name)

    @property
    def last(self) -> int:
        return number_at(self.record, "to")

    @cached_property
    def files(self) -> tuple[File, ...]:
        items = records_at(self.record, "files")
        return tuple(File(text_at(item, "name"), text_at(item, "sha256"), number_at(item, "size")) for item in items)

    @cached_property
    def counts(self) -> dict[str, int]:
        return {schema: number_at(self.record, "counts", schema) for schema in record_at(self.record, "counts")}


def read_manifest(archive: Archive) -> Manifest:
    raw = archive.read(MANIFEST)
    record = parse(raw, limit=SMALL)
    if record.keys() != FIELDS or text_at(record, "schema") != "bundle.1":
        raise Broken("is no manifest of schema bundle.1", Place(file=MANIFEST))
    if number_at(record, "from") != 0:
        raise Broken("a chain starts at block 0", Place(file=MANIFEST))
    if flag_at(record, "with_updates") != bool(text_at(record, "recipient")):
        raise Broken("updates are sealed to somebody", Place(file=MANIFEST))
    return Manifest(raw, record)


def check_listed(archive: Archive, manifest: Manifest) -> None:
    check_once(file.name for file in manifest.files)
    listed = {file.name for file in manifest.files}
    for name in sorted((archive.names - {MANIFEST, ENVELOPE}) ^ listed):
        raise Broken("is listed but missing" if name in listed else "is not in the manifest", Place(file=name))


def check_file(archive: Archive, file: File) -> None:
    digest = hashlib.sha256()
    for chunk in archive.chunks(file.name):
        digest.update(chunk)
    if (digest.hexdigest(), archive.size(file.name)) != (file.sha256, file.size):
        raise Broken("is not the file that the manifest lists", Place(file=file.name))


def blocks(archive: Archive, manifest: Manifest) -> Iterator[tuple[str, bytes]]:
    """Every block from 0 to the last, or the name of the first that is not there."""
    expected = [block_name(number) for number in range(manifest.last + 1)]
    inside = {name for name in archive.names if name.startswith("blocks/")}
    for name in sorted(inside ^ set(expected)):
        raise Broken("is missing" if name in expected else f"lies after block {manifest.last}", Place(file=name))
    for name in expected:
        yield name, archive.read(name)


def block_name(number: int) -> str:
    return f"blocks/{number:08}.block"


def exporter_of(archive: Archive, manifest: Manifest) -> str:
    """The key that signed the manifest. A signature that does not hold is broken evidence, whoever's key it is."""
    envelope = parse(archive.read(ENVELOPE), limit=SMALL)
    signatures = records_at(envelope, "signatures")
    if envelope.keys() != {"payload", "payloadType", "signatures"} or len(signatures) != 1:
        raise Broken("is no DSSE envelope with one signature", Place(file=ENVELOPE))
    if text_at(envelope, "payloadType") != PAYLOAD_TYPE or unbase64(text_at(envelope, "payload")) != manifest.raw:
        raise Broken("signs another manifest", Place(file=ENVELOPE))
    key, signature = text_at(signatures[0], "keyid"), unbase64(text_at(signatures[0], "sig"))
    if not verify(key, pre_authentication(manifest.raw), signature.hex()):
        raise Broken("the signature does not hold", Place(file=ENVELOPE))
    return key


def pre_authentication(payload: bytes) -> bytes:
    """DSSE's PAE: lengths in ASCII keep type and payload apart."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Broken("not base64", Place(file=ENVELOPE)) from error
