"""A Fabric network for tests, by network.sh, and its two doors as one ledger to tell a story to."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from custody.door import Door
from custody.person import Person
from gateway.ledger import WRITES
from sealed.keys import PersonKey
from sealed.records import Record
from tests.verifier.forge import PEOPLE

ROOT = Path(__file__).resolve().parents[2]
SERVICES = {"aggregator": "1", "validator": "2"}  # the organisation whose door holds each


@dataclass
class Network:
    state: Path
    base: int = 17000
    doors: dict[tuple[str, str], Door] = field(default_factory=dict)
    closing: ExitStack = field(default_factory=ExitStack)

    def run(self, *arguments: str) -> str:
        done = self.attempt(*arguments)
        assert done.returncode == 0, f"network.sh {arguments[0]}: {done.stdout}{done.stderr}"
        return done.stdout

    def attempt(self, verb: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "fabric_network" / "network.sh"), verb, "--state", str(self.state), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, **environment}, check=False, timeout=120
        )

    @property
    def genesis(self) -> str:
        return (self.state / "genesis").read_text().strip()

    def port(self, node: str) -> int:
        """As native/ports.sh counts them."""
        kind, organisation = node.split(".org")
        return self.base + 100 * int(organisation) + {"peer0": 0, "door": 80, "chaincode": 50}[kind]

    def door(self, organisation: str, identity: str = "reader") -> Door:
        key = (organisation, identity)
        if key not in self.doors:
            url = f"http://127.0.0.1:{self.port(f'door.org{organisation}')}"
            self.doors[key] = self.closing.enter_context(Door(url, self.token(organisation, identity)))
        return self.doors[key]

    def token(self, organisation: str, identity: str = "reader") -> str:
        return (self.state / "nodes" / f"door.org{organisation}" / "identities" / f"{identity}.token").read_text()

    def kill(self, node: str) -> None:
        os.kill(int((self.state / "nodes" / node / "process").read_text().splitlines()[0]), signal.SIGKILL)

    def get(self, organisation: str, path: str) -> httpx2.Response:
        url = f"http://127.0.0.1:{self.port(f'door.org{organisation}')}{path}"
        return httpx2.get(url, headers={"authorization": f"Bearer {self.token(organisation)}"}, timeout=60)

    def post(self, organisation: str, path: str, body: dict[str, Any], **headers: str) -> httpx2.Response:
        url = f"http://127.0.0.1:{self.port(f'door.org{organisation}')}{path}"
        return httpx2.post(url, json=body, headers=headers, timeout=60)


@contextmanager
def up(state: Path, base: int, *options: str) -> Iterator[Network]:
    network = Network(state, base)
    try:
        network.run("up", "--base", str(base), *options)
        network.run("deploy")
        yield network
    finally:
        network.closing.close()
        network.attempt("down", "--erase")


@dataclass
class FabricLedger:
    """Services act at the door that holds them, people at their own organisation's."""

    network: Network
    people: dict[str, tuple[Door, Person]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.services = {name: self.network.door(n, name) for name, n in SERVICES.items()}
        for name, (msp, role) in PEOPLE.items():
            if name not in SERVICES:
                self.people[name] = self.enroll(name, msp.removeprefix("Org").removesuffix("MSP"), role)

    @property
    def genesis(self) -> str:
        return self.network.genesis

    def now_s(self) -> int:
        return int(time.time())

    def enroll(self, name: str, organisation: str, role: str) -> tuple[Door, Person]:
        code = self.network.run("code", organisation, role, name).strip()
        door = self.network.door(organisation)
        return door, door.enroll(code, PersonKey.generate(), name)

    def submit(self, who: str, function: str, *arguments: bytes) -> Record:
        if who in self.services:
            return self.services[who].submit(WRITES[function], arguments).result
        door, person = self.people[who]
        return door.act(person, function, arguments).result
