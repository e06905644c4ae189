"""A bundle's zip, read where it lies and in one way only: nothing is unpacked, nothing lies between what is listed.

Entries are stored, not compressed: no bomb, the same bytes from the same evidence on every machine, and no two
readers that see different files in one zip.
"""

import re
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
LOCAL_HEADER, DIRECTORY_ENTRY, DIRECTORY_END, ZIP64_END = 30, 46, 22, 76
ENCRYPTED = 0x1


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
        for entry in sorted(self._listed, key=lambda entry: entry.header_offset):
            if entry.header_offset != end:
                raise Broken("overlaps, or bytes lie before it", Place(file=entry.filename))
            end += LOCAL_HEADER + len(entry.filename) + self._local_extra(entry) + entry.file_size
        directory = sum(DIRECTORY_ENTRY + len(entry.filename) + len(entry.extra) for entry in self._listed)
        tail = self.path.stat().st_size - end - directory
        if self._zip.start_dir != end or tail not in {DIRECTORY_END, ZIP64_END + DIRECTORY_END}:
            raise Broken("bytes lie around the directory of the zip", Place(file=self.path.name))

    def _local_extra(self, entry: zipfile.ZipInfo) -> int:
        with self.path.open("rb") as file:
            file.seek(entry.header_offset + LOCAL_HEADER - 2)
            return int.from_bytes(file.read(2), "little")

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
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        raise Broken("is compressed; a bundle stores", place)
    if entry.flag_bits & ENCRYPTED:
        raise Broken("is encrypted", place)


def check_once(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Broken("is there twice", Place(file=name))
        seen.add(name)
