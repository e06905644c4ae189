"""FLDIFF1: a blob opens in its place, under its key, unchanged and whole, or not at all."""

import hashlib
import io
import json
import os
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from golden.blobs import numbered
from sealed import cid, fldiff
from sealed.fldiff import (
    SEGMENT,
    TAG,
    BlobError,
    CommitmentMismatch,
    Context,
    ContextMismatch,
    MalformedBlob,
    SegmentRefused,
    VerifiedBlob,
    new_dek,
    new_key,
    open_blob,
    open_file,
    read_context,
    seal,
    seal_file,
)
from sealed.keys import WrongKey
from sealed.records import encode
from tests.campaigns import Campaign
from tests.sealed.models import PLACE

KEY = hashlib.sha256(b"key").digest()
CTX: Context = {**PLACE, "dek": "d" * 32}
GOLDEN: Any = json.loads((Path(__file__).resolve().parents[2] / "golden" / "sealed.json").read_text("ascii"))


def prefix_bytes(length: int) -> int:
    return len(seal(b"", CTX, KEY)) - TAG + len(str(length)) - 1


FIRST = SEGMENT - TAG - prefix_bytes(SEGMENT)
LATER = SEGMENT - TAG
LENGTHS = [0, 1, 1000, FIRST - 1, FIRST, FIRST + 1, FIRST + LATER - 1, FIRST + LATER, FIRST + LATER + 1, 3 * SEGMENT]


def opened(blob: bytes, expected: Mapping[str, object] = PLACE, key: bytes = KEY) -> bytes:
    return open_blob(blob, expected, lambda _: key)


@pytest.fixture(scope="module")
def plaintext() -> bytes:
    return numbered(2 * SEGMENT + 12_345)


@pytest.fixture(scope="module")
def blob(plaintext: bytes) -> bytes:
    return seal(plaintext, CTX, KEY)


@pytest.fixture(params=["in memory", "from file to file", "verified"])
def open_somehow(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., bytes]:
    """Every way to open a blob must refuse the same."""

    def from_file(blob: bytes, expected: Mapping[str, object] = PLACE, key: bytes = KEY) -> bytes:
        (tmp_path / "blob").write_bytes(blob)
        try:
            open_file(tmp_path / "blob", tmp_path / "plain", expected, lambda _: key)
        except BlobError:
            assert list(tmp_path.iterdir()) == [tmp_path / "blob"], "plaintext was left behind"
            raise
        return (tmp_path / "plain").read_bytes()

    def verified(blob: bytes, expected: Mapping[str, object] = PLACE, key: bytes = KEY) -> bytes:
        found = VerifiedBlob(blob, expected, lambda _: key)
        return found.read(0, found.size)

    ways = {"in memory": opened, "from file to file": from_file, "verified": verified}
    return ways[cast(str, request.param)]


@pytest.mark.parametrize("length", LENGTHS)
def test_what_was_sealed_is_opened(length: int, open_somehow: Callable[..., bytes]) -> None:
    plaintext = numbered(length)
    assert open_somehow(seal(plaintext, CTX, KEY)) == plaintext


