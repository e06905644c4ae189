"""Real processes for tests: the Go ledger, built once a session, and a gateway that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).resolve().parent.parent
READY_S = 60.0


@cache
def ledger_binary() -> Path:
    """Built from what lies in the checkout now; Go's own cache makes the second time quick."""
    built = ROOT / "build" / "tests" / f"custody-ledger-{os.getpid()}"
    command = ["go", "build", "-o", str(built), "./fabric_network/rest/embedded/cmd/custody-ledger"]
    subprocess.run(command, cwd=ROOT, check=True)
    return built


class LedgerProcess:
    """The embedded ledger on a free port. Stopped and started again, it keeps its port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = folder.with_suffix(".log")
        self._listen = "127.0.0.1:0"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.genesis = ""

    def start(self) -> None:
        command: list[str | Path] = [ledger_binary(), "serve", "--dir", self.folder, "--listen", self._listen]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the ledger did not start; its log ends:\n{self._log.read_text()[-2000:]}")
        said: dict[str, Any] = json.loads(line)
        self.url, self.genesis = said["url"], said["genesis"]
        self._listen = self.url.removeprefix("http://")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def token(self, identity: str) -> str:
        return self.token_file(identity).read_text("ascii").strip()

    def token_file(self, identity: str) -> Path:
        return self.folder / "identities" / f"{identity}.token"

    def code(self, name: str, msp: str, role: str) -> str:
        command: list[str | Path] = [
            ledger_binary(),
            "code",
            "--dir",
            self.folder,
            "--msp",
            msp,
            "--role",
            role,
            "--name",
            name,
        ]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def _end(self, by: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(by)
            self._process.wait(30)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


class GatewayProcess:
    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = {**os.environ, **environment, "PYTHONWARNINGS": "error"}
        self._log = log
        self.url = f"http://{environment['LISTEN']}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "serve"], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while not self._answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the gateway did not get ready; its log ends:\n{self._log.read_text()[-4000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def _end(self, by: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(by)
        status = self._process.wait(60)
        self._process = None
        return status

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/ready", timeout=5).is_success
        except httpx2.TransportError:
            return False
