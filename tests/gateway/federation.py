"""A small federation for tests: a real ledger, people with their own keys, sites that "train" in numpy, a validator.

What a site makes of a base is a fixed function of its name and the round, so that every run ends in the same weights.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx2
import numpy as np

from custody.door import Committed, Door
from custody.federation import dataset_record, genesis_version, model_record, policy_with, recipient_keys
from custody.person import Person
from gateway.ledger import WRITES
from sealed.aggregate import Update, aggregate
from sealed.codec import decode_update, encode_update
from sealed.keys import PersonKey, SealingKey, SigningKey, kid_of, wrap_key
from sealed.manifest import build_manifest, sign_manifest
from sealed.records import encode, number_at, parse, record_id, signing_text
from sealed.tensors import Tensors, weights_hash
from sealed.updates import seal_update
from sealed.versions import SealedVersion, open_steps, seal_version
from tests.processes import LedgerProcess

MODEL = "digits"
PROBE, TEST = hashlib.sha256(b"probe").hexdigest(), hashlib.sha256(b"test").hexdigest()
EXAMPLES_OF_SETS = 100
EXAMPLES = 10
PEOPLE = {"anna": ("Org1MSP", "admin"), "olga": ("Org1MSP", "operator"), "paul": ("Org2MSP", "approver")}


class Http(Protocol):
    """What both a client of a real process and one of an app in this process can do."""

    def get(self, url: str, *, headers: Any = ..., params: Any = ...) -> httpx2.Response: ...
    def post(self, url: str, *, json: Any = ..., headers: Any = ...) -> httpx2.Response: ...
    def put(self, url: str, *, content: Any = ..., json: Any = ..., headers: Any = ...) -> httpx2.Response: ...


def first_weights() -> Tensors:
    random = np.random.default_rng(7)
    return {
        "layer.weight": random.normal(size=(16, 8)).astype(np.float32),
        "layer.bias": random.normal(size=8).astype(np.float32),
        "steps": np.zeros((), np.int64),
    }


def trained(base: Tensors, name: str, number: int) -> Tensors:
    seed = int.from_bytes(hashlib.sha256(f"{name} {number}".encode()).digest()[:4], "big")
    random = np.random.default_rng(seed)
    made: Tensors = {}
    for key, value in sorted(base.items()):
        change = random.normal(scale=0.01, size=value.shape) if value.dtype == np.float32 else 1
        made[key] = np.asarray(value + change, value.dtype)
    return made


def expected_weights(rounds: Iterable[int], names: Iterable[str]) -> str:
    """What rounds with these sites must end in, computed without a gateway."""
    weights = first_weights()
    for number in rounds:
        made = {name: encode_update("bf16.1", trained(weights, name, number), weights) for name in names}
        updates = [Update(name, EXAMPLES, decode_update(data, weights)) for name, data in made.items()]
        weights = aggregate("fedavg.1", weights, updates)
    return weights_hash(weights)


class Consortium:
    """The ledger, the people, and the records that set a model up."""

    def __init__(self, ledger: LedgerProcess) -> None:
        self.ledger = ledger
        self.reader = Door(ledger.url, ledger.token("reader"))
        self.people = {name: self._enroll(name, *where) for name, where in PEOPLE.items()}
        self.auditor = SealingKey.generate()
        self.validator_key = SealingKey.generate()

    def close(self) -> None:
        self.reader.__exit__()

    @property
    def genesis(self) -> str:
        return self.ledger.genesis

    def act(self, person: str, function: str, *records: bytes | str) -> Committed:
        return self.reader.act(self.people[person], function, list(records))

    def as_service(self, identity: str, function: str, record: bytes) -> Committed:
        with Door(self.ledger.url, self.ledger.token(identity)) as door:
            return door.submit(WRITES[function], [record])

    def sealed_genesis(self, weights: Tensors) -> SealedVersion:
        return seal_version(weights, None, model=MODEL, number=0, parent="", genesis=self.genesis)

    def create_model(self, aggregator: str, sealed: SealedVersion, **policy: Any) -> str:
        version = genesis_version(MODEL, sealed.weights, sealed.record)
        keys = recipient_keys(aggregator, self.validator_key.public, [self.auditor.public])
        architecture = {"name": "linear"}
        record = model_record(MODEL, self.genesis, architecture, version, keys, policy_with(PROBE, TEST, **policy))
        self.act("anna", "RegisterModel", record, version)
        for kind, sha256 in (("probe", PROBE), ("test", TEST)):
            self._register_set(kind, sha256, EXAMPLES_OF_SETS, "")
        return record_id(version)

    def admit(self, site: Site) -> None:
        record = encode(
            {
                "schema": "participant.1",
                "model": MODEL,
                "participant": site.name,
                "organisation": "Org1MSP",
                "ed25519": site.signing.public,
                "x25519": site.sealing.public,
            }
        )
        proof = site.signing.sign(signing_text("participant.1", self.genesis, record))
        self.act("anna", "RegisterParticipant", record, proof)
        self._register_set("shard", site.shard, 1000, site.name)

    def ask_rollback(self, to: str, person: str, expires_at: int) -> tuple[str, bytes]:
        """The request's id, and the record that would carry it out."""
        asked: dict[str, Any] = {
            "model": MODEL,
            "to": to,
            "expected_seq": self.pointer()["move"],
            "reason_code": "data_quality",
            "quarantine": [],
        }
        more = {"text_hash": "", "incident": "", "priority": "normal", "break_glass": False, "drill": False}
        record = encode({"schema": "rollback-request.1", **asked, **more, "expires_at": expires_at})
        self.act(person, "RequestRollback", record)
        request = record_id(record)
        return request, encode({"schema": "rollback.1", **asked, "request": request, "decision": ""})

    def approve_rollback(self, request: str, person: str) -> None:
        record = encode({"schema": "rollback-approval.1", "model": MODEL, "request": request})
        self.act(person, "ApproveRollback", record)

    def pointer(self) -> dict[str, Any]:
        return self.reader.state(f"pointer/{MODEL}/head")

    def live(self) -> dict[str, Any]:
        record: dict[str, Any] = self.reader.state(f"version/{self.pointer()['to']}")["record"]
        return record

    def _register_set(self, kind: str, sha256: str, examples: int, participant: str) -> None:
        entry = {"dataset": f"{kind}-{sha256[:8]}", "kind": kind, "version": "1", "sha256": sha256}
        self.act(
            "anna",
            "RegisterDataset",
            dataset_record(MODEL, {**entry, "examples": examples, "participant": participant}),
        )

    def _enroll(self, name: str, msp: str, role: str) -> Person:
        return self.reader.enroll(self.ledger.code(name, msp, role), PersonKey.generate(), name)


