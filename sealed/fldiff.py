"""FLDIFF1: a plaintext sealed in segments, bound to its place in the history of a model (docs/sealed.md).

One segment is one IPFS leaf. The header is bound into the key, the counter and the last-flag into the nonces, and the
key into the blob: a segment that is changed, moved, cut off or taken from elsewhere does not open, nor does any segment
under another key. No reader sees a byte of plaintext before the last segment was verified.
"""

import hmac
import io
import os
import secrets
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypedDict, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sealed import schemas
from sealed.cid import Address, CidHasher
from sealed.files import put_in_place
from sealed.kinds import LARGEST, fields, integer, one_of, text
from sealed.records import Record, RecordError, encode, parse

MAGIC = b"FLDIFF1\n"
SEGMENT = 1024 * 1024
TAG = 16
LARGEST_PREFIX = 4096
_COMMITMENT = 32
_threads = threading.local()
_SALT = 32

Bytes: TypeAlias = bytes | bytearray | memoryview
KeyFor: TypeAlias = Callable[[str], bytes]


class BlobError(ValueError):
    """A blob that cannot be opened."""


class MalformedBlob(BlobError):
    """Not the format, or not the length that its header claims."""


class ContextMismatch(BlobError):
    """A blob of another ledger, model, round, participant, base or codec than the one looked for."""


class CommitmentMismatch(BlobError):
    """Another key than the one that this blob was sealed with."""


class SegmentRefused(BlobError):
    """A segment that was changed, moved, cut off or put in."""


class Place(TypedDict):
    """Where in the history of a model a blob belongs; the ledger leads to it."""

    base: str
    codec: str
    genesis: str
    kind: str
    model: str
    number: int
    participant: str


class Context(Place):
    """A place, and the name that the blob gives its own key."""

    dek: str


_DEK = text(r"[0-9a-f]{32}", "32 lower-case hex digits")
_CONTEXT = fields(
    {
        "base": schemas.HASH_OR_NONE,
        "codec": schemas.CODEC,
        "dek": _DEK,
        "genesis": schemas.HASH,
        "kind": one_of("update", "version"),
        "model": schemas.NAME,
        "number": schemas.COUNT,
        "participant": schemas.NAME_OR_NONE,
    }
)
_HEADER = fields(
    {
        "alg": one_of("A256GCM-STREAM"),
        "ctx": _CONTEXT,
        "len": integer(0, LARGEST),
        "seg": integer(SEGMENT, SEGMENT),
        "v": integer(1, 1),
    }
)


def new_dek() -> str:
    return secrets.token_hex(16)


def new_key() -> bytes:
    return secrets.token_bytes(32)


