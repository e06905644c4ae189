from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway import app, pipeline, who
from gateway.settings import Settings, from_environment
from gateway.system import System
from sealed.keys import SealingKey, SigningKey
from tests.gateway.federation import (
    MODEL,
    Consortium,
    Site,
    Validator,
    answered,
    first_weights,
    gateway_environment,
    hand_in_genesis,
)
from tests.processes import LedgerProcess


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerProcess]:
    process = LedgerProcess(tmp_path / "ledger")
    process.start()
    yield process
    process.stop()


@pytest.fixture
def settings(tmp_path: Path, ledger: LedgerProcess) -> Settings:
    environment = gateway_environment(tmp_path / "gateway", ledger, "127.0.0.1:7090")
    settings = from_environment(environment)
    settings.keys.mkdir(parents=True)
    SealingKey.generate().save(settings.keys / "sealing.pem")
    SigningKey.generate().save(settings.keys / "receipt.pem")
    return settings


@dataclass
class Clock:
    ahead_s: int = 0

    def now(self) -> int:
        return int(time.time()) + self.ahead_s


@dataclass
class World:
    """A gateway in this process whose parts are run by hand, all but the index, which follows the ledger by itself."""

    consortium: Consortium
    system: System
    http: TestClient
    clock: Clock
    operator_key: str
    validator: Validator
    sites: list[Site] = field(default_factory=list)

    @property
    def operator(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.operator_key}"}

    def key(self, role: str) -> dict[str, str]:
        key = who.add_key(self.system.database, f"a-{role}", role, f"secret of a {role}", 0)
        return {"authorization": f"Bearer {key}"}

    def create_model(self, **policy: object) -> str:
        aggregator = self.system.sealing.public
        sealed = self.consortium.sealed_genesis(first_weights())
        publics = [aggregator, self.consortium.validator_key.public, self.consortium.auditor.public]
        hand_in_genesis(self.http, self.operator_key, sealed, publics)
        return self.consortium.create_model(aggregator, sealed, **policy)

    def admit(self, *names: str) -> list[Site]:
        for name in names:
            site = Site(name, self.consortium.genesis)
            self.consortium.admit(site)
            self.sites.append(site)
        self.index()
        for site in self.sites[-len(names) :]:
            site.join(self.http)
        return self.sites[-len(names) :]

    def start(self, rounds: int, **wish: object) -> None:
        body = {"rounds": rounds, "round_seconds": 600, **wish}
        response = self.http.post(f"/api/v1/models/{MODEL}/training", json=body, headers=self.operator)
        assert response.status_code == 201, response.text

    def training(self) -> dict[str, Any]:
        return answered(self.http.get(f"/api/v1/models/{MODEL}/training", headers=self.operator))

    def versions_on_the_ledger(self) -> int:
        number: int = self.consortium.reader.state(f"version/{MODEL}/head")["number"]
        return number

    def index(self) -> None:
        assert self.system.projection.reaches(self.system.ledger.chain().height, 10)

    def drive(self) -> None:
        self.index()
        pipeline.drive(self.system, MODEL, threading.Event())

    def settle(self, *idle: Site) -> None:
        """Everybody does what they are asked until nobody is asked for anything any more."""
        self.settle_until(lambda: False, *idle)

    def settle_until(self, done: Callable[[], bool], *idle: Site) -> None:
        busy = True
        while busy:
            self.drive()
            if done():
                return
            worked = [site.work(self.http) for site in self.sites if site not in idle]
            busy = self.validator.work(self.http) or any(worked)
            self.index()


@pytest.fixture
def world(settings: Settings, ledger: LedgerProcess) -> Iterator[World]:
    with ExitStack() as stack:
        clock = Clock()
        system = replace(stack.enter_context(app.opened(settings)), now=clock.now)
        threads = app.background(system, lambda: None, ("projection", "anchoring"))
        threads.start()
        stack.callback(threads.stop)
        http = stack.enter_context(TestClient(app.web(system, threads)))
        consortium = stack.enter_context(closing(Consortium(ledger)))
        operator, validator = (
            who.add_key(system.database, role, role, f"the secret of {role}", 0) for role in ("operator", "validator")
        )
        yield World(consortium, system, http, clock, operator, Validator(consortium, validator, {}))
        assert not threads.failed