@pytest.mark.parametrize("length", LENGTHS)
def test_segments_lie_on_the_leaves_of_ipfs(length: int) -> None:
    blob = seal(numbered(length), CTX, KEY)
    segments = max(1, -(-(length - FIRST) // LATER) + 1)
    assert len(blob) == prefix_bytes(length) + length + TAG * segments
    assert -(-len(blob) // SEGMENT) == segments


@pytest.mark.parametrize("length", [0, FIRST, 2 * SEGMENT])
def test_a_file_is_sealed_as_bytes_are(length: int, tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(numbered(length))
    address = seal_file(tmp_path / "plain", tmp_path / "blob", CTX, KEY)
    blob = (tmp_path / "blob").read_bytes()
    assert address == cid.address_of(blob)
    assert opened(blob) == numbered(length)


def test_files_are_sealed_and_opened_in_constant_memory(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(bytes(24 * SEGMENT))
    tracemalloc.start()
    try:
        seal_file(tmp_path / "plain", tmp_path / "blob", CTX, KEY)
        open_file(tmp_path / "blob", tmp_path / "again", PLACE, lambda _: KEY)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * SEGMENT
    assert (tmp_path / "again").read_bytes() == (tmp_path / "plain").read_bytes()


@pytest.mark.parametrize("vector", GOLDEN["blobs"], ids=lambda v: f"{v['place']} {v['length']}")
def test_vectors_are_reproduced(vector: dict[str, Any]) -> None:
    ctx, key, salt = GOLDEN["places"][vector["place"]], bytes.fromhex(GOLDEN["key"]), bytes.fromhex(GOLDEN["salt"])
    blob = seal(numbered(vector["length"]), ctx, key, salt)
    assert cid.address_of(blob) == vector["address"]
    assert blob.hex() == vector.get("hex", blob.hex())


def test_sealing_twice_makes_other_bytes() -> None:
    assert seal(b"same", CTX, KEY) != seal(b"same", CTX, KEY)


def test_parts_of_a_verified_blob_are_read_where_they_lie(plaintext: bytes, blob: bytes, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(blob)
    for source in (blob, tmp_path / "blob"):
        found = VerifiedBlob(source, PLACE, lambda _: KEY)
        for start in (0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + LATER, len(plaintext)):
            for stop in (start, start + 1, start + LATER, len(plaintext)):
                within = min(stop, len(plaintext))
                assert found.read(start, within) == plaintext[start:within]
        for start, stop in ((-1, 5), (5, 4), (0, len(plaintext) + 1)):
            with pytest.raises(BlobError):
                found.read(start, stop)


def test_a_file_that_changes_after_it_was_verified_is_refused(blob: bytes, tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(blob)
    found = VerifiedBlob(path, PLACE, lambda _: KEY)
    path.write_bytes(blob[:SEGMENT] + bytes(SEGMENT) + blob[2 * SEGMENT :])
    with pytest.raises(SegmentRefused):
        found.read(FIRST, FIRST + 1)
    path.write_bytes(blob[: SEGMENT + 5])
    with pytest.raises(SegmentRefused):
        found.read(FIRST + LATER, FIRST + LATER + 1)


def test_no_flipped_bit_is_accepted(blob: bytes, campaign: Campaign) -> None:
    flips = campaign("fldiff bit flips", sampled=200, full=5000)
    changed = bytearray(blob)
    for case in range(flips):
        bit = int.from_bytes(hashlib.sha256(b"%d" % case).digest()[:8], "big") % (len(blob) * 8)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BlobError):
            opened(bytes(changed))
        changed[bit // 8] ^= 1 << bit % 8


@pytest.mark.parametrize("change", [0x01, 0x20, 0xFF])
def test_no_changed_byte_of_a_short_blob_is_accepted(change: int) -> None:
    """Magic, length, header, salt, commitment, content, tag: each byte."""
    short = seal(b"short", CTX, KEY)
    for position in range(len(short)):
        changed = bytearray(short)
        changed[position] ^= change
        with pytest.raises(BlobError):
            opened(bytes(changed))


def broken(blob: bytes) -> Iterator[tuple[str, bytes]]:
    segments = [blob[start : start + SEGMENT] for start in range(0, len(blob), SEGMENT)]
    first, second, last = segments
    other = seal(numbered(2 * SEGMENT + 12_345), CTX, KEY)
    prefix = prefix_bytes(2 * SEGMENT)
    yield "empty", b""
    yield "cut after the magic", blob[:8]
    yield "cut inside the header", blob[:50]
    yield "cut before the first segment", blob[:prefix]
    yield "cut inside a segment", blob[:-1]
    yield "cut between segments", first + second
    yield "only the first segment", first
    yield "without the second segment", first + last
    yield "one byte more", blob + b"\0"
    yield "a segment more", blob + second
    yield "twice", blob + blob
    yield "segments swapped", first + last + second
    yield "the second segment twice", first + second + second + last
    yield "the last segment of another blob under the same key", first + second + other[2 * SEGMENT :]
    yield "the second segment of another blob under the same key", first + other[SEGMENT : 2 * SEGMENT] + last
    yield "the head of another blob under the same key", other[:prefix] + blob[prefix:]
    yield "something before", b"\0" + blob


def test_blobs_that_were_cut_extended_swapped_or_spliced_are_refused(
    blob: bytes, open_somehow: Callable[..., bytes]
) -> None:
    for _what, bad in broken(blob):
        with pytest.raises(BlobError):
            open_somehow(bad)


@pytest.mark.parametrize("name", PLACE)
def test_a_blob_of_another_place_is_refused(name: str, open_somehow: Callable[..., bytes]) -> None:
    others: dict[str, object] = {
        "base": "c" * 64, "codec": "int8.1", "genesis": "8" * 64, "kind": "version", "model": "n", "number": 4,
        "participant": "b",
    }  # fmt: skip
    with pytest.raises(ContextMismatch, match=name):
        open_somehow(seal(b"content", CTX, KEY), {**PLACE, name: others[name]})


def test_a_place_must_be_expected_whole() -> None:
    blob = seal(b"content", CTX, KEY)
    for name in PLACE:
        with pytest.raises(ContextMismatch):
            opened(blob, {other: value for other, value in PLACE.items() if other != name})
    with pytest.raises(ContextMismatch):
        opened(blob, {**PLACE, "dek": "e" * 32})
    assert opened(blob, {**PLACE, "dek": CTX["dek"]}) == b"content"


def test_another_key_is_refused_before_anything_is_decrypted(open_somehow: Callable[..., bytes]) -> None:
    with pytest.raises(CommitmentMismatch):
        open_somehow(seal(b"content", CTX, KEY), PLACE, new_key())
    for length in (0, 16, 31, 33):
        with pytest.raises(CommitmentMismatch):
            open_somehow(seal(b"content", CTX, KEY), PLACE, bytes(length))


def test_one_blob_does_not_open_under_two_keys() -> None:
    """AES-GCM alone would allow it: a blob could show one thing to the gateway and another to the auditor.

    Whoever makes a blob chooses both keys, and may put the commitment of either into it, but not of both.
    """
    one, other = new_key(), new_key()
    blob = seal(b"content", CTX, one)
    header_end = 10 + int.from_bytes(blob[8:10], "big")
    header, salt = blob[10:header_end], blob[header_end : header_end + 32]
    _, commitment = fldiff._derive(other, salt, header)
    forged = blob[: header_end + 32] + commitment + blob[header_end + 64 :]
    with pytest.raises(CommitmentMismatch):
        opened(forged, PLACE, one)
    with pytest.raises(SegmentRefused):
        opened(forged, PLACE, other)


def test_what_the_finder_of_keys_says_reaches_the_caller() -> None:
    def erased(_dek: str) -> bytes:
        raise WrongKey("erased")

    with pytest.raises(WrongKey):
        open_blob(seal(b"", CTX, KEY), PLACE, erased)


def test_the_finder_of_keys_is_told_the_name_of_the_key() -> None:
    keys = {CTX["dek"]: KEY}
    assert open_blob(seal(b"", CTX, KEY), PLACE, keys.__getitem__) == b""
    assert read_context(seal(b"", CTX, KEY)) == CTX


HEADER = encode({"alg": "A256GCM-STREAM", "ctx": CTX, "len": 5, "seg": SEGMENT, "v": 1})


def rewritten(**changes: object) -> bytes:
    """A blob with another header, by someone who has the key."""
    header: dict[str, object] = {"alg": "A256GCM-STREAM", "ctx": CTX, "len": 5, "seg": SEGMENT, "v": 1, **changes}
    return framed(encode({name: value for name, value in header.items() if value != "left out"}))


def framed(header: bytes) -> bytes:
    salt = bytes(32)
    key, commitment = fldiff._derive(KEY, salt, header)
    sealed = AESGCM(key).encrypt(bytes(11) + b"\1", b"hello", None)
    return fldiff.MAGIC + len(header).to_bytes(2, "big") + header + salt + commitment + sealed


def test_a_header_is_rewritten_as_it_should_be() -> None:
    assert opened(rewritten()) == b"hello"


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "A128GCM-STREAM"}, {"alg": ""}, {"v": 2}, {"v": True}, {"seg": 65536}, {"seg": 0}, {"len": -1},
        {"len": 4}, {"len": 6}, {"len": 0}, {"len": SEGMENT}, {"len": 2**53 - 1}, {"len": "5"}, {"len": True},
        {"more": 1}, {"alg": "left out"}, {"ctx": "left out"}, {"len": "left out"}, {"ctx": {}}, {"ctx": []},
        {"ctx": "x"}, {"ctx": {**CTX, "more": 1}}, {"ctx": {**CTX, "number": -1}}, {"ctx": {**CTX, "dek": "D" * 32}},
        {"ctx": {**CTX, "kind": "other"}}, {"ctx": {**CTX, "codec": "gzip.1"}},
    ],
    ids=str,
)  # fmt: skip
def test_headers_that_are_not_the_format_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedBlob):
        opened(rewritten(**changes))


@pytest.mark.parametrize(
    "header",
    [
        b"", b"{}", b"null", b"[]", b"\xff\xfe", b"{" * 3000, b'{"a":' * 500, b" " + encode({"v": 1}), b"[" * 4000,
        HEADER.replace(b":", b": "), HEADER.replace(b'"len":5', b'"len":5.0'), HEADER.replace(b"1048576", b"1048576.0"),
        b"9" * 5000, b'{"v":' + b"9" * 3900 + b"}",
    ],
    ids=lambda header: str(header[:40]),
)  # fmt: skip
def test_headers_that_are_not_canonical_are_refused(header: bytes) -> None:
    with pytest.raises(MalformedBlob):
        opened(framed(header))


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for bad in (data, fldiff.MAGIC + data, framed(data)):
        with pytest.raises(BlobError):
            opened(bad)
        with pytest.raises(BlobError):
            read_context(bad)


def test_a_length_that_no_disk_holds_is_refused_before_it_is_allocated() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MalformedBlob):
            opened(rewritten(len=2**53 - 1))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * SEGMENT


def test_a_file_that_shrinks_while_it_is_sealed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").write_bytes(bytes(100))
    monkeypatch.setattr(os, "fstat", lambda _: os.stat_result([0] * 6 + [200, 0, 0, 0]))
    with pytest.raises(MalformedBlob):
        seal_file(tmp_path / "plain", tmp_path / "blob", CTX, KEY)
    assert list(tmp_path.iterdir()) == [tmp_path / "plain"]


def test_an_opened_file_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(seal(b"secret", CTX, KEY))
    open_file(tmp_path / "blob", tmp_path / "plain", PLACE, lambda _: KEY)
    assert (tmp_path / "plain").stat().st_mode & 0o077 == 0


def test_keys_and_their_names_are_fresh() -> None:
    assert len({new_dek() for _ in range(100)} | {new_key().hex() for _ in range(100)}) == 200
    assert {len(new_dek()), len(new_key())} == {32}


def test_views_are_sealed_and_opened_too() -> None:
    data = bytearray(b"content")
    blob = seal(memoryview(data), CTX, KEY)
    assert opened(io.BytesIO(blob).getbuffer()) == data  # type: ignore[arg-type]
