"""The life of a small model, told to a ledger: the real one behind its door, or the forge. What is sealed is sealed."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from custody.federation import genesis_version, model_record, policy_with
from sealed.aggregate import aggregate
from sealed.blobs import SealedBlob
from sealed.keys import SealingKey, SigningKey, Wrap
from sealed.manifest import build_manifest, sign_manifest
from sealed.records import Record, Value, chain, encode, parse, record_id, signing_text, text_at
from sealed.tensors import Tensors
from sealed.updates import Update, open_update, seal_update
from sealed.versions import seal_version

MODEL = "digits"
PROBE, TEST = "0a" * 32, "0b" * 32
GRANTS = [
    ("Org1MSP", "admin"), ("Org1MSP", "aggregator"), ("Org1MSP", "approver"), ("Org1MSP", "operator"),
    ("Org2MSP", "approver"), ("Org2MSP", "operator"), ("Org2MSP", "validator"),
]  # fmt: skip
NO_REASON = {"reason_code": "other", "text_hash": ""}


class Submits(Protocol):
    genesis: str

    def now_s(self) -> int: ...
    def submit(self, who: str, function: str, *arguments: bytes) -> Record: ...


@dataclass
class Site:
    name: str
    signing: SigningKey = field(default_factory=SigningKey.generate)
    sealing: SealingKey = field(default_factory=SealingKey.generate)

    @property
    def shard(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()


@dataclass
class Story:
    ledger: Submits
    sites: dict[str, Site] = field(
        default_factory=lambda: {name: Site(name) for name in ("site-a", "site-b", "site-c")}
    )
    aggregator: SealingKey = field(default_factory=SealingKey.generate)
    validator: SealingKey = field(default_factory=SealingKey.generate)
    auditor: SealingKey = field(default_factory=SealingKey.generate)
    blobs: dict[str, bytes] = field(default_factory=dict)
    wraps: dict[str, list[Wrap]] = field(default_factory=dict)
    weights: dict[str, Tensors] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    manifests: dict[int, list[bytes]] = field(default_factory=dict)
    live: str = ""
    move: int = 0
    seq: int = 0
    epoch: int = 0
    round: int = 0
    policy_number: int = 1
    noise: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    # --- who says what

    def say(self, who: str, function: str, schema: str, *more: bytes, **fields: Value) -> Record:
        return self.ledger.submit(who, function, encode({"schema": schema, "model": MODEL, **fields}), *more)

    def signed(self, site: Site, record: bytes) -> str:
        return site.signing.sign(signing_text(text_at(parse(record), "schema"), self.ledger.genesis, record))

    # --- beginning

    def begin(self, **policy: Value) -> None:
        self.register_model(**policy)
        for name, kind in ((PROBE, "probe"), (TEST, "test")):
            self.register_dataset(name, kind, 100, "")
        for site in self.sites.values():
            self.join(site)

    def register_model(self, **policy: Value) -> None:
        weights = {"w": self.noise.normal(size=(6, 4)).astype("<f4"), "b": np.zeros(4, "<f4")}
        sealed = seal_version(weights, None, model=MODEL, number=0, parent="", genesis=self.ledger.genesis)
        version = genesis_version(MODEL, sealed.weights, self.keep(sealed))
        self.policy = policy_with(PROBE, TEST, **policy)
        model = model_record(
            MODEL, self.ledger.genesis, {"name": "tiny"}, version, self.recipients(), self.policy, GRANTS
        )
        self.ledger.submit("anna", "RegisterModel", model, version)
        self.remember(version, weights)
        self.live = record_id(version)

    def recipients(self) -> Record:
        auditors: list[Value] = [self.auditor.public]
        return {"aggregator": self.aggregator.public, "validator": self.validator.public, "auditors": auditors}

    def keep(self, sealed: SealedBlob) -> Record:
        sha256 = sealed.address["sha256"]
        self.blobs[sha256] = sealed.blob
        self.wraps[sha256] = sealed.wraps_for([self.aggregator.public, self.auditor.public])
        return sealed.record

    def remember(self, version: bytes, weights: Tensors) -> None:
        self.versions.append(record_id(version))
        self.weights[record_id(version)] = weights
        self.records[record_id(version)] = parse(version, limit=1 << 20)

    def register_dataset(self, sha256: str, kind: str, examples: int, participant: str) -> None:
        self.say("anna", "RegisterDataset", "dataset.1", dataset=f"{kind}-{sha256[:8]}", kind=kind, version="1",
                 sha256=sha256, examples=examples, participant=participant)  # fmt: skip

    def join(self, site: Site) -> None:
        record = encode({
            "schema": "participant.1", "model": MODEL, "participant": site.name, "organisation": "Org1MSP",
            "ed25519": site.signing.public, "x25519": site.sealing.public,
        })  # fmt: skip
        self.ledger.submit("anna", "RegisterParticipant", record, self.signed(site, record).encode())
        self.register_dataset(site.shard, "shard", 50, site.name)

    # --- a round

    def open_round(self, names: Iterable[str] = ()) -> None:
        self.round += 1
        self.opened: Record = {
            "schema": "round.1", "model": MODEL, "number": self.round, "epoch": self.epoch, "base": self.live,
            "participants": [*sorted(names or self.sites)], "policy": self.policy_number,
            "hyperparameters": {"local_epochs": 1}, "deadline_at": self.ledger.now_s() + 600,
        }  # fmt: skip
        self.ledger.submit("aggregator", "OpenRound", encode(self.opened))
        self.manifests[self.round] = []

    def update(self, site: Site, examples: int = 40, **changed: Value) -> tuple[bytes, str]:
        base = self.weights[text_at(self.opened, "base")]
        trained = {name: (base[name] + self.noise.normal(size=base[name].shape) / 8).astype("<f4") for name in base}
        sealed = seal_update(trained, base, self.opened, site.name, self.ledger.genesis)
        manifest = build_manifest(self.opened, site.name, examples, self.keep(sealed), site.shard, {"loss": 7})
        if changed:
            manifest = encode({**parse(manifest), **changed})
        return manifest, sign_manifest(manifest, self.ledger.genesis, site.signing)

    def anchor(self, items: Sequence[tuple[bytes, str]], who: str = "aggregator") -> list[str]:
        batch: list[Value] = [{"manifest": manifest.decode(), "signature": signature} for manifest, signature in items]
        result = self.ledger.submit(who, "AnchorUpdates", encode({"schema": "anchor-batch.1", "items": batch}))
        outcomes = [entry for entry in result["results"] if isinstance(entry, dict)]  # type: ignore[union-attr]
        for (manifest, _), outcome in zip(items, outcomes, strict=True):
            if outcome["result"] == "accepted" and manifest not in self.manifests[self.round]:
                self.manifests[self.round].append(manifest)
        return [f"{outcome['result']} {outcome['reason']}".strip() for outcome in outcomes]

    def seal_of(self, number: int) -> Record:
        manifests = self.manifests[number]
        return {"count": len(manifests), "chain": chain([record_id(manifest) for manifest in manifests])}

    def close_round(self, outcome: str = "sealed") -> None:
        self.say("aggregator", "CloseRound", "close.1", round=self.round, outcome=outcome, reason_code="completed",
                 **self.seal_of(self.round))  # fmt: skip

    def collect(self, names: Iterable[str] = ()) -> None:
        self.open_round(names)
        self.anchor([self.update(self.sites[name]) for name in names or self.sites])
        self.close_round()

    # --- a version

    def version_record(self, kind: str = "aggregate", number: int = 0, excluded: Sequence[Record] = ()) -> bytes:
        number = number or self.round
        manifests = {text_at(record, "participant"): (raw, record) for raw, record in self._manifests(number)}
        left_out = {text_at(item, "participant") for item in excluded}
        included = [manifests[name] for name in sorted(manifests) if name not in left_out]
        weights, blob = self.aggregated([record for _, record in included], text_at(included[0][1], "base"))
        record: Record = {
            "schema": "version.1", "model": MODEL, "kind": kind, "number": len(self.versions), "epoch": self.epoch,
            "parent": included[0][1]["base"], "round": number, "sealed": self.seal_of(number),
            "weights": blob.pop("weights"), "blob": blob, "rule": "fedavg.1",
            "included": [
                {"examples": item["examples"], "participant": item["participant"], "update": record_id(raw)}
                for raw, item in included
            ],
            "excluded": [*excluded], "hyperparameters": {"local_epochs": 1},
        }  # fmt: skip
        self.pending = weights
        return encode(record)

    def _manifests(self, number: int) -> list[tuple[bytes, Record]]:
        return [(raw, parse(raw)) for raw in self.manifests[number]]

    def aggregated(self, manifests: Sequence[Record], base: str) -> tuple[Tensors, Record]:
        weights = aggregate(
            "fedavg.1", self.weights[base], [self.opened_update(manifest, base) for manifest in manifests]
        )
        number = len(self.versions)
        parent = None if number % 4 == 0 else self.weights[base]
        sealed = seal_version(weights, parent, model=MODEL, number=number, parent=base, genesis=self.ledger.genesis)
        return weights, {**self.keep(sealed), "weights": sealed.weights}

    def opened_update(self, manifest: Record, base: str) -> Update:
        sha256 = text_at(manifest, "blob", "sha256")
        wraps = self.wraps[sha256]
        return open_update(
            self.blobs[sha256], manifest, wraps, self.aggregator, self.ledger.genesis, self.weights[base]
        )

    def register(self, record: bytes) -> str:
        self.ledger.submit("aggregator", "RegisterModelUpdate", record)
        self.remember(record, self.pending)
        return record_id(record)

    def excluded(self, name: str, rule: str, score: int, number: int = 0) -> Record:
        raw = next(raw for raw, item in self._manifests(number or self.round) if item["participant"] == name)
        return {"participant": name, "rule": rule, "score": score, "update": record_id(raw)}

    # --- scores, and what follows

    def validate(self, version: str, accuracy_bp: int, purpose: str = "probe", sha256: str = "") -> Record:
        metrics: Record = {
            "accuracy_bp": accuracy_bp,
            "loss_micro": 5,
            "examples": 100,
            "class_recall_bp": [9000, 8000],
        }
        dataset: Record = {"sha256": sha256 or {"test": TEST}.get(purpose, PROBE), "version": "1"}
        return self.say("validator", "RecordValidation", "validation.1", version=version, purpose=purpose,
                        dataset=dataset, metrics=metrics, evaluator="test")  # fmt: skip

    def promote(self, version: str) -> None:
        self._moved(self.say("aggregator", "Promote", "promotion.1", version=version, expected_seq=self.move), version)

    def _moved(self, result: Record, to: str) -> None:
        self.seq = self.move = int(str(result["seq"]))
        self.live = to

    def grow(self, accuracy_bp: int, names: Iterable[str] = ()) -> str:
        """A whole round, from its opening to what the judge says; promoted if it says so."""
        self.collect(names)
        version = self.register(self.version_record())
        if self.validate(version, accuracy_bp)["decision"] == "promote":
            self.promote(version)
        return version

    def roll_back(self, decision: str, to: str, quarantine: Sequence[str] = ()) -> None:
        result = self.say("aggregator", "RollbackModel", "rollback.1", to=to, expected_seq=self.move, request="",
                          decision=decision, reason_code="regression_auto", quarantine=[*quarantine])  # fmt: skip
        self._gone_back(result, to)

    def _gone_back(self, result: Record, to: str) -> None:
        self._moved(result, to)
        self.epoch = int(str(result["epoch"]))

    def request(self, to: str, who: str = "olga", **changed: Value) -> bytes:
        fields: Record = {
            "schema": "rollback-request.1", "model": MODEL, "to": to, "expected_seq": self.move,
            "reason_code": "data_quality", "text_hash": "", "incident": "INC-7", "priority": "high", "quarantine": [],
            "break_glass": False, "drill": False, "expires_at": self.ledger.now_s() + 7200,
        }  # fmt: skip
        record = encode({**fields, **changed})
        self.ledger.submit(who, "RequestRollback", record)
        return record

    def approve(self, request: bytes, who: str = "paul") -> None:
        self.say(who, "ApproveRollback", "rollback-approval.1", request=record_id(request))

    def carry_out(self, request: bytes, who: str = "olga") -> Record:
        asked = parse(request)
        kept = {name: asked[name] for name in ("to", "expected_seq", "reason_code", "quarantine")}
        result = self.say(who, "RollbackModel", "rollback.1", request=record_id(request), decision="", **kept)
        if not asked["drill"]:
            self._gone_back(result, text_at(asked, "to"))
        return result

    def acknowledge(self, names: Iterable[str], weights: str = "") -> list[str]:
        items: list[Value] = []
        for name in names:
            held = weights or text_at(self.records[self.live], "weights")
            ack = encode({"schema": "ack.1", "model": MODEL, "seq": self.move, "participant": name, "weights": held})
            items.append({"ack": ack.decode(), "signature": self.signed(self.sites[name], ack)})
        result = self.ledger.submit("aggregator", "AckRollback", encode({"schema": "ack-batch.1", "items": items}))
        return [entry["result"] for entry in json.loads(encode(result))["results"]]

    def set_status(self, name: str, number: int, status: str, who: str = "anna", decision: str = "") -> None:
        evidence = "0e" * 32 if decision else ""
        self.say(who, "SetParticipantStatus", "participant-status.1", participant=name, number=number, status=status,
                 reason_code="poisoning_suspected", text_hash="", evidence=evidence, decision=decision)  # fmt: skip


def a_short_life(story: Story) -> None:
    """The slice: three rounds, one bad, an automatic rollback, one asked for, approved and carried out."""
    story.begin()
    first = story.grow(9000)
    second = story.grow(9100)
    story.validate(second, 9050, "test")
    bad = story.grow(8000)
    story.roll_back(bad, second, [bad])
    story.acknowledge(story.sites)
    request = story.request(first)
    story.approve(request)
    story.carry_out(request)
    story.grow(9080)
