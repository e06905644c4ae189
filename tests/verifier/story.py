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
    @property
    def genesis(self) -> str: ...

    def now_s(self) -> int: ...
    def submit(self, who: str, function: str, *arguments: bytes) -> Record: ...


@dataclass
class Site:
    name: str
    signing: SigningKey = field(default_factory=SigningKey.generate)
    sealing: SealingKey = field(default_factory=SealingKey.generate)
    fresh: "Site | None" = None  # the keys that it wants to have next

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
    asked: bytes = b""
    proposal: bytes = b""
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
        base = text_at(included[0][1], "base")
        self.pending = self.aggregated([record for _, record in included], base)
        record: Record = {
            "schema": "version.1", "model": MODEL, "kind": kind, "number": len(self.versions), "epoch": self.epoch,
            "parent": base, "round": number, "sealed": self.seal_of(number),
            **self.stored(self.pending, base), "rule": "fedavg.1",
            "included": [
                {"examples": item["examples"], "participant": item["participant"], "update": record_id(raw)}
                for raw, item in included
            ],
            "excluded": [*excluded], "hyperparameters": {"local_epochs": 1},
        }  # fmt: skip
        return encode(record)

    def _manifests(self, number: int) -> list[tuple[bytes, Record]]:
        return [(raw, parse(raw)) for raw in self.manifests[number]]

    def aggregated(self, manifests: Sequence[Record], base: str) -> Tensors:
        updates = [self.opened_update(manifest, base) for manifest in manifests]
        return aggregate("fedavg.1", self.weights[base], updates)

    def stored(self, weights: Tensors, base: str) -> Record:
        number = len(self.versions)
        parent = None if number % 4 == 0 else self.weights[base]
        sealed = seal_version(weights, parent, model=MODEL, number=number, parent=base, genesis=self.ledger.genesis)
        return {"weights": sealed.weights, "blob": self.keep(sealed)}

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


def a_long_life(story: Story) -> None:
    """Every function of the contract, and most of what each can come to."""
    story.begin(patience_threshold=2)
    first = story.grow(9000)
    misfits(story)
    second = story.register(story.version_record())
    story.validate(second, 9200)
    story.validate(second, 9210)  # decided already
    story.promote(second)
    story.validate(second, 9150, "test")
    story.validate(second, 9151, "rescore", TEST)
    story.validate(first, 9001)  # outdated
    a_bad_version_is_left_behind(story, second)
    people_decide(story, first)
    emergencies(story)
    housekeeping(story)


def misfits(story: Story) -> None:
    """A round with everything that can be wrong about an update."""
    a, b, c = story.sites.values()
    story.open_round([a.name, b.name])
    good = story.update(a)
    items = [
        good, good,  # the same again: the same result
        (story.update(b)[0], good[1]),  # signed by somebody else
        story.update(c),  # not invited
        story.update(b, round=77),  # no such round
        story.update(b, examples=5000),  # more than its shard holds
        story.update(b, shard=a.shard),
        story.update(b, blob=parse(good[0])["blob"]),  # somebody else's blob
        story.update(b, participant="nobody"),
        story.update(b, model="other"),
    ]  # fmt: skip
    story.anchor(items)
    story.anchor([story.update(b)], who="paul")  # anyone brings what is signed
    story.anchor([story.update(b)])  # a second one of the same participant
    story.close_round()
    story.anchor([story.update(a)])  # late


def a_bad_version_is_left_behind(story: Story, target: str) -> None:
    bad = story.grow(8000)
    story.roll_back(bad, target, [bad])
    story.acknowledge(["site-a", "site-b"])
    story.acknowledge(["site-a"])
    story.acknowledge(["site-c"], weights="0f" * 32)
    poisoned = story.round
    story.set_status("site-c", 1, "excluded", who="aggregator", decision=bad)
    excluded = [story.excluded("site-c", "excluded.1", 1, poisoned)]
    again = story.register(story.version_record("replay", poisoned, excluded))
    story.validate(again, 9220)
    story.promote(again)
    story.collect(["site-a", "site-b"])
    story.register(story.version_record(excluded=[story.excluded("site-b", "norm.1", 12)]))
    story.validate(story.versions[-1], 9100)  # tolerated once
    story.promote(story.versions[-1])
    slipping = story.grow(9090, ["site-a"])  # and not twice
    story.roll_back(slipping, again)
    story.set_status("site-c", 2, "reinstated")
    story.set_status("site-b", 1, "left")
    story.set_status("site-b", 2, "active")
    rotate_key(story, story.sites["site-a"])


