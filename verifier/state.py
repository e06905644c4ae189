"""The ledger's state as the blocks alone build it: every key's newest value, and the transaction that wrote it."""

from collections.abc import Iterable, Mapping

from verifier.blocks import Position, Read
from verifier.report import Broken, Place

LIMIT = 16 * 1024 * 1024


class State:
    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._writers: dict[str, Position] = {}

    def get(self, key: str) -> bytes | None:
        return self._values.get(key)

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self._values if key.startswith(prefix))

    def apply(self, writes: Mapping[str, bytes], at: Position) -> None:
        self._values.update(writes)
        self._writers.update(dict.fromkeys(writes, at))

    def check_reads(self, reads: Iterable[Read]) -> None:
        """A read names the transaction that wrote what was read; any other says that the history differs."""
        for read in reads:
            written = self._writers.get(read.key)
            if read.version != written:
                raise Broken(f"read as written at {read.version}, and written at {written}", Place(key=read.key))