@dataclass(frozen=True)
class _Layout:
    """Where each segment lies, in the plaintext and in the blob."""

    prefix: int
    length: int

    @cached_property
    def count(self) -> int:
        beyond_first = max(0, self.length - self._start(1))
        return 1 + -(-beyond_first // (SEGMENT - TAG))

    @cached_property
    def blob_bytes(self) -> int:
        return self.prefix + self.length + TAG * self.count

    def plain(self, index: int) -> slice:
        return slice(self._start(index), min(self._start(index + 1), self.length))

    def sealed(self, index: int) -> slice:
        return slice(max(self.prefix, index * SEGMENT), min((index + 1) * SEGMENT, self.blob_bytes))

    def nonce(self, index: int) -> bytes:
        return index.to_bytes(11, "big") + bytes([index == self.count - 1])

    def holding(self, offset: int) -> int:
        return 0 if offset < self._start(1) else 1 + (offset - self._start(1)) // (SEGMENT - TAG)

    def _start(self, index: int) -> int:
        return max(0, index * (SEGMENT - TAG) - self.prefix)


class _Head(NamedTuple):
    header: bytes
    salt: bytes
    commitment: bytes
    context: Context
    layout: _Layout


def seal(plaintext: Bytes, ctx: Context, key: bytes, salt: bytes | None = None) -> bytes:
    """`salt` is for vectors alone: sealing twice must not make the same bytes."""
    source, blob = memoryview(plaintext).cast("B"), io.BytesIO()
    prefix, layout, cipher = _begin(len(source), ctx, key, salt or secrets.token_bytes(_SALT))
    blob.write(prefix)
    for segment in _encrypted((source[layout.plain(index)] for index in range(layout.count)), layout, cipher):
        blob.write(segment)
    return blob.getvalue()


def seal_file(source: Path | str, target: Path | str, ctx: Context, key: bytes) -> Address:
    """The same from file to file, in constant memory, with the address of what was written."""
    hasher = CidHasher()
    with Path(source).open("rb") as plain, put_in_place(Path(target)) as partial, partial.open("wb") as blob:
        length = os.fstat(plain.fileno()).st_size
        prefix, layout, cipher = _begin(length, ctx, key, secrets.token_bytes(_SALT))
        for piece in _with_first(prefix, _encrypted(_pieces(plain, layout), layout, cipher)):
            hasher.update(piece)
            blob.write(piece)
    return hasher.address()


def open_blob(blob: Bytes, expected: Mapping[str, object], key_for: KeyFor) -> bytes:
    """`expected` is the context that the ledger leads to; `key_for` finds the key of a `dek`."""
    plaintext = io.BytesIO()
    for segment in _Unlocked(blob, expected, key_for).segments():
        plaintext.write(segment)
    return plaintext.getvalue()


def open_file(source: Path | str, target: Path | str, expected: Mapping[str, object], key_for: KeyFor) -> None:
    """The same from file to file; `target` appears only when every segment was verified."""
    with put_in_place(Path(target)) as partial, partial.open("wb") as plain:
        for segment in _Unlocked(Path(source), expected, key_for).segments():
            plain.write(segment)


def read_context(blob: Bytes) -> Context:
    """What the header claims. Nothing vouches for it before the blob was opened."""
    return _read_head(bytes(memoryview(blob)[:LARGEST_PREFIX])).context


class VerifiedBlob:
    """A blob whose segments were all verified once and are opened again wherever the plaintext is read.

    So hundreds of updates can be read side by side: a thread holds one segment, whichever it read last. A file that
    changes meanwhile is refused at the segment that changed.
    """

    def __init__(self, blob: Bytes | Path, expected: Mapping[str, object], key_for: KeyFor) -> None:
        self._unlocked = _Unlocked(blob, expected, key_for)
        for _ in self._unlocked.segments():
            pass
        self._layout = self._unlocked.layout
        self.size = self._layout.length

    def read(self, start: int, stop: int) -> bytes:
        if not 0 <= start <= stop <= self.size:
            raise MalformedBlob(f"{start}…{stop} is not within {self.size} bytes")
        first, last = self._layout.holding(start), self._layout.holding(max(start, stop - 1))
        parts = [self._segment(index) for index in range(first, last + 1)]
        parts[-1] = parts[-1][: stop - self._layout.plain(last).start]
        parts[0] = parts[0][start - self._layout.plain(first).start :]
        return parts[0] if first == last else b"".join(parts)

    def _segment(self, index: int) -> bytes:
        held: _Held | None = getattr(_threads, "held", None)
        if held is None or held.blob() is not self or held.segment != index:
            held = _Held(weakref.ref(self), index, bytes(self._unlocked.segment(index, _buffer())))
            _threads.held = held
        return held.plain


class _Held(NamedTuple):
    blob: weakref.ref[VerifiedBlob]  # so that no key outlives the use of its blob
    segment: int
    plain: bytes


class _MemoryBytes:
    def __init__(self, blob: Bytes) -> None:
        self._view = memoryview(blob).cast("B")
        self.size = len(self._view)

    def read(self, where: slice) -> Bytes:
        return self._view[where]


class _FileBytes:
    """Read, not mapped: a mapped file that someone shortens ends the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size

    def read(self, where: slice) -> Bytes:
        with self._path.open("rb", buffering=0) as file:
            file.seek(where.start)
            return file.read(where.stop - where.start)


class _Unlocked:
    """A blob whose context is the expected one and whose key is the committed one."""

    def __init__(self, blob: Bytes | Path, expected: Mapping[str, object], key_for: KeyFor) -> None:
        self._blob = _FileBytes(blob) if isinstance(blob, Path) else _MemoryBytes(blob)
        head = _read_head(bytes(self._blob.read(slice(0, LARGEST_PREFIX))))
        _compare(head.context, expected)
        if self._blob.size != head.layout.blob_bytes:
            raise MalformedBlob(f"{self._blob.size} bytes, its header makes it {head.layout.blob_bytes}")
        key, commitment = _derive(key_for(head.context["dek"]), head.salt, head.header)
        if not hmac.compare_digest(commitment, head.commitment):
            raise CommitmentMismatch("this blob was sealed with another key")
        self.layout = head.layout
        self._cipher = AESGCM(key)

    def segments(self) -> Iterator[memoryview]:
        """Each one is written over by the next."""
        buffer = _buffer()
        for index in range(self.layout.count):
            yield self.segment(index, buffer)

    def segment(self, index: int, buffer: memoryview) -> memoryview:
        sealed = self._blob.read(self.layout.sealed(index))
        plain = buffer[: max(0, len(sealed) - TAG)]
        try:
            self._cipher.decrypt_into(self.layout.nonce(index), sealed, None, plain)
        except (InvalidTag, ValueError) as error:
            raise SegmentRefused(f"segment {index} does not open") from error
        return plain


def _buffer() -> memoryview:
    """One for all segments of a thread: fresh memory for each would cost more than the cipher."""
    if not hasattr(_threads, "buffer"):
        _threads.buffer = memoryview(bytearray(SEGMENT))
    found: memoryview = _threads.buffer
    return found


def _begin(length: int, ctx: Context, key: bytes, salt: bytes) -> tuple[bytes, _Layout, AESGCM]:
    record = {"alg": "A256GCM-STREAM", "ctx": ctx, "len": length, "seg": SEGMENT, "v": 1}
    _HEADER(record, "header")
    header = encode(record)
    aes_key, commitment = _derive(key, salt, header)
    prefix = MAGIC + len(header).to_bytes(2, "big") + header + salt + commitment
    return prefix, _Layout(len(prefix), length), AESGCM(aes_key)


def _derive(key: bytes, salt: bytes, header: bytes) -> tuple[bytes, bytes]:
    if len(key) != 32:
        raise CommitmentMismatch(f"a key of {len(key)} bytes")
    digest = hashes.Hash(hashes.SHA256())
    digest.update(header)
    derived = HKDF(hashes.SHA256(), 64, salt, b"fldiff/v1" + digest.finalize()).derive(key)
    return derived[:32], derived[32:]


def _encrypted(pieces: Iterator[memoryview], layout: _Layout, cipher: AESGCM) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(SEGMENT))
    for index, piece in enumerate(pieces):
        segment = buffer[: len(piece) + TAG]
        cipher.encrypt_into(layout.nonce(index), piece, None, segment)
        yield segment


def _pieces(plain: io.BufferedReader, layout: _Layout) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(SEGMENT))
    for index in range(layout.count):
        where = layout.plain(index)
        piece = buffer[: where.stop - where.start]
        if plain.readinto(piece) != len(piece):
            raise MalformedBlob("the plaintext became shorter while it was sealed")
        yield piece


def _with_first(first: bytes, rest: Iterator[memoryview]) -> Iterator[bytes | memoryview]:
    yield first
    yield from rest


def _read_head(blob: bytes) -> _Head:
    start = len(MAGIC) + 2
    if blob[: len(MAGIC)] != MAGIC or len(blob) < start:
        raise MalformedBlob("not FLDIFF1")
    end = start + int.from_bytes(blob[start - 2 : start], "big")
    prefix = end + _SALT + _COMMITMENT
    if prefix > min(LARGEST_PREFIX, len(blob)):
        raise MalformedBlob("its header is longer than a header, or than the blob")
    record = _parse_header(blob[start:end])
    layout = _Layout(prefix, cast(int, record["len"]))
    return _Head(
        blob[start:end], blob[end : end + _SALT], blob[end + _SALT : prefix], cast(Context, record["ctx"]), layout
    )


def _parse_header(header: bytes) -> Record:
    try:
        record = parse(header, LARGEST_PREFIX)
        _HEADER(record, "header")
    except RecordError as error:
        raise MalformedBlob(str(error)) from error
    return record


def _compare(found: Context, expected: Mapping[str, object]) -> None:
    """`dek` alone is free, unless the caller names that as well."""
    for name in sorted(Place.__required_keys__ | expected.keys()):
        if name not in expected or found.get(name) != expected[name]:
            raise ContextMismatch(f"{name} is {found.get(name)!r}, expected {expected.get(name)!r}")