def rotate_key(story: Story, site: Site, number: int = 1) -> None:
    site.signing, site.sealing = SigningKey.generate(), SealingKey.generate()
    record = encode({
        "schema": "participant-key.1", "model": MODEL, "participant": site.name, "number": number,
        "ed25519": site.signing.public, "x25519": site.sealing.public,
    })  # fmt: skip
    story.ledger.submit("anna", "RotateParticipantKey", record, story.signed(site, record).encode())


def people_decide(story: Story, target: str) -> None:
    rejected = story.request(target, who="otto")
    story.say("petra", "RejectRollback", "rollback-rejection.1", request=record_id(rejected), text_hash="")
    taken_back = story.request(target, who="otto", incident="INC-8")
    story.say("otto", "RejectRollback", "rollback-rejection.1", request=record_id(taken_back), text_hash="")
    drill = story.request(target, reason_code="drill", drill=True)
    story.approve(drill)
    story.carry_out(drill)
    asked = story.request(target, quarantine=[story.versions[-1]])
    story.approve(asked)
    story.carry_out(asked)
    fields = {"grants": [{"msp": msp, "role": role} for msp, role in GRANTS], "keys": story.recipients()}
    policy: Record = {**story.policy, "accuracy_tolerance": 60}
    proposal: Record = {"schema": "policy-proposal.1", "model": MODEL, "number": 2, "policy": policy}
    bytes_of = encode({**proposal, **fields})
    story.ledger.submit("olga", "ProposePolicy", bytes_of)
    story.say("paul", "ApprovePolicy", "policy-approval.1", proposal=record_id(bytes_of))
    story.policy_number = 2
    story.ledger.submit("olga", "ProposePolicy", bytes_of)  # the same record again: the first answer


def emergencies(story: Story) -> None:
    newest = story.grow(9100, ["site-a", "site-b"])
    older = story.versions[1]
    broken = story.request(older, break_glass=True, reason_code="security_incident", quarantine=[newest])
    story.carry_out(broken)
    story.say("paul", "ReviewBreakGlass", "break-glass-review.1", request=record_id(broken), verdict="justified",
              text_hash="")  # fmt: skip
    story.acknowledge(["site-a"])


def housekeeping(story: Story) -> None:
    story.say("aggregator", "Freeze", "freeze.1", expected_seq=story.seq, **NO_REASON)
    story.say("olga", "Resume", "resume.1", expected_seq=story.seq + 1, **NO_REASON)
    story.say("olga", "Quarantine", "quarantine.1", version=story.versions[4], **NO_REASON)
    for held in (True, False):
        story.say("olga", "SetHold", "hold.1", version=story.versions[3], held=held, **NO_REASON)
    erase(story, parse(story.manifests[1][0]))
    root = encode({"schema": "root.1", "log": "access", "number": 1, "root": "0d" * 32, "entries": 5})
    story.ledger.submit("aggregator", "AnchorRoot", root)
    story.open_round(["site-a"])
    story.close_round("failed")
    story.say("aggregator", "CompleteTraining", "completion.1", version=story.live, reason_code="completed",
              summary={"rounds": story.round})  # fmt: skip


def erase(story: Story, manifest: Record) -> None:
    sha256 = text_at(manifest, "blob", "sha256")
    story.say("aggregator", "RecordErasure", "erasure.1", blob=sha256, participant=manifest["participant"], wraps=2,
              reason_code="other")  # fmt: skip
    story.wraps[sha256] = []