def answered(response: httpx2.Response) -> dict[str, Any]:
    if not response.is_success:
        raise AssertionError(f"{response.status_code} {response.text}")
    found: dict[str, Any] = response.json()
    return found


@dataclass
class Opener:
    """Fetches what a task names through the gateway and opens it with its own key."""

    http: Http
    headers: Mapping[str, str]
    sealing: SealingKey
    genesis: str

    def weights(self, steps: Iterable[Mapping[str, str]]) -> Tensors:
        records = [parse(step["record"], 512 * 1024) for step in steps]
        return open_steps(records, self._blob, self._wraps, self.sealing, self.genesis, MODEL)

    def _blob(self, sha256: str) -> bytes:
        response = self.http.get(f"/api/v1/blobs/{sha256}", headers=self.headers)
        assert response.is_success, response.text
        return response.content

    def _wraps(self, sha256: str) -> list[Any]:
        wraps: list[Any] = answered(self.http.get(f"/api/v1/blobs/{sha256}/wraps", headers=self.headers))["wraps"]
        return wraps


@dataclass
class Site:
    """A participant. It holds no state between tasks but its keys and token."""

    name: str
    genesis: str
    signing: SigningKey = field(default_factory=SigningKey.generate)
    sealing: SealingKey = field(default_factory=SealingKey.generate)
    token: str = ""
    done: list[str] = field(default_factory=list)  # task types, in the order in which they were fetched

    @property
    def shard(self) -> str:
        return hashlib.sha256(f"shard of {self.name}".encode()).hexdigest()

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def join(self, http: Http) -> None:
        asked = answered(http.post("/api/v1/join", json={"model": MODEL, "participant": self.name}))
        signature = self.signing.sign(signing_text("join.1", self.genesis, asked["challenge"].encode()))
        answer = http.post("/api/v1/join", json={"challenge": asked["challenge"], "signature": signature})
        self.token = answered(answer)["token"]

    def next_task(self, http: Http, wait: int = 0) -> dict[str, Any] | None:
        response = http.get("/api/v1/tasks", headers=self.headers, params={"wait": wait})
        return None if response.status_code == 204 else answered(response)

    def work(self, http: Http, wait: int = 0) -> bool:
        """Do the next task; False when there is none."""
        task = self.next_task(http, wait)
        if task is None:
            return False
        self.done.append(task["task_type"])
        {"TRAIN": self.train, "ROLLBACK": self.go_back}[task["task_type"]](http, task["payload"])
        return True

    def train(self, http: Http, payload: Mapping[str, Any]) -> dict[str, Any]:
        return answered(self.hand_in(http, *self.made_update(http, payload)))

    def made_update(self, http: Http, payload: Mapping[str, Any]) -> tuple[bytes, list[Any]]:
        """The manifest and the wraps of an update whose blob is handed in already."""
        round_ = parse(payload["round"], 512 * 1024)
        base = self.opener(http).weights(payload["base"])
        sealed = seal_update(
            trained(base, self.name, int(str(round_["number"]))), base, round_, self.name, self.genesis
        )
        self.put(http, sealed.blob)
        wraps = sealed.wraps_for([recipient["x25519"] for recipient in payload["recipients"]])
        return build_manifest(round_, self.name, EXAMPLES, sealed.record, self.shard, {"loss_micro": 1}), list(wraps)

    def put(self, http: Http, blob: bytes) -> str:
        sha256 = hashlib.sha256(blob).hexdigest()
        response = http.put(f"/api/v1/blobs/{sha256}", content=blob, headers=self.headers)
        assert response.is_success, response.text
        return sha256

    def hand_in(self, http: Http, manifest: bytes, wraps: list[Any], signature: str = "") -> httpx2.Response:
        record = parse(manifest)
        body = {
            "manifest": manifest.decode(),
            "signature": signature or sign_manifest(manifest, self.genesis, self.signing),
            "wraps": wraps,
        }
        return http.post(f"/api/v1/rounds/{MODEL}/{record['round']}/updates", json=body, headers=self.headers)

    def go_back(self, http: Http, payload: Mapping[str, Any]) -> dict[str, Any]:
        held = weights_hash(self.opener(http).weights(payload["target"]))
        assert held == payload["weights"]
        return answered(self.acknowledge(http, payload["seq"], held))

    def acknowledge(self, http: Http, seq: int, held: str) -> httpx2.Response:
        ack = encode({"schema": "ack.1", "model": MODEL, "seq": seq, "participant": self.name, "weights": held})
        signature = self.signing.sign(signing_text("ack.1", self.genesis, ack))
        return http.post("/api/v1/acks", json={"ack": ack.decode(), "signature": signature}, headers=self.headers)

    def opener(self, http: Http) -> Opener:
        return Opener(http, self.headers, self.sealing, self.genesis)


