"""The real embedded ledger as a process, for stories: services by their tokens, people by their own keys."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from custody.door import Committed, Door, DoorError
from custody.person import Person
from gateway.ledger import WRITES
from sealed.keys import PersonKey
from sealed.records import Record
from tests.verifier.forge import PEOPLE

SERVICES = ("aggregator", "validator")


@dataclass
class RealLedger:
    program: str
    folder: Path
    url: str
    genesis: str

    def __post_init__(self) -> None:
        tokens = {name: (self.folder / "identities" / f"{name}.token").read_text() for name in (*SERVICES, "reader")}
        self.doors = {name: Door(self.url, token.strip()) for name, token in tokens.items()}
        self.http = httpx2.Client(timeout=30)
        self.people = {name: self.enroll(name, *PEOPLE[name]) for name in PEOPLE if name not in SERVICES}

    @property
    def log(self) -> Path:
        return self.folder / "blocks.log"

    def now_s(self) -> int:
        return int(time.time())

    def enroll(self, name: str, msp: str, role: str) -> Person:
        command = [self.program, "code", "--dir", str(self.folder), "--msp", msp, "--role", role, "--name", name]
        code = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        return self.doors["reader"].enroll(code, PersonKey.generate(), name)

    def submit(self, who: str, function: str, *arguments: bytes) -> Record:
        return self.commit(who, function, *arguments).result

    def commit(self, who: str, function: str, *arguments: bytes) -> Committed:
        if who in SERVICES:
            return self.serve(who, function, arguments)
        return self.doors["reader"].act(self.people[who], function, arguments)

    def serve(self, who: str, function: str, arguments: tuple[bytes, ...]) -> Committed:
        """Without an Idempotency-Key: a refusal of before would be told again, whatever has changed since."""
        token = (self.folder / "identities" / f"{who}.token").read_text().strip()
        answer = self.http.post(
            f"{self.url}/api/v1{WRITES[function]}",
            json={"arguments": [argument.decode() for argument in arguments]},
            headers={"authorization": f"Bearer {token}"},
        )
        said = answer.json()
        if not answer.is_success:
            raise DoorError(said["code"], said["detail"])
        return Committed(said["txid"], said["block"], said["result"])


@contextmanager
def serving(program: str, folder: Path) -> Iterator[RealLedger]:
    command = [program, "serve", "--dir", str(folder), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            ready = json.loads(process.stdout.readline())
            ledger = RealLedger(program, folder, ready["url"], ready["genesis"])
            with ExitStack() as doors:
                doors.enter_context(ledger.http)
                for door in ledger.doors.values():
                    doors.enter_context(door)
                yield ledger
        finally:
            process.terminate()
