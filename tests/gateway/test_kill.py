"""The gateway as a process of its own, killed with -9 while everybody works, ends where it would have."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from custody.processes import free_port
from gateway import who
from gateway.database import Database
from sealed.keys import SealingKey, SigningKey
from tests.gateway.federation import (
    MODEL,
    Consortium,
    Http,
    Site,
    Validator,
    answered,
    expected_weights,
    first_weights,
    gateway_environment,
    hand_in_genesis,
)
from tests.processes import GatewayProcess, LedgerProcess

PATIENCE_S = 120.0
IMPATIENT = {"TASK_LEASE_S": "2", "PIPELINE_LEASE_S": "1"}


@dataclass
class Running:
    """A gateway process, and sites and a validator that work whenever it answers."""

    gateway: GatewayProcess
    http: httpx2.Client
    consortium: Consortium
    operator: dict[str, str]
    sites: list[Site] = field(default_factory=list)

    def training(self) -> dict[str, Any]:
        return answered(self.http.get(f"/api/v1/models/{MODEL}/training", headers=self.operator))

    def has_ended(self) -> bool:
        return bool(self.training()["state"] == "ended")

    def start(self, rounds: int) -> None:
        wish = {"rounds": rounds, "round_seconds": 600}
        answered(self.http.post(f"/api/v1/models/{MODEL}/training", json=wish, headers=self.operator))

    def kill(self) -> None:
        self.gateway.kill()
        self.gateway.start()
        self.gateway.wait_until_ready()

    def until(self, done: Callable[[], bool], waits_s: Iterable[float]) -> None:
        """Kill and start again after each of these waits, and then wait until `done`."""
        for wait_s in waits_s:
            time.sleep(wait_s)
            self.kill()
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def acknowledged(self, seq: int) -> bool:
        events = self.consortium.reader.events()
        acks = {key for event in events for key in event["payload"]["writes"] if key.startswith(f"ack/{MODEL}/{seq}/")}
        return len(acks) == len(self.sites)


def keep_working(who_works: Site | Validator, http: Http, stop: threading.Event) -> None:
    """As a worker does: whatever goes wrong on the way, come back and ask again."""
    while not stop.is_set():
        try:
            if isinstance(who_works, Site):
                who_works.join(http)
            while not stop.is_set():
                who_works.work(http, 1)
        except (httpx2.TransportError, AssertionError):
            stop.wait(0.1)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with ExitStack() as stack:
        ledger = LedgerProcess(tmp_path / "ledger")
        ledger.start()
        stack.callback(ledger.stop)
        environment = gateway_environment(tmp_path / "gateway", ledger, f"127.0.0.1:{free_port()}")
        keys = Path(environment["KEYS"])
        keys.mkdir(parents=True)
        aggregator = SealingKey.generate()
        aggregator.save(keys / "sealing.pem")
        SigningKey.generate().save(keys / "receipt.pem")
        operator, validator_key = api_keys(environment["DATABASE_URL"])
        gateway = GatewayProcess({**environment, **IMPATIENT}, tmp_path / "gateway.log")
        gateway.start()
        gateway.wait_until_ready()
        stack.callback(gateway.stop)
        http = stack.enter_context(httpx2.Client(base_url=gateway.url, timeout=70))
        consortium = stack.enter_context(closing(Consortium(ledger)))
        running = Running(gateway, http, consortium, {"authorization": f"Bearer {operator}"})
        sealed = consortium.sealed_genesis(first_weights())
        hand_in_genesis(http, operator, sealed, [aggregator.public, consortium.validator_key.public])
        consortium.create_model(aggregator.public, sealed)
        running.sites = [Site(name, ledger.genesis) for name in ("site-a", "site-b")]
        for site in running.sites:
            consortium.admit(site)
        stack.enter_context(everybody_at_work(running, Validator(consortium, validator_key, {})))
        yield running


def api_keys(database_url: str) -> list[str]:
    with closing(Database(database_url)) as database:
        database.migrate()
        return [who.add_key(database, role, role, f"the secret of {role}", 0) for role in ("operator", "validator")]


def everybody_at_work(running: Running, validator: Validator) -> ExitStack:
    stop, stack = threading.Event(), ExitStack()
    for worker in (*running.sites, validator):
        thread = threading.Thread(target=keep_working, args=(worker, running.http, stop), daemon=True)
        thread.start()
        stack.callback(thread.join, 75)
    stack.callback(stop.set)
    return stack


def test_killed_over_and_over_a_run_a_rollback_and_a_round_end_as_they_would_have(running: Running) -> None:
    chance = random.Random(7)
    running.start(3)
    running.until(running.has_ended, [chance.uniform(0, 1.5) for _ in range(5)])
    assert running.consortium.live()["weights"] == expected_weights([1, 2, 3], ["site-a", "site-b"])

    second = running.consortium.reader.state(f"version/{MODEL}/2")["id"]
    request, execution = running.consortium.ask_rollback(second, "olga", int(time.time()) + 7200)
    running.consortium.approve_rollback(request, "paul")
    seq = running.consortium.act("olga", "RollbackModel", execution).result["seq"]
    running.until(lambda: running.acknowledged(seq), [chance.uniform(0, 0.5)])

    running.start(1)
    running.until(running.has_ended, [chance.uniform(0, 0.5)])
    assert running.consortium.live()["weights"] == expected_weights([1, 2, 4], ["site-a", "site-b"])
    assert running.consortium.live()["number"] == 4


def test_a_gateway_that_is_told_to_stop_stops(running: Running) -> None:
    assert running.gateway.stop() == 0