@dataclass
class Validator:
    """Opens what it is asked to score, and says what the test wants it to say, under its own identity on the ledger."""

    consortium: Consortium
    api_key: str
    scores_bp: Mapping[int, int]  # by number of the version; others score 9000 and a little more each time
    scored: list[tuple[int, str]] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.api_key}"}

    def work(self, http: Http, wait: int = 0) -> bool:
        response = http.get("/api/v1/tasks", headers=self.headers, params={"wait": wait})
        if response.status_code == 204:
            return False
        self.score(http, answered(response)["payload"])
        return True

    def score(self, http: Http, payload: Mapping[str, Any]) -> None:
        version = parse(payload["version"], 512 * 1024)
        number = number_at(version, "number")
        opener = Opener(http, self.headers, self.consortium.validator_key, self.consortium.genesis)
        assert weights_hash(opener.weights(payload["steps"])) == version["weights"]
        score = self.scores_bp.get(number, 9000 + 10 * number)
        record = {
            "schema": "validation.1",
            "model": MODEL,
            "version": record_id(payload["version"].encode()),
            "purpose": payload["purpose"],
            "dataset": {"sha256": PROBE if payload["purpose"] == "probe" else TEST, "version": "1"},
            "metrics": {"accuracy_bp": score, "loss_micro": 1, "examples": EXAMPLES_OF_SETS},
            "evaluator": "tests",
        }
        self.consortium.as_service("validator", "RecordValidation", encode(record))
        self.scored.append((number, payload["purpose"]))


def wraps_of_genesis(sealed: SealedVersion, publics: Iterable[str]) -> list[dict[str, str]]:
    return [
        {"kid": kid_of(public), "wrap": wrap_key(sealed.key, public, sealed.dek, sealed.address["sha256"])["wrap"]}
        for public in publics
    ]


def hand_in_genesis(http: Http, api_key: str, sealed: SealedVersion, publics: Iterable[str]) -> None:
    headers = {"authorization": f"Bearer {api_key}"}
    sha256 = sealed.address["sha256"]
    stored = http.put(f"/api/v1/blobs/{sha256}", content=sealed.blob, headers=headers)
    assert stored.is_success, stored.text
    wraps = {"wraps": wraps_of_genesis(sealed, publics)}
    kept = http.put(f"/api/v1/blobs/{sha256}/wraps", json=wraps, headers=headers)
    assert kept.is_success, kept.text


def gateway_environment(folder: Path, ledger: LedgerProcess, listen: str) -> dict[str, str]:
    return {
        "LEDGER_URL": ledger.url,
        "LEDGER_TOKEN_FILE": str(ledger.token_file("aggregator")),
        "BLOBS": f"folder:{folder / 'blobs'}",
        "DATABASE_URL": f"sqlite:///{folder / 'gateway.db'}",
        "KEYS": str(folder / "keys"),
        "LISTEN": listen,
    }
