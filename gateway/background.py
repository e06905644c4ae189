"""The threads that work while nobody asks. When one of them fails, the process must not go on as if it had not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

Part = Callable[[threading.Event], None]
STOP_S = 30.0


class Background:
    def __init__(self, parts: Mapping[str, Part], on_failure: Callable[[], None], wake: Callable[[], None]) -> None:
        self.failed = ""
        self._on_failure = on_failure
        self._wake = wake
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=part, name=part[0], daemon=True) for part in parts.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Daemon threads: what does not end in time ends with the process, and that is as good as kill -9."""
        self._stop.set()
        self._wake()
        for thread in self._threads:
            thread.join(STOP_S)

    def _run(self, name: str, part: Part) -> None:
        try:
            part(self._stop)
        except Exception:
            self.failed = name
            log.critical("%s has failed; this gateway stops", name, exc_info=True)
            self._on_failure()
            raise
