"""Bad bundles, each made from a good one by somebody: who carries it, who exports it, who runs the ledger."""

from __future__ import annotations

import base64
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from sealed.records import Record, encode, parse
from sealed.tensors import Tensors
from tests.tamper import surgery
from tests.verifier.forge import Forge
from tests.verifier.packing import Pack, pack_of, write_zip
from tests.verifier.story import Story
from tests.verifier.writer import ORDER, START, Authority, Envelope, Signer, canonical, hash_of, lv

BROKEN, UNDECIDED = 1, 2
DAY = timedelta(days=1)


@dataclass
class Good:
    """A ledger in order and its bundle."""

    story: Story
    forge: Forge

    @property
    def blocks(self) -> list[bytes]:
        return list(self.forge.blocks)

    def pack(self, blocks: list[bytes] | None = None) -> Pack:
        return pack_of(self.story, self.blocks if blocks is None else blocks)


Make = Callable[[Good, Path], object]


@dataclass(frozen=True)
class Bad:
    name: str
    told: str  # part of what the verifier must say
    make: Make
    exit: int = BROKEN


# --- who carries a bundle: no key at all


def entries_with(change: Callable[[dict[str, bytes]], object]) -> Make:
    def make(good: Good, path: Path) -> None:
        pack = good.pack()
        entries = pack.entries()
        change(entries)
        pack.write(path, entries)

    return make


def flipped(name: str, at: int = 40) -> Make:
    def change(entries: dict[str, bytes]) -> None:
        data = bytearray(entries[name])
        data[at] ^= 1
        entries[name] = bytes(data)

    return entries_with(change)


def file_with(change: Callable[[bytes], bytes]) -> Make:
    def make(good: Good, path: Path) -> None:
        good.pack().write(path)
        path.write_bytes(change(path.read_bytes()))

    return make


