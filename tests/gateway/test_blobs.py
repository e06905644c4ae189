"""One suite, every store: what `gateway.blobs.Blobs` promises."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.blobs import PIECE, BlobDamaged, BlobMissing, Blobs, BlobTooLarge, WrongAddress, in_pieces, read
from gateway.blobs.folder import FolderBlobs

LIMIT = 4 * PIECE
STORES: dict[str, Callable[[Path], Blobs]] = {"folder": lambda path: FolderBlobs(path, LIMIT)}


@pytest.fixture(params=STORES)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return STORES[request.param](tmp_path / "blobs")


def address(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def put(blobs: Blobs, data: bytes) -> str:
    blobs.put(address(data), in_pieces(data))
    return address(data)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_what_goes_in_comes_out(blobs: Blobs, size: int) -> None:
    data = bytes(size)
    assert read(blobs, put(blobs, data)) == data
    assert blobs.stat(address(data)).size == size


def test_the_second_put_says_that_it_was_here(blobs: Blobs) -> None:
    assert blobs.put(address(b"a"), [b"a"])
    assert not blobs.put(address(b"a"), [b"a"])


def test_other_bytes_than_the_name_says_are_not_stored(blobs: Blobs) -> None:
    with pytest.raises(WrongAddress):
        blobs.put(address(b"a"), [b"b"])
    assert not blobs.has(address(b"a"))


def test_other_bytes_are_refused_even_when_the_right_ones_are_here(blobs: Blobs) -> None:
    put(blobs, b"a")
    with pytest.raises(WrongAddress):
        blobs.put(address(b"a"), [b"b"])
    assert read(blobs, address(b"a")) == b"a"


def test_too_large_is_refused_before_all_of_it_arrived(blobs: Blobs) -> None:
    def endless() -> object:
        while True:
            yield bytes(PIECE)

    with pytest.raises(BlobTooLarge):
        blobs.put(address(b""), endless())  # type: ignore[arg-type]


def test_a_sender_that_breaks_off_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    def broken() -> object:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        blobs.put(address(b"half and half"), broken())  # type: ignore[arg-type]
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_what_is_not_here_is_missing(blobs: Blobs) -> None:
    absent = address(b"absent")
    assert not blobs.has(absent)
    for ask in (blobs.get, blobs.stat, blobs.pin):
        with pytest.raises(BlobMissing):
            ask(absent)


def test_pins_are_kept_and_taken_off(blobs: Blobs) -> None:
    sha256 = put(blobs, b"a")
    assert not blobs.stat(sha256).pinned
    blobs.pin(sha256)
    blobs.pin(sha256)
    assert blobs.stat(sha256).pinned
    blobs.unpin(sha256)
    assert not blobs.stat(sha256).pinned


@pytest.mark.parametrize("size", [1, PIECE, 2 * PIECE + 5])
def test_a_damaged_file_never_comes_out_whole(tmp_path: Path, size: int) -> None:
    blobs = FolderBlobs(tmp_path, LIMIT)
    sha256 = put(blobs, bytes(size))
    (tmp_path / sha256[:2] / sha256).write_bytes(b"x" + bytes(size - 1))
    given: list[bytes] = []
    with pytest.raises(BlobDamaged):
        given.extend(blobs.get(sha256))
    assert sum(map(len, given)) < size
