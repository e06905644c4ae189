"""The address of a blob: SHA-256, length, and the CIDv1 that IPFS gives it (profile `unixfs-v1-2025`).

The client computes it for itself; what a node answers is compared, never believed.
"""

import base64
import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypedDict

LEAF = 1024 * 1024
LINKS = 1024

_RAW = bytes.fromhex("01551220")
_DAG_PB = bytes.fromhex("01701220")


class Address(TypedDict):
    cid: str
    sha256: str
    size: int


class AddressMismatch(ValueError):
    """Bytes that are not those of the anchored address."""


class _Node(NamedTuple):
    cid: bytes
    file_bytes: int
    tree_bytes: int


class CidHasher:
    """CID and SHA-256 of bytes that come in pieces of any size; memory grows by some hundred bytes a leaf alone."""

    def __init__(self) -> None:
        self._flat = hashlib.sha256()
        self._leaf = hashlib.sha256()
        self._leaf_bytes = 0
        self._leaves: list[_Node] = []
        self.size = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(data).cast("B")
        while rest:
            if self._leaf_bytes == LEAF:
                self._end_leaf()
            piece = rest[: LEAF - self._leaf_bytes]
            rest = rest[len(piece) :]
            self._hash(piece)

    def cid(self) -> str:
        return _text(_root([*self._leaves, self._current_leaf()]))

    def address(self) -> Address:
        return {"cid": self.cid(), "sha256": self._flat.hexdigest(), "size": self.size}

    def _hash(self, piece: memoryview) -> None:
        """The first leaf needs one pass, not two: until it ends, its hash is that of the whole."""
        self._flat.update(piece)
        if self._leaves:
            self._leaf.update(piece)
        self._leaf_bytes += len(piece)
        self.size += len(piece)

    def _current_leaf(self) -> _Node:
        hasher = self._leaf if self._leaves else self._flat
        return _leaf(hasher.digest(), self._leaf_bytes)

    def _end_leaf(self) -> None:
        self._leaves.append(self._current_leaf())
        self._leaf = hashlib.sha256()
        self._leaf_bytes = 0


def cid_of(data: bytes | memoryview) -> str:
    view = memoryview(data).cast("B")
    starts = range(0, max(len(view), 1), LEAF)
    pieces = [view[start : start + LEAF] for start in starts]
    return _text(_root([_leaf(hashlib.sha256(piece).digest(), len(piece)) for piece in pieces]))


def address_of(data: bytes | memoryview) -> Address:
    """Two passes over many leaves, side by side (hashlib lets go of the interpreter); one pass over a single leaf."""
    if len(data) <= LEAF:
        hasher = CidHasher()
        hasher.update(data)
        return hasher.address()
    with ThreadPoolExecutor(1) as other:
        cid = other.submit(cid_of, data)
        return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "cid": cid.result()}


def check_address(data: bytes | memoryview, expected: Mapping[str, object]) -> None:
    compare(address_of(data) if len(data) == expected.get("size") else {"size": len(data)}, expected)


def address_of_file(path: Path) -> Address:
    hasher, buffer = CidHasher(), memoryview(bytearray(LEAF))
    with path.open("rb", buffering=0) as file:
        while read := file.readinto(buffer):
            hasher.update(buffer[:read])
    return hasher.address()


def check_file_address(path: Path, expected: Mapping[str, object]) -> None:
    size = path.stat().st_size
    compare(address_of_file(path) if size == expected.get("size") else {"size": size}, expected)


def compare(found: Mapping[str, object], expected: Mapping[str, object]) -> None:
    for part in ("size", "sha256", "cid"):
        if found.get(part) != expected.get(part):
            raise AddressMismatch(f"{part} is {found.get(part)}, anchored is {expected.get(part)}")


def _leaf(digest: bytes, size: int) -> _Node:
    return _Node(_RAW + digest, size, size)


def _root(nodes: list[_Node]) -> _Node:
    while len(nodes) > 1:
        nodes = [_parent(nodes[start : start + LINKS]) for start in range(0, len(nodes), LINKS)]
    return nodes[0]


def _parent(children: list[_Node]) -> _Node:
    """A dag-pb node of UnixFS: links first, then the sizes of the pieces of the file."""
    file_bytes = sum(child.file_bytes for child in children)
    sizes = b"".join(b"\x20" + _varint(child.file_bytes) for child in children)
    data = b"\x08\x02\x18" + _varint(file_bytes) + sizes
    block = b"".join(map(_link, children)) + _field(0x0A, data)
    tree_bytes = len(block) + sum(child.tree_bytes for child in children)
    return _Node(_DAG_PB + hashlib.sha256(block).digest(), file_bytes, tree_bytes)


def _link(child: _Node) -> bytes:
    return _field(0x12, _field(0x0A, child.cid) + b"\x12\x00\x18" + _varint(child.tree_bytes))


def _field(tag: int, value: bytes) -> bytes:
    return bytes([tag]) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def _text(node: _Node) -> str:
    return "b" + base64.b32encode(node.cid).decode("ascii").rstrip("=").lower()
