"""Change one byte of a bundle, in the middle of one of its blocks; the archive itself stays whole."""

from __future__ import annotations

import zipfile
from pathlib import Path


def one_byte_changed(bundle: Path, changed: Path) -> str:
    """Copy `bundle` with one byte flipped in its middle block; returns the name of that file in it."""
    with zipfile.ZipFile(bundle) as source, zipfile.ZipFile(changed, "w") as copy:
        blocks = sorted(name for name in source.namelist() if name.startswith("blocks/"))
        target = blocks[len(blocks) // 2]
        for entry in source.infolist():
            content = source.read(entry)
            copy.writestr(entry, _flipped(content) if entry.filename == target else content)
    return target


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
