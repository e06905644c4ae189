"""A validator: what it scores, what it puts its name to, and on which sets it refuses to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from fl_worker.client import ApiKey, Connection, Gateway
from fl_worker.data import DataError, file_sha256
from fl_worker.datasets import main as datasets
from fl_worker.door import Door
from fl_worker.faults import fault
from fl_worker.model import build, initial_weights
from fl_worker.scoring import score_weights
from fl_worker.site import Site
from fl_worker.train import Hyperparameters, settle, train
from fl_worker.validate import main as validator_command
from fl_worker.validator import Validator, read_set, scored
from sealed import tensors
from sealed.keys import SealingKey
from sealed.records import check, parse, record_id
from sealed.tensors import Tensors, weights_hash
from tests.worker.small_gateway import GENESIS, MODEL, SmallGateway, free_port, serving

settle()

ARCHITECTURE = {"name": "mlp-64-64-10"}


@dataclass
class LedgerDoor:
    """The door's answers, for a ledger on which a model and its two sets are registered."""

    states: dict[str, Any]
    unknown_outcomes: int = 0
    submitted: list[tuple[str, str]] = field(default_factory=list)  # idempotency key and record

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/api/v1")
        if path.startswith("/state/"):
            state = self.states.get(path.removeprefix("/state/"))
            return httpx2.Response(200, json={"block": 1, "result": state}) if state else httpx2.Response(404)
        assert request.headers["authorization"] == "Bearer the-validator"
        (record,) = json.loads(request.content)["arguments"]
        self.submitted.append((request.headers["idempotency-key"], record))
        if len(self.submitted) <= self.unknown_outcomes:
            return httpx2.Response(202, json={"txid": "ab", "code": "UNKNOWN"})
        return httpx2.Response(200, json={"txid": "ab", "block": 9, "result": {"decision": "promote"}})


@dataclass
class Desk:
    """A validator with everything it talks to."""

    validator: Validator
    gateway: SmallGateway
    door: LedgerDoor
    data: Path
    lines: list[str]

    def validates(self, step: dict[str, str], steps: list[dict[str, str]], purpose: str) -> None:
        self.gateway.tasks.clear()
        self.gateway.offer("VALIDATE", {"version": step["record"], "steps": steps, "purpose": purpose})
        task = self.validator.gateway.next_task()
        assert task is not None
        self.validator.carry_out(task)


def registered(data: Path) -> dict[str, Any]:
    sets = {kind: file_sha256(data / "validator" / f"{kind}.safetensors") for kind in ("probe", "test")}
    states: dict[str, Any] = {
        f"model/{MODEL}": {"record": {"architecture": ARCHITECTURE}},
        f"policy/{MODEL}/head": {"number": 1},
        f"policy/{MODEL}/1": {"record": {"policy": sets}},
    }
    for kind, sha256 in sets.items():
        states[f"dataset/{MODEL}/{sha256}"] = {"record": {"kind": kind, "sha256": sha256, "version": "2026-01"}}
    return states


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("digits")
    datasets(["prepare", "--out", str(out)])
    return out


@contextmanager
def desk_with(data: Path, door: LedgerDoor) -> Iterator[Desk]:
    key, lines = SealingKey.generate(), list[str]()
    with serving(SmallGateway(free_port(), {"validator": {"x25519": key.public}})) as gateway:
        http = httpx2.Client(transport=httpx2.MockTransport(door.answer))
        ledger, wire = Connection("http://door", http), Connection(gateway.url, give_up_s=5)
        with ledger, wire:
            site, folder = Site(), data / "validator"
            sets = {kind: read_set(kind, folder / f"{kind}.safetensors", site) for kind in ("probe", "test")}
            asked = Gateway(wire, ApiKey("ck_validator"), GENESIS)
            validator = Validator(asked, Door(ledger, "the-validator"), key, GENESIS, site, sets, tell=lines.append)
            yield Desk(validator, gateway, door, data, lines)


@pytest.fixture
def desk(data: Path) -> Iterator[Desk]:
    with desk_with(data, LedgerDoor(registered(data))) as made:
        yield made


def learned(data: Path, wish: str = "") -> Tensors:
    examples = fault(wish).examples(Site().data(data / "site-1" / "train.safetensors"))
    start = initial_weights(ARCHITECTURE, 1)
    return train(build(ARCHITECTURE), start, examples, Hyperparameters(local_epochs=30), 1).weights


