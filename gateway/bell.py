"""Something may have changed: threads and long polls wait for it here, and then look for themselves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable


class Bell:
    """Counts its rings. Whoever waits says how many it has heard, so that no ring falls between looking and waiting."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rings = 0
        self._listeners: set[Callable[[], None]] = set()

    @property
    def rings(self) -> int:
        return self._rings

    def ring(self) -> None:
        with self._changed:
            self._rings += 1
            self._changed.notify_all()
            for listener in self._listeners:
                listener()

    def wait(self, heard: int, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._rings != heard, timeout_s)

    async def wait_async(self, heard: int, timeout_s: float) -> None:
        loop, rung = asyncio.get_running_loop(), asyncio.Event()

        def listener() -> None:
            loop.call_soon_threadsafe(rung.set)

        with self._changed:
            if self._rings != heard:
                return
            self._listeners.add(listener)
        try:
            async with asyncio.timeout(timeout_s):
                await rung.wait()
        except TimeoutError:
            return
        finally:
            with self._changed:
                self._listeners.discard(listener)
