"""A whole consortium on this machine: ledger, gateway, validator and sites as real processes, with people who sign.

The demo, the sample and the fault tests run on it; nothing in it is a stand-in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from custody.client import Gateway
from custody.door import Door, DoorError
from custody.person import Person
from custody.processes import Process, ProcessFailed, all_stopped_at_the_end, answers, custody, free_port, run_custody
from sealed.keys import SealingKey

MODEL = "digits"
PEOPLE = {"anna": ("Org1MSP", "admin"), "olga": ("Org1MSP", "operator"), "paul": ("Org2MSP", "approver")}
POLL_S = 0.05
ROUND_SECONDS = 300


@dataclass
class Consortium:
    """Folders, ports and processes of one consortium under `root`."""

    root: Path
    sites: int = 2
    seed: int = 7
    processes: dict[str, Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self._ledger_port, self._gateway_port = free_port(), free_port()

    # --- where things are

    @property
    def door_url(self) -> str:
        return f"http://127.0.0.1:{self._ledger_port}"

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self._gateway_port}"

    @property
    def site_names(self) -> list[str]:
        return [f"site-{number}" for number in range(1, self.sites + 1)]

    def token_file(self, identity: str) -> Path:
        return self.root / "ledger" / "identities" / f"{identity}.token"

    def site_home(self, name: str) -> Path:
        return self.root / "sites" / name

    def person_file(self, name: str) -> Path:
        return self.root / "people" / f"{name}.pem"

    def api_key_file(self, role: str) -> Path:
        return self.root / "gateway" / f"{role}.key"

    @property
    def auditor_key(self) -> Path:
        return self.root / "auditor" / "sealing.pem"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def environment(self) -> dict[str, str]:
        """What a person would export in a shell, to use `custody` on this consortium."""
        return {
            "CUSTODY_DOOR": self.door_url,
            "CUSTODY_DOOR_TOKEN_FILE": str(self.token_file("reader")),
            "CUSTODY_GATEWAY": self.gateway_url,
            "CUSTODY_API_KEY_FILE": str(self.api_key_file("operator")),
        }

    # --- who talks to what

    @cached_property
    def door(self) -> Door:
        return Door(self.door_url, self.token_file("reader").read_text("ascii").strip())

    @cached_property
    def gateway(self) -> Gateway:
        return Gateway(self.gateway_url, self.api_key_file("operator").read_text("ascii").strip())

    def person(self, name: str) -> Person:
        return Person.load(self.person_file(name))

    def command(self, *arguments: str | Path, person: str = "") -> str:
        """Run `custody …` as someone at a terminal would."""
        signer = {"CUSTODY_PERSON": str(self.person_file(person))} if person else {}
        return run_custody(*arguments, environment={**self.environment, **signer})

    # --- processes

    @contextmanager
    def running(self) -> Iterator[None]:
        with all_stopped_at_the_end(self.processes), closed_at_the_end(self.__dict__, "door", "gateway"):
            yield

    def start(self, name: str) -> None:
        process = Process(name, self._command_of(name), self.root / "logs" / f"{name}.log", self._environment_of(name))
        self.processes[name] = process
        process.start()
        if port := {"ledger": self._ledger_port, "gateway": self._gateway_port}.get(name):
            process.wait_until(lambda: answers(port))

    def kill(self, name: str) -> None:
        self.processes.pop(name).kill()

    def until(self, what: str, done: Callable[[], Any], seconds: float = 120.0) -> Any:
        """Poll until `done` gives something; a process that died in the meantime is said at once."""
        deadline = time.monotonic() + seconds
        while not (answer := done()):
            for process in self.processes.values():
                process.check()
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{what}: not after {seconds:.0f} s; logs are in {self.root / 'logs'}")
            time.sleep(POLL_S)
        return answer

    def _command_of(self, name: str) -> list[str]:
        if name == "ledger":
            return custody(
                "ledger", "start", "--dir", self.root / "ledger", "--listen", f"127.0.0.1:{self._ledger_port}"
            )
        if name == "gateway":
            return custody("gateway", "serve")
        if name == "validator":
            return self._validator_command()
        return self._site_command(name)

    def _site_command(self, name: str) -> list[str]:
        home, data = self.site_home(name), self.data / name / "train.safetensors"
        return custody(
            "worker", "run", "--gateway", self.gateway_url, "--home", home, "--data", data, "--model-id", MODEL
        )

    def _validator_command(self) -> list[str]:
        return custody(
            "validator", "run", "--gateway", self.gateway_url, "--ledger", self.door_url,
            "--token-file", self.token_file("validator"), "--api-key-file", self.api_key_file("validator"),
            "--home", self.root / "validator", "--probe", self.data / "validator" / "probe.safetensors",
            "--test", self.data / "validator" / "test.safetensors",
        )  # fmt: skip

    def _environment_of(self, name: str) -> Mapping[str, str]:
        if name != "gateway":
            return {"OMP_NUM_THREADS": "1"}
        return self.gateway_environment

    @property
    def gateway_environment(self) -> dict[str, str]:
        home = self.root / "gateway"
        return {
            "LEDGER_URL": self.door_url,
            "LEDGER_TOKEN_FILE": str(self.token_file("aggregator")),
            "BLOBS": f"folder:{home / 'blobs'}",
            "DATABASE_URL": f"sqlite:///{home / 'gateway.db'}",
            "KEYS": str(home / "keys"),
            "LISTEN": f"127.0.0.1:{self._gateway_port}",
        }

    # --- setting up

    def prepare_data(self) -> None:
        run_custody("datasets", "prepare", "--dataset", "digits", "--num-clients", str(self.sites), "--split", "iid",
                    "--seed", str(self.seed), "--out", self.data)  # fmt: skip

    def enroll_people(self) -> None:
        for name, (msp, role) in PEOPLE.items():
            code = run_custody(
                "ledger", "code", name, "--msp", msp, "--role", role, "--dir", self.root / "ledger"
            ).strip()
            self.person_file(name).parent.mkdir(parents=True, exist_ok=True)
            self.command("keys", "enroll", name, "--code", code, "--out", self.person_file(name))

    def make_gateway_keys(self) -> None:
        run_custody("gateway", "keys", environment=self.gateway_environment)
        for role in ("operator", "validator"):
            key = run_custody(
                "gateway", "key", "add", f"demo-{role}", "--role", role, environment=self.gateway_environment
            )
            _write_secret(self.api_key_file(role), key.strip())

    def create_model(self) -> None:
        """The auditor's key goes into the model's record: whoever seals an update wraps its key for the auditor too."""
        self.auditor_key.parent.mkdir(parents=True, exist_ok=True)
        auditor = self.command("keys", "sealing", "--out", self.auditor_key).strip()
        validator = self.command("validator", "init", "--home", self.root / "validator").strip()
        aggregator = SealingKey.load(self.root / "gateway" / "keys" / "sealing.pem").public
        self.command("model", "create", MODEL, "--data", self.data, "--aggregator-key", aggregator,
                     "--validator-key", validator, "--auditor-key", auditor, person="anna")  # fmt: skip

    def admit_sites(self) -> None:
        for name in self.site_names:
            self.command("worker", "init", "--home", self.site_home(name), "--name", name, "--organisation", "Org1MSP",
                         "--model-id", MODEL, "--genesis", self.door.chain().genesis)  # fmt: skip
            request = self.site_home(name) / "participant.json"
            self.command("model", "admit", request, "--data", self.data, person="anna")

    def start_training(self, rounds: int, hyperparameters: Mapping[str, int | str]) -> None:
        self.gateway.start_training(MODEL, rounds, hyperparameters, round_seconds=ROUND_SECONDS)

    # --- what the ledger says

    def versions(self) -> list[dict[str, Any]]:
        """Every version with what the judge decided of it, from the ledger alone."""
        head = self.door.state(f"version/{MODEL}/head")["number"]
        return [self.version(number) for number in range(head + 1)]

    def version(self, number: int) -> dict[str, Any]:
        version = self.door.state(f"version/{MODEL}/{number}")["id"]
        return {"number": number, "id": version, **(self.state_or_none(f"decision/{version}") or {})}

    def decided(self, number: int) -> dict[str, Any] | None:
        known = self.state_or_none(f"version/{MODEL}/{number}")
        return self.version(number) if known and self.state_or_none(f"decision/{known['id']}") else None

    def pointer(self) -> dict[str, Any]:
        return self.door.state(f"pointer/{MODEL}/head")

    def live_number(self) -> int:
        return int(self.door.state(f"version/{self.pointer()['to']}")["record"]["number"])

    def acknowledged(self, seq: int) -> list[str]:
        """All sites, once each has said on the ledger what it now holds; nobody before that."""
        acks = [name for name in self.site_names if self.state_or_none(f"ack/{MODEL}/{seq}/{name}")]
        return acks if len(acks) == self.sites else []

    def state_or_none(self, key: str) -> dict[str, Any] | None:
        try:
            return self.door.state(key)
        except DoorError as error:
            if error.code != "NOT_FOUND":
                raise
            return None

    # --- evidence

    def pin_head(self, file: Path) -> None:
        self.command("export", MODEL, "--pin", file)

    def export(self, bundle: Path) -> None:
        public = SealingKey.load(self.auditor_key).public
        self.command("export", MODEL, "--with-updates", "--for", public, "-o", bundle)


@contextmanager
def closed_at_the_end(made: dict[str, Any], *names: str) -> Iterator[None]:
    """Clients that were made on the way (cached properties) are closed, and made again when asked for again."""
    try:
        yield
    finally:
        for name in names:
            if client := made.pop(name, None):
                client.close()


def _write_secret(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(0o600)
    file.write_text(text + "\n", "ascii")