def test_a_version_is_scored_and_recorded_under_its_own_id(desk: Desk) -> None:
    weights = learned(desk.data)
    start = initial_weights(ARCHITECTURE, 1)
    genesis = desk.gateway.add_version(start)
    step = desk.gateway.add_version(weights, (genesis["version_id"], start), 1)
    desk.validates(step, [genesis, step], "probe")
    ((idempotency_key, text),) = desk.door.submitted
    record = parse(text)
    check(record)
    assert idempotency_key == record_id(text.encode())
    assert (record["version"], record["purpose"]) == (step["version_id"], "probe")
    assert record["dataset"] == {"sha256": desk.validator.sets["probe"].sha256, "version": "2026-01"}
    assert record["metrics"] == score_weights(build(ARCHITECTURE), weights, desk.validator.sets["probe"].examples)
    assert "block 9; the ledger decides: promote" in desk.lines[-1]


def test_scoring_twice_makes_the_same_record(desk: Desk) -> None:
    genesis = desk.gateway.add_version(initial_weights(ARCHITECTURE, 1))
    for _ in range(2):
        desk.validates(genesis, [genesis], "test")
    assert desk.door.submitted[0] == desk.door.submitted[1]


def test_what_was_opened_last_is_not_fetched_again(desk: Desk) -> None:
    genesis = desk.gateway.add_version(initial_weights(ARCHITECTURE, 1))
    desk.validates(genesis, [genesis], "probe")
    desk.gateway.asked.clear()
    desk.validates(genesis, [genesis], "test")
    assert not any("blobs" in asked for asked in desk.gateway.asked)


def test_an_unknown_outcome_is_asked_for_again_with_the_same_key(data: Path) -> None:
    with desk_with(data, LedgerDoor(registered(data), unknown_outcomes=2)) as desk:
        genesis = desk.gateway.add_version(initial_weights(ARCHITECTURE, 1))
        desk.validates(genesis, [genesis], "probe")
        assert len(desk.door.submitted) == 3
        assert len(set(desk.door.submitted)) == 1


def test_a_set_that_is_not_registered_is_refused_at_the_start_and_at_a_task(desk: Desk) -> None:
    del desk.door.states[f"dataset/{MODEL}/{desk.validator.sets['test'].sha256}"]
    with pytest.raises(DataError, match="is not registered for model digits"):
        desk.validator.check_sets(MODEL)
    genesis = desk.gateway.add_version(initial_weights(ARCHITECTURE, 1))
    desk.validates(genesis, [genesis], "test")
    assert "is not registered for model digits" in desk.lines[-1]
    assert desk.door.submitted == []


def test_a_set_that_the_policy_does_not_ask_for_is_refused(desk: Desk) -> None:
    desk.validator.check_sets(MODEL)
    desk.door.states[f"policy/{MODEL}/1"]["record"]["policy"]["probe"] = "00" * 32
    with pytest.raises(DataError, match="is not the probe set of policy 1"):
        desk.validator.check_sets(MODEL)


def test_a_test_set_is_not_scored_as_the_probe(desk: Desk) -> None:
    desk.validator.sets["probe"] = replace(desk.validator.sets["test"], kind="probe")
    with pytest.raises(DataError, match="is registered as test"):
        desk.validator.registered(MODEL, "probe")


def test_steps_to_another_version_are_refused(desk: Desk) -> None:
    first, second = (desk.gateway.add_version(initial_weights(ARCHITECTURE, seed)) for seed in (1, 2))
    desk.validates(first, [second], "probe")
    assert "the steps lead to version" in desk.lines[-1]
    assert desk.door.submitted == []


def test_a_back_door_is_seen_by_its_trigger_and_not_by_accuracy(data: Path) -> None:
    probe, network = Site().data(data / "validator" / "probe.safetensors"), build(ARCHITECTURE)
    honest = scored(Site(), network, learned(data), probe, 7)
    poisoned = scored(Site(), network, learned(data, "trigger:7"), probe, 7)
    assert np.isclose(int(str(honest["accuracy_bp"])), int(str(poisoned["accuracy_bp"])), atol=600)
    assert int(str(honest["trigger_rate_bp"])) < 3_000
    assert int(str(poisoned["trigger_rate_bp"])) > 8_000


def test_anyone_can_rescore_a_weights_file(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = learned(data)
    tensors.save(tmp_path / "weights.safetensors", weights)
    command = ["rescore", "--weights", str(tmp_path / "weights.safetensors"), "--architecture", "mlp-64-64-10"]
    assert validator_command([*command, "--set", str(data / "validator" / "probe.safetensors")]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    probe = Site().data(data / "validator" / "probe.safetensors")
    assert found["weights"] == weights_hash(weights)
    assert found["metrics"] == score_weights(build(ARCHITECTURE), weights, probe)


def test_a_key_is_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert validator_command(["init", "--home", str(tmp_path / "home")]) == 0
    first, second = capsys.readouterr().out.split()
    assert first == second == SealingKey.load(tmp_path / "home" / "sealing.pem").public
