"""A federation's processes on this machine: each started, waited for, and stopped again, whatever happens."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

READY_S = 60.0
STOP_S = 8.0
POLL_S = 0.05
PR_SET_PDEATHSIG = 1


class ProcessFailed(Exception):
    """A process ended or did not get ready; the text quotes the end of its log."""


@dataclass
class Process:
    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    _running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  (one thread starts all)
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float = READY_S) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.name} was not ready after {seconds:.0f} s; its log ends:\n{self.tail()}")
            time.sleep(POLL_S)

    def check(self) -> None:
        if self._running is not None and (status := self._running.poll()) is not None:
            raise ProcessFailed(f"{self.name} ended with status {status}; its log ends:\n{self.tail()}")

    def kill(self) -> None:
        """As a power cut would."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()

    def terminate(self) -> None:
        if self._running is not None and self._running.poll() is None:
            self._running.terminate()

    def finish(self) -> None:
        """Wait for a terminated process, and lose patience after a while."""
        if self._running is None:
            return
        try:
            self._running.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def pid(self) -> int:
        return self._running.pid if self._running is not None else 0

    def tail(self, lines: int = 15) -> str:
        if not self.log.exists():
            return "(nothing was logged)"
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])


def _die_with_parent() -> None:
    """A child outlives no demo, not even one that was killed: the kernel sends it SIGTERM."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@contextlib.contextmanager
def all_stopped_at_the_end(processes: Mapping[str, Process]) -> Iterator[None]:
    """Whatever happens inside (an error, Ctrl-C, SIGTERM), nothing of `processes` runs afterwards."""
    previous = signal.signal(signal.SIGTERM, _as_keyboard_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
        for process in reversed(list(processes.values())):
            process.terminate()
        for process in reversed(list(processes.values())):
            process.finish()


def _as_keyboard_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def answers(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1.0)
        return client.connect_ex(("127.0.0.1", port)) == 0


def custody(*arguments: str | Path) -> list[str]:
    """A `custody` command line for this very Python."""
    return [sys.executable, "-m", "custody", *map(str, arguments)]


def run_custody(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and return what it printed; an error carries what it said."""
    done = subprocess.run(
        custody(*arguments), check=False, capture_output=True, text=True, env={**os.environ, **(environment or {})}
    )
    if done.returncode != 0:
        raise ProcessFailed(f"custody {arguments[0]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def write_json(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
