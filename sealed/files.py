"""Files that appear whole or not at all, their owner's alone."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def put_in_place(target: Path, *, new: bool = False) -> Iterator[Path]:
    """A path to write to; it becomes `target`, on disk, when nothing went wrong, and nothing stays otherwise.

    What must be `new` is never put over a file that is there.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
        flush(partial)
        if new:
            target.hardlink_to(partial)
        else:
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    flush(target.parent)


def flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
