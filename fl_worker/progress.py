"""How far a training is: a bar that redraws itself on a terminal, plain lines otherwise."""

import sys
import time
from typing import TextIO

WIDTH = 24
REDRAW_S = 0.1
PLAIN_S = 15.0


class TrainingProgress:
    """Called after every batch; draws seldom enough to cost nothing."""

    def __init__(self, title: str, stream: TextIO | None = None) -> None:
        self._title = title
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()
        self._drawn_at = time.monotonic()

    def __call__(self, epoch: int, epochs: int, batch: int, batches: int, loss: float) -> None:
        ended = batch == batches
        if not ended and time.monotonic() - self._drawn_at < (REDRAW_S if self._terminal else PLAIN_S):
            return
        self._drawn_at = time.monotonic()
        where = f"{self._title}: epoch {epoch}/{epochs}"
        if self._terminal:
            done = WIDTH * batch // batches
            bar = "━" * done + "─" * (WIDTH - done)
            print(f"\r{where} {bar} loss {loss:.4f}", end="\n" if ended else "", file=self._stream)
        else:
            print(f"{where}, batch {batch}/{batches}, loss {loss:.4f}", file=self._stream)
        self._stream.flush()
