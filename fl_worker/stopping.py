"""Ending a long-running process when someone asks it to, with Ctrl-C or SIGTERM: at once, and without a traceback."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

INTERRUPTED = 130


class Stopped(BaseException):
    """Not an error: nothing that catches errors may hold it up."""


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    previous = signal.signal(signal.SIGTERM, raise_stopped)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def raise_stopped(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped
