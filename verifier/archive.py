"""A bundle's zip, read where it lies and in one way only: nothing is unpacked, nothing lies between what is listed.

Entries are stored, not compressed: no bomb, the same bytes from the same evidence on every machine, and no two
readers that see different files in one zip.
"""

import re
import struct
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from verifier.report import Broken, Place

NAMES = re.compile(
    r"manifest\.json|manifest\.dsse\.json|README\.txt|blocks/[0-9]{8}\.block|records/[0-9]{8}-[0-9]{8}-[0-9]{4}\.json"
    r"|blobs/[0-9a-f]{64}|wraps/[0-9a-f]{64}\.json",
    re.ASCII,
)
SMALL = 64 * 1024 * 1024  # the largest file that is read into memory whole; blobs are not
CHUNK = 1024 * 1024
DIRECTORY_ENTRY, DIRECTORY_END, ZIP64_END = 46, 22, 76
ZIP64_FROM = (1 << 31) - 1
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
FIXED_DATE_FIELD = 0x21  # 1980-01-01, as a zip writes it
FIXED = {
    "compress_type": zipfile.ZIP_STORED, "date_time": FIXED_TIME, "create_system": 3, "flag_bits": 0, "reserved": 0,
    "volume": 0, "internal_attr": 0, "external_attr": 0o100644 << 16, "comment": b"",
}  # fmt: skip


class NotAnArchive(ValueError):
    """Nothing that could be read as a zip: there is no evidence to judge."""


class Archive:
    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise NotAnArchive(f"{path}: {error}") from error
        self._listed = self._zip.infolist()
        self._entries = {entry.filename: entry for entry in self._listed}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @property
    def names(self) -> set[str]:
        return set(self._entries)

    def check_form(self) -> None:
        for entry in self._listed:
            check_entry(entry)
        check_once(entry.filename for entry in self._listed)
        self._check_layout()

    def _check_layout(self) -> None:
        end = 0
        for entry in self._listed:
            if entry.header_offset != end:
                raise Broken("overlaps, or bytes lie before it", Place(file=entry.filename))
            end += self._check_local_header(entry) + entry.file_size
        directory = sum(DIRECTORY_ENTRY + len(entry.filename) + len(entry.extra) for entry in self._listed)
        tail = self.path.stat().st_size - end - directory
        if self._zip.start_dir != end or tail not in {DIRECTORY_END, ZIP64_END + DIRECTORY_END}:
            raise Broken("bytes lie around the directory of the zip", Place(file=self.path.name))
        self._check_directory_end(directory)

    def _check_local_header(self, entry: zipfile.ZipInfo) -> int:
        """Each entry is described twice; a reader that believes the other description must see the same file."""
        size = entry.file_size
        extra = struct.pack("<HHQQ", 1, 16, size, size) if size * 1.05 > ZIP64_FROM else b""
        expected = struct.pack(
            "<4s5H3L2H", b"PK\3\4", 45 if extra else 20, 0, 0, 0, FIXED_DATE_FIELD, entry.CRC,
            *((0xFFFFFFFF, 0xFFFFFFFF) if extra else (size, size)), len(entry.filename), len(extra),
        )  # fmt: skip
        expected += entry.filename.encode() + extra
        if self._bytes(entry.header_offset, len(expected)) != expected:
            raise Broken("is described in two ways", Place(file=entry.filename))
        return len(expected)

    def _check_directory_end(self, directory: int) -> None:
        count, most = min(len(self._listed), 0xFFFF), 0xFFFFFFFF
        sizes = min(directory, most), min(self._zip.start_dir, most)
        expected = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, *sizes, 0)
        if self._bytes(self.path.stat().st_size - DIRECTORY_END, DIRECTORY_END) != expected:
            raise Broken("its directory is described in two ways", Place(file=self.path.name))

    def _bytes(self, start: int, size: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(size)

    def read(self, name: str, limit: int = SMALL) -> bytes:
        size = self.size(name)
        if size > limit:
            raise Broken(f"{size} bytes are over the limit of {limit}", Place(file=name))
        return b"".join(self.chunks(name))

    def size(self, name: str) -> int:
        if name not in self._entries:
            raise Broken("is missing", Place(file=name))
        return self._entries[name].file_size

    def chunks(self, name: str) -> Iterator[bytes]:
        try:
            with self._zip.open(self._entries[name]) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise Broken(f"unreadable: {error}", Place(file=name)) from error


def check_entry(entry: zipfile.ZipInfo) -> None:
    place = Place(file=entry.filename)
    if not NAMES.fullmatch(entry.filename) or entry.orig_filename != entry.filename:
        raise Broken("has no place in a bundle", place)
    if entry.compress_size != entry.file_size:
        raise Broken("is compressed; a bundle stores", place)
    version = 45 if entry.extra else 20
    for name, value in {**FIXED, "create_version": version, "extract_version": version}.items():
        if getattr(entry, name) != value:
            raise Broken(f"has {name} {getattr(entry, name)!r}; in a bundle it is {value!r}", place)


def check_once(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Broken("is there twice", Place(file=name))
        seen.add(name)