def zip_with(*more: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> Make:
    def make(good: Good, path: Path) -> None:
        write_zip(path, [*sorted(good.pack().entries().items()), *more], compression)

    return make


def symlink(good: Good, path: Path) -> None:
    good.pack().write(path)
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo(f"blobs/{'0' * 64}", (1980, 1, 1, 0, 0, 0))
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")


def commented(good: Good, path: Path) -> None:
    good.pack().write(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"look here"


def overlapping(good: Good, path: Path) -> None:
    """Two names in the directory for the bytes of one entry."""
    good.pack().write(path)
    with zipfile.ZipFile(path, "a") as archive:
        twin = zipfile.ZipInfo(f"blobs/{'0' * 64}", (1980, 1, 1, 0, 0, 0))
        first = archive.infolist()[0]
        for name in ("header_offset", "file_size", "compress_size", "CRC", "external_attr"):
            setattr(twin, name, getattr(first, name))
        archive.filelist.append(twin)
        archive._didModify = True  # type: ignore[attr-defined]


# --- who exports it: signs the manifest with a key of their own


def files_with(change: Callable[[dict[str, bytes]], object]) -> Make:
    def make(good: Good, path: Path) -> None:
        pack = good.pack()
        files = pack.files()
        change(files)
        pack.write(path, pack.entries(files))

    return make


def claiming(**claims: object) -> Make:
    def make(good: Good, path: Path) -> None:
        pack = good.pack()
        pack.claims = claims
        pack.write(path)

    return make


def manifest_with(change: Callable[[bytes], bytes]) -> Make:
    def make(good: Good, path: Path) -> None:
        pack = good.pack()
        entries = pack.entries()
        entries["manifest.json"] = change(entries["manifest.json"])
        pack.write(path, {**entries, "manifest.dsse.json": pack.envelope(entries["manifest.json"])})

    return make


def envelope_with(change: Callable[[dict[str, Any]], object]) -> Make:
    def make(entries: dict[str, bytes]) -> None:
        envelope: dict[str, Any] = parse(entries["manifest.dsse.json"], limit=1 << 26)
        change(envelope)
        entries["manifest.dsse.json"] = canonical(envelope)

    return entries_with(make)


def first_of(entries: dict[str, bytes], folder: str) -> str:
    return min(name for name in entries if name.startswith(f"{folder}/"))


def copy_with(change: Callable[[bytes], bytes]) -> Make:
    def make(files: dict[str, bytes]) -> None:
        name = first_of(files, "records")
        files[name] = change(files[name])

    return files_with(make)


def with_duplicate_key(record: bytes) -> bytes:
    return record.replace(b'"tx":', b'"tx":1,"tx":', 1)


def swap(folder: str) -> Make:
    def change(files: dict[str, bytes]) -> None:
        one, other, *_ = sorted(name for name in files if name.startswith(f"{folder}/"))
        files[one], files[other] = files[other], files[one]

    return files_with(change)


def drop(folder: str) -> Make:
    return files_with(lambda files: files.pop(first_of(files, folder)))


def swap_wraps_to_nobody(files: dict[str, bytes]) -> None:
    """The wrap is there under the auditor's name, and holds another blob's key."""
    name = first_of(files, "wraps")
    wraps = parse(files[name])
    wraps["wraps"][0]["wrap"] = base64.b64encode(os.urandom(80)).decode()  # type: ignore[index, call-overload]
    files[name] = encode(wraps)


# --- who runs the ledger: signs blocks


def blocks_with(change: Callable[[Good], list[bytes]]) -> Make:
    def make(good: Good, path: Path) -> None:
        good.pack(change(good)).write(path)

    return make


def transaction_with(function: str, change: Callable[[Envelope], Envelope]) -> Make:
    def act(good: Good) -> list[bytes]:
        found = surgery.find(good.forge.blocks, function)
        return surgery.changed(good.forge, good.forge.blocks, found, change)

    return blocks_with(act)


def without_block(number: int, *, chained: bool) -> Make:
    def act(good: Good) -> list[bytes]:
        blocks = good.blocks
        del blocks[number]
        return surgery.chained(good.forge, surgery.contents_of(blocks)) if chained else blocks

    return blocks_with(act)


def swapped_blocks(good: Good) -> list[bytes]:
    blocks = good.blocks
    blocks[4], blocks[5] = blocks[5], blocks[4]
    return blocks


def one_block_of_two(good: Good, *, reverse: bool) -> list[bytes]:
    contents = surgery.contents_of(good.blocks)
    both = [*contents[10], *contents[11]]
    return surgery.chained(good.forge, [*contents[:10], both[::-1] if reverse else both, *contents[12:]])


def doubled_transaction(good: Good) -> list[bytes]:
    contents = surgery.contents_of(good.blocks)
    contents[10] *= 2
    return surgery.chained(good.forge, contents)


def signed_by_another_ledger(good: Good) -> list[bytes]:
    blocks, other = good.blocks, Ed25519PrivateKey.generate()
    blocks[-1] = surgery.with_signature(blocks[-1], other.sign(hash_of(blocks[-1])))
    return blocks


def another_ledger(good: Good) -> list[bytes]:
    """The whole history written anew, with every key there is: only what was pinned outside tells the difference."""
    contents = surgery.contents_of(good.blocks)
    document = parse(contents[0][0], limit=1 << 20)
    contents[0] = [canonical({**document, "created_at": 1})]
    return surgery.chained(good.forge, contents)


def rewritten(good: Good) -> list[bytes]:
    """The newest transaction left out, and another life lived from there on."""
    contents = surgery.contents_of(good.blocks)[:-1]
    last = surgery.envelope_of(contents[-1][0])
    return surgery.chained(good.forge, [*contents, [repeated(good, last).encode()]])


def repeated(good: Good, envelope: Envelope) -> Envelope:
    """The same record once more: success with the first answer, and no trace."""
    fresh = replace(envelope, nonce=os.urandom(24), reads=(), writes=(), event="", payload=b"")
    signer = next(one for one in good.forge.people.values() if one.creator == envelope.creator)
    return surgery.by(signer, fresh)


# --- who holds a CA's key, or somebody else's


def certified(function: str, make: Callable[[Good], Signer]) -> Make:
    def act(good: Good) -> list[bytes]:
        found = surgery.find(good.forge.blocks, function)
        return surgery.changed(good.forge, good.blocks, found, lambda envelope: surgery.by(make(good), envelope))

    return blocks_with(act)


def issued(msp: str, by: str, role: str = "aggregator", **how: Any) -> Callable[[Good], Signer]:
    def make(good: Good) -> Signer:
        key = ec.generate_private_key(ec.SECP256R1())
        return Signer(msp, role, key, good.forge.authorities[by].issue(key.public_key(), role or "x", role, **how))

    return make


def by_a_foreign_authority(good: Good) -> Signer:
    del good
    key, authority = ec.generate_private_key(ec.SECP256R1()), Authority("Org1MSP")
    return Signer("Org1MSP", "aggregator", key, authority.issue(key.public_key(), "aggregator", "aggregator"))


def by_the_authority_itself(good: Good) -> Signer:
    authority = good.forge.authorities["Org1MSP"]
    return Signer("Org1MSP", "ca", authority.key, authority.certificate)


def on_another_curve(good: Good) -> Signer:
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = good.forge.authorities["Org1MSP"].issue(key.public_key(), "aggregator", "aggregator")
    return Signer("Org1MSP", "aggregator", key, certificate)


def high_s(envelope: Envelope) -> Envelope:
    r, s = decode_dss_signature(envelope.signature)
    return replace(envelope, signature=encode_dss_signature(r, ORDER - s))


def longer_length(envelope: Envelope) -> Envelope:
    """The same r and s in BER that is no DER."""
    signature = envelope.signature
    return replace(envelope, signature=signature[:1] + b"\x81" + signature[1:])


def later(envelope: Envelope) -> Envelope:
    return replace(envelope, claimed_at=envelope.claimed_at + 1)


def value_changed(envelope: Envelope) -> Envelope:
    key, value = next((key, value) for key, value in envelope.writes if key.startswith("validation/"))
    return surgery.with_writes(envelope, (key, value.replace(b'"accuracy_bp":9000', b'"accuracy_bp":9900')))


def field_added(envelope: Envelope) -> Envelope:
    key, value = envelope.writes[-1]
    return surgery.with_writes(envelope, (key, value[:-1] + b',"zzz":1}'))


def read_elsewhere(envelope: Envelope) -> Envelope:
    (key, _), *rest = envelope.reads
    return replace(envelope, reads=((key, bytes(11) + b"\1"), *rest))


def argument_changed(envelope: Envelope) -> Envelope:
    return replace(envelope, arguments=(envelope.arguments[0].replace(b"9000", b"9900"), *envelope.arguments[1:]))


def silent(envelope: Envelope) -> Envelope:
    return replace(envelope, payload=b'{"writes":{}}')


def block_with(change: Callable[[bytes], bytes]) -> Make:
    def act(good: Good) -> list[bytes]:
        blocks = good.blocks
        blocks[3] = change(blocks[3])
        return blocks

    return blocks_with(act)


def transaction_bytes(change: Callable[[bytes], bytes]) -> Make:
    """In a block that is signed and chained, so that nothing but the decoder can object."""

    def act(good: Good) -> list[bytes]:
        contents = surgery.contents_of(good.blocks)
        contents[3] = [change(contents[3][0])]
        return surgery.chained(good.forge, contents)

    return blocks_with(act)


# --- who trains and aggregates


def short_life(bend: Callable[[Story], object]) -> Make:
    """Another ledger in order, on which the aggregator did what no rule of the ledger can see."""

    def make(good: Good, path: Path) -> None:
        good.forge = Forge()
        good.story = Story(good.forge)
        good.story.begin()
        good.story.grow(9000)
        good.story.collect()
        bend(good.story)
        good.pack().write(path)

    return make


def other_weights(story: Story) -> None:
    honest = story.aggregated

    def poisoned(manifests: Sequence[Record], base: str) -> Tensors:
        return {name: tensor + np.float32(0.5) for name, tensor in honest(manifests, base).items()}

    story.aggregated = poisoned  # type: ignore[method-assign]
    story.register(story.version_record())


def other_weights_than_stored(story: Story) -> None:
    record = parse(story.version_record(), limit=1 << 20)
    story.register(encode({**record, "weights": "0c" * 32}))


def empty_ledger(good: Good, path: Path) -> None:
    good.pack(good.blocks[:1]).write(path)


def nothing_at_all(good: Good, path: Path) -> None:
    pack = good.pack()
    pack.claims = {"files": [], "counts": {}, "to": 0}
    manifest = pack.manifest({})
    pack.write(path, {"manifest.json": manifest, "manifest.dsse.json": pack.envelope(manifest)})


def one_byte(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


CARRIED = [
    Bad("a block with one byte changed", "is not the file", flipped("blocks/00000007.block")),
    Bad(
        "a copy with one byte changed",
        "is not the file",
        entries_with(
            lambda entries: entries.update(
                {first_of(entries, "records"): one_byte(entries[first_of(entries, "records")])}
            )
        ),
    ),
    Bad(
        "a blob with one byte changed",
        "is not the file",
        entries_with(
            lambda entries: entries.update({first_of(entries, "blobs"): one_byte(entries[first_of(entries, "blobs")])})
        ),
    ),
    Bad("a manifest with one byte changed", "", flipped("manifest.json", 12)),
    Bad(
        "a manifest that is no JSON",
        "RecordError",
        entries_with(lambda entries: entries.update({"manifest.json": b"{"})),
    ),
    Bad(
        "a signature of the exporter changed",
        "does not hold",
        envelope_with(lambda envelope: envelope["signatures"][0].update(sig=base64.b64encode(bytes(64)).decode())),
    ),
    Bad(
        "an envelope of another type",
        "signs another manifest",
        envelope_with(lambda envelope: envelope.update(payloadType="text/plain")),
    ),
    Bad(
        "an envelope with two signatures",
        "one signature",
        envelope_with(lambda envelope: envelope["signatures"].append(envelope["signatures"][0])),
    ),
    Bad("an envelope that is missing", "is missing", entries_with(lambda entries: entries.pop("manifest.dsse.json"))),
    Bad("a manifest that is missing", "is missing", entries_with(lambda entries: entries.pop("manifest.json"))),
    Bad("a file that is missing", "listed but missing", entries_with(lambda entries: entries.pop("README.txt"))),
    Bad("a file that is not listed", "not in the manifest", zip_with((f"blobs/{'0' * 64}", b"x"))),
    Bad("a name that leads out", "has no place", zip_with(("../../etc/passwd", b"x"))),
    Bad("an absolute name", "has no place", zip_with(("/etc/passwd", b"x"))),
    Bad("a name with a backslash", "has no place", zip_with(("blocks\\00000000.block", b"x"))),
    Bad("a folder", "has no place", zip_with(("blocks/", b""))),
    Bad("a link", "external_attr", symlink),
    Bad("a name twice", "is there twice", zip_with(("README.txt", b"custody verify\n"))),
    Bad("a name twice, with other bytes", "is there twice", zip_with(("blocks/00000003.block", b"x"))),
    Bad("a bomb", "a bundle stores", zip_with((f"blobs/{'0' * 64}", bytes(1 << 22)), compression=zipfile.ZIP_DEFLATED)),
    Bad("two names for the same bytes", "overlaps", overlapping),
    Bad("a comment", "around the directory", commented),
    Bad("something before the zip", "bytes lie before it", file_with(lambda data: b"MZ" + data)),
    Bad("something after the zip", "", file_with(lambda data: data + b"more")),
    Bad("a zip cut in half", "", file_with(lambda data: data[: len(data) // 2]), UNDECIDED),
    Bad("a zip without its last byte", "", file_with(lambda data: data[:-1]), UNDECIDED),
    Bad("no zip", "", file_with(lambda data: data[:0] + b"evidence"), UNDECIDED),
    Bad("nothing", "", file_with(lambda data: data[:0]), UNDECIDED),
]

EXPORTED = [
    Bad(
        "the first block left out",
        "blocks/00000000.block",
        files_with(lambda files: files.pop("blocks/00000000.block")),
    ),
    Bad(
        "a block in between left out",
        "blocks/00000009.block",
        files_with(lambda files: files.pop("blocks/00000009.block")),
    ),
    Bad(
        "the last block left out", "blocks/00000038.block", files_with(lambda files: files.pop("blocks/00000038.block"))
    ),
    Bad(
        "the last block left out of the claims, too",
        "the evidence ends before it",
        without_block(-1, chained=False),
        UNDECIDED,
    ),
    Bad("a block more than claimed", "lies after block 37", claiming(to=37)),
    Bad("two blocks swapped", "stands where block 4 belongs", blocks_with(swapped_blocks)),
    Bad("a block cut off", "Truncated", block_with(lambda block: block[:-1])),
    Bad("bytes after a block", "Truncated", block_with(lambda block: block + b"x")),
    Bad("a field after a block", "WrongCount", block_with(lambda block: block + bytes(4))),
    Bad(
        "a block without transactions",
        "NoTransactions",
        block_with(lambda block: surgery.with_body(block, lambda body: body[:0])),
    ),
    Bad(
        "a transaction more than the header names",
        "are not those",
        block_with(lambda block: surgery.with_body(block, lambda body: body + lv(b"x"))),
    ),
    Bad("a claim of another head", "another chain", claiming(head="0c" * 32)),
    Bad("a claim of another genesis", "another chain", claiming(genesis="0c" * 32)),
    Bad("a claim of another model", "not on this ledger", claiming(model="other")),
    Bad("a claim that starts later", "starts at block 0", claiming(**{"from": 1})),
    Bad("a claim of a ledger that this verifier cannot read", "no verifier", claiming(kind="fabric"), UNDECIDED),
    Bad("a recipient without updates", "sealed to somebody", claiming(with_updates=False)),
    Bad("a count that is wrong", "counts", claiming(counts={"version.1": 99})),
    Bad("a count that is missing", "counts", claiming(counts={})),
    Bad("a manifest with a field too many", "no manifest", claiming(note="trust me")),
    Bad(
        "a manifest with a key twice",
        "a key twice",
        manifest_with(lambda manifest: manifest.replace(b'"from":0', b'"from":0,"from":0')),
    ),
    Bad("a manifest with spaces", "not canonical", manifest_with(lambda manifest: manifest.replace(b":", b": ", 1))),
    Bad(
        "a file listed twice",
        "is there twice",
        manifest_with(
            lambda manifest: manifest.replace(b'"files":[', b'"files":[{"name":"README.txt","sha256":"","size":1},', 1)
        ),
    ),
    Bad(
        "a copy that says more than the ledger",
        "is not what",
        copy_with(lambda copy: copy.replace(b'"tx":0', b'"tx":0,"vouched":true')),
    ),
    Bad(
        "a copy that says something else",
        "is not what",
        copy_with(lambda copy: copy.replace(b"Org1MSP", b"Org2MSP", 1)),
    ),
    Bad("a copy with a key twice", "a key twice", copy_with(with_duplicate_key)),
    Bad("a copy that is missing", "is missing", drop("records")),
    Bad(
        "a copy of nothing",
        "no block holds",
        files_with(lambda files: files.update({"records/00000001-00000000-0099.json": b"{}"})),
    ),
    Bad("two copies swapped", "is not what", swap("records")),
    Bad("two blobs swapped", "not the blob that was anchored", swap("blobs")),
    Bad(
        "a blob that nobody anchored",
        "never anchored",
        files_with(lambda files: files.update({f"blobs/{'0' * 64}": b"x"})),
    ),
    Bad("a blob that is missing", "not in the bundle", drop("blobs"), UNDECIDED),
    Bad("a key that is missing", "no key of blob", drop("wraps"), UNDECIDED),
    Bad("two keys swapped", "WrongKey", swap("wraps")),
    Bad("a key that opens nothing", "WrongKey", files_with(swap_wraps_to_nobody)),
    Bad("no block at all", "is missing", nothing_at_all),
    Bad("a ledger without a transaction", "is not on this ledger", empty_ledger),
]

LEDGER = [
    Bad("a block left out, the rest chained again", "not sealed", without_block(12, chained=True)),
    Bad(
        "the last block left out, claimed as the whole",
        "the evidence ends before it",
        without_block(-1, chained=True),
        UNDECIDED,
    ),
    Bad("a transaction twice", "is there twice", blocks_with(doubled_transaction)),
    Bad(
        "two transactions in another order",
        "read as written",
        blocks_with(lambda good: one_block_of_two(good, reverse=True)),
    ),
    Bad(
        "blocks merged after the fact",
        "read as written",
        blocks_with(lambda good: one_block_of_two(good, reverse=False)),
    ),
    Bad("a block by another ledger's key", "not signed by the ledger's key", blocks_with(signed_by_another_ledger)),
    Bad("the whole history written anew", "for another ledger", blocks_with(another_ledger)),
    Bad("the newest block written anew", "history was rewritten", blocks_with(rewritten)),
    Bad("a value changed", "the rules make it 9000", transaction_with("RecordValidation", value_changed)),
    Bad("a field added to a value", "the rules make it absent", transaction_with("Promote", field_added)),
    Bad(
        "a write added",
        "no rule writes it",
        transaction_with("Promote", lambda envelope: surgery.with_writes(envelope, ("epoch/digits", b'{"epoch":7}'))),
    ),
    Bad(
        "a write left out",
        "should have been written",
        transaction_with("Promote", lambda envelope: surgery.with_writes(envelope, drop=[envelope.writes[-1][0]])),
    ),
    Bad(
        "another answer",
        "the answer recorded",
        transaction_with("Promote", lambda envelope: replace(envelope, result=b'{"seq":9}')),
    ),
    Bad(
        "another event", "announces", transaction_with("Promote", lambda envelope: replace(envelope, event="Other.v1"))
    ),
    Bad("an event that keeps silent", "does not hold what was written", transaction_with("Promote", silent)),
    Bad("a read of what was never written", "read as written", transaction_with("Promote", read_elsewhere)),
    Bad(
        "an argument changed after it was signed",
        "not the creator's",
        transaction_with("RecordValidation", argument_changed),
    ),
    Bad("a time changed after it was signed", "not the creator's", transaction_with("CloseRound", later)),
    Bad("a signature with a high S", "low-S", transaction_with("CloseRound", high_s)),
    Bad("a signature in another encoding", "DER", transaction_with("CloseRound", longer_length)),
    Bad("no signature", "DER", transaction_with("CloseRound", lambda envelope: replace(envelope, signature=b""))),
    Bad(
        "a transaction for another ledger",
        "for another ledger",
        transaction_with("CloseRound", lambda envelope: replace(envelope, genesis=bytes(32))),
    ),
    Bad(
        "a transaction of another format",
        "UnknownFormat",
        transaction_with("CloseRound", lambda envelope: replace(envelope, format=b"custody.tx.2")),
    ),
    Bad(
        "writes out of order",
        "OutOfOrder",
        transaction_with("CloseRound", lambda envelope: replace(envelope, writes=envelope.writes[::-1])),
    ),
    Bad(
        "a key read twice",
        "ReadTwice",
        transaction_with("CloseRound", lambda envelope: replace(envelope, reads=envelope.reads * 2)),
    ),
    Bad(
        "a key that is no text",
        "NotText",
        transaction_with("CloseRound", lambda envelope: replace(envelope, writes=(("clé", b"{}"),))),
    ),
    Bad(
        "a nonce that is too short",
        "WrongLength",
        transaction_with("CloseRound", lambda envelope: replace(envelope, nonce=b"x")),
    ),
    Bad("bytes after a transaction", "WrongCount", transaction_bytes(lambda tx: tx + lv(b"x"))),
    Bad(
        "a creator with bytes after it",
        "BadCreator",
        transaction_with("CloseRound", lambda envelope: replace(envelope, creator=envelope.creator + b"\x1a\0")),
    ),
    Bad(
        "a creator that is no certificate",
        "UnreadableCertificate",
        transaction_with(
            "CloseRound", lambda envelope: replace(envelope, creator=envelope.creator.replace(b"MII", b"MIX", 1))
        ),
    ),
]

CERTIFIED = [
    Bad("a certificate of a foreign CA", "ForeignIssuer", certified("Promote", by_a_foreign_authority)),
    Bad(
        "a certificate of the other organisation's CA",
        "ForeignIssuer",
        certified("Promote", issued("Org1MSP", "Org2MSP")),
    ),
    Bad(
        "a certificate of an organisation that is not there",
        "UnknownOrganisation",
        certified("Promote", issued("Org3MSP", "Org1MSP")),
    ),
    Bad(
        "a certificate that had expired",
        "OutsideValidity",
        certified("Promote", issued("Org1MSP", "Org1MSP", start=START - 9 * DAY, lifetime=8 * DAY)),
    ),
    Bad(
        "a certificate that was not valid yet",
        "OutsideValidity",
        certified("Promote", issued("Org1MSP", "Org1MSP", start=START + DAY)),
    ),
    Bad(
        "a certificate of another role",
        "needs aggregator",
        certified("Promote", issued("Org1MSP", "Org1MSP", "operator")),
    ),
    Bad("a certificate without a role", "needs aggregator", certified("Promote", issued("Org1MSP", "Org1MSP", ""))),
    Bad("a CA's certificate", "WrongKind", certified("Promote", by_the_authority_itself)),
    Bad("a key on another curve", "WrongKind", certified("Promote", on_another_curve)),
    Bad("somebody else of the same role", "the rules make it", certified("Promote", issued("Org1MSP", "Org1MSP"))),
]

AGGREGATED = [
    Bad("weights that the updates do not come to", "the updates aggregate to", short_life(other_weights)),
    Bad("other weights than those stored", "other weights than recorded", short_life(other_weights_than_stored)),
]

CASES = [*CARRIED, *EXPORTED, *LEDGER, *CERTIFIED, *AGGREGATED]
