"""Somebody who calls any function at any moment, mostly as it should be called, and often enough not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from custody.federation import genesis_version, model_record, policy_with
from sealed.keys import SealingKey
from sealed.records import Record, Value, encode, number_at, parse, record_at, signing_text, text_at
from tests.verifier.story import GRANTS, PROBE, TEST, Site
from verifier.state import State

MODEL = "digits"
SET = {"probe": PROBE, "test": TEST}
PEOPLE = {
    "admin": ["anna"], "operator": ["olga", "otto"], "approver": ["paul", "petra"], "aggregator": ["aggregator"],
    "validator": ["validator"],
}  # fmt: skip
EVERYBODY = [name for names in PEOPLE.values() for name in names]
REASONS = ["data_quality", "security_incident", "drill", "regression_auto", "other"]


@dataclass
class Call:
    who: str
    function: str
    arguments: tuple[bytes, ...]


@dataclass
class Improviser:
    state: State
    genesis: str
    now_s: Callable[[], int]
    chance: random.Random
    error: float = 0.02  # of each choice
    sites: list[Site] = field(default_factory=lambda: [Site(f"site-{letter}") for letter in "abcd"])
    sealing: SealingKey = field(default_factory=SealingKey.generate)
    taken: list[Call] = field(default_factory=list)  # and sent again now and then
    manifests: list[tuple[bytes, str]] = field(default_factory=list)

    # --- choosing

    def right(self, value: Value, *wrong: Value) -> Value:
        return self.chance.choice(wrong) if wrong and self.chance.random() < self.error else value

    def number(self, value: int) -> Value:
        return self.right(value, max(0, value - 1), value + 1)

    def who(self, *roles: str) -> str:
        names = [name for role in roles for name in PEOPLE[role]]
        return self.chance.choice(EVERYBODY if self.chance.random() < self.error else names)

    def hash(self) -> str:
        return self.chance.randbytes(32).hex()

    def flag(self, chance: float = 0.5) -> bool:
        return self.chance.random() < chance

    # --- what is on the ledger

    def value(self, key: str) -> Record:
        raw = self.state.get(key)
        return parse(raw, limit=1 << 24) if raw else {}

    def head(self, noun: str) -> Record:
        return self.value(f"{noun}/{MODEL}/head")

    def names(self, prefix: str) -> list[str]:
        return [key.removeprefix(prefix) for key in self.state.keys(prefix) if key.count("/") == prefix.count("/")]

    def version(self) -> str:
        ids = [name for name in self.names("version/") if len(name) == 64]
        return self.chance.choice(ids or [self.hash()])

    def newest(self) -> str:
        return str(self.right(text_at(self.head("version"), "id"), self.version()))

    def live(self) -> str:
        return text_at(self.head("pointer"), "to")

    def move(self) -> Value:
        return self.number(number_at(self.head("pointer"), "move"))

    def epoch(self) -> int:
        return number_at(self.value(f"epoch/{MODEL}"), "epoch")

    def policy(self) -> int:
        return number_at(self.head("policy"), "number")

    def round(self) -> int:
        return number_at(self.head("round"), "number")

    def request(self) -> str:
        ids = [name for name in self.names("rollback/") if len(name) == 64]
        open_one = text_at(self.value(f"rollback/{MODEL}/open") or {"request": ""}, "request")
        return open_one if open_one and self.flag(0.9) else self.chance.choice(ids or [self.hash()])

    # --- calling

    def call(self) -> Call:
        if self.taken and self.flag(0.03):
            return self.chance.choice(self.taken)
        if not self.head("policy"):
            return self.register_model()
        return self.chance.choice(self.next_steps() if self.flag(0.6) else self.anything())()

    def next_steps(self) -> list[Callable[[], Call]]:
        """What a federation in order would do now."""
        return self.beginning() or self.people_decide() or self.round_goes_on() or self.newest_is_judged()

    def beginning(self) -> list[Callable[[], Call]]:
        if len(self.names(f"participant/{MODEL}/")) < 2:
            return [self.register_participant]
        missing = [sha256 for sha256 in self.needed_sets() if self.state.get(f"dataset/{MODEL}/{sha256}") is None]
        return [self.register_dataset] if missing else []

    def people_decide(self) -> list[Callable[[], Call]]:
        if self.head("pointer")["frozen"]:
            return [self.resume]
        if self.value(f"rollback/{MODEL}/unreviewed").get("request") and self.flag(0.3):
            return [self.review]
        if self.value(f"rollback/{MODEL}/open").get("request"):
            return [self.approve_rollback, self.reject_rollback, self.roll_back, self.roll_back]
        return []

    def round_goes_on(self) -> list[Callable[[], Call]]:
        if self.head("round")["open"]:
            return [self.anchor_updates, self.anchor_updates, self.close_round]
        opened = self.value(f"round/{MODEL}/{self.round()}")
        made = self.state.get(f"aggregate/{MODEL}/{self.round()}")
        sealed = bool(opened) and record_at(opened, "outcome")["outcome"] == "sealed"
        ours = bool(opened) and record_at(opened, "record")["epoch"] == self.epoch()
        return [self.register_version] if sealed and ours and made is None else []

    def newest_is_judged(self) -> list[Callable[[], Call]]:
        newest = text_at(self.head("version"), "id")
        decision, status = self.value(f"decision/{newest}"), self.value(f"status/{newest}")
        current = number_at(self.value(f"version/{newest}"), "record", "epoch") == self.epoch()
        if not current or status["promoted"] or status["quarantined"]:
            return [self.open_round]
        steps = {"promote": [self.promote], "rollback": [self.roll_back, self.request_rollback]}
        return steps.get(str(decision.get("decision")), [self.record_validation])

    def needed_sets(self) -> list[str]:
        joined = self.names(f"participant/{MODEL}/")
        return [PROBE, TEST, *(site.shard for site in self.sites if site.name in joined)]

    def anything(self) -> list[Callable[[], Call]]:
        return [
            self.register_model, self.register_participant, self.set_status, self.rotate_key, self.register_dataset,
            self.propose_policy, self.approve_policy, self.open_round, self.anchor_updates, self.close_round,
            self.register_version, self.record_validation, self.promote, self.request_rollback,
            self.request_rollback, self.approve_rollback, self.approve_rollback, self.reject_rollback, self.roll_back,
            self.roll_back, self.review, self.acknowledge, self.freeze, self.resume, self.resume, self.quarantine,
            self.hold, self.anchor_root, self.erase, self.complete,
        ]  # fmt: skip

    def make(self, who: str, function: str, schema: str, *more: bytes, **fields: Value) -> Call:
        record: Record = {"schema": schema, "model": self.right(MODEL, "other"), **fields}
        for name in list(fields):
            if self.chance.random() < self.error / 10:
                del record[name]
        return Call(who, function, (encode(record), *more))

    def blob(self, codec: str = "bf16.1") -> Record:
        cid = "bafkrei" + "".join(self.chance.choices("abcdefghijklmnopqrstuvwxyz234567", k=52))
        return {"cid": cid, "codec": self.right(codec, "int8.1", "xor.1"), "sha256": self.hash(), "size": 9}

    def rules(self) -> Record:
        public = self.sealing.public
        keys: Record = {"aggregator": public, "validator": public, "auditors": [self.right(public, "00" * 32)]}
        grants = GRANTS[: self.chance.randint(3, len(GRANTS))] if self.flag(0.1) else GRANTS
        policy = policy_with(
            PROBE, str(self.right(TEST, PROBE)), patience_threshold=2, round_quorum=self.chance.choice([3000, 10_000]),
            min_class_recall=self.chance.choice([0, 0, 100]), min_accuracy_threshold=self.chance.choice([0, 8500]),
            enable_client_exclusion=self.flag(0.8), aggregation=self.right("fedavg.1", "median.1"),
        )  # fmt: skip
        return {"policy": policy, "keys": keys, "grants": [{"msp": msp, "role": role} for msp, role in grants]}

    def register_model(self) -> Call:
        name = str(self.right(MODEL, "other"))
        first = genesis_version(name, self.hash(), {**self.blob(), "codec": self.right("whole.1", "xor.1")})
        rules = self.rules()
        made = model_record(
            name, str(self.right(self.genesis, self.hash())), {"name": "x"}, first, record_at(rules, "keys"),
            record_at(rules, "policy"), GRANTS,
        )  # fmt: skip
        return Call(self.who("admin"), "RegisterModel", (made, first))

    def register_participant(self) -> Call:
        site = self.chance.choice(self.sites)
        organisation, public = self.chance.choice(["Org1MSP", "Org2MSP"]), self.right(site.sealing.public, "00" * 32)
        call = self.make(self.who("admin"), "RegisterParticipant", "participant.1", participant=site.name,
                         organisation=organisation, ed25519=site.signing.public, x25519=public)  # fmt: skip
        return self.signed(call, site)

    def signed(self, call: Call, site: Site) -> Call:
        schema = text_at(parse(call.arguments[0]), "schema")
        signer = site if not self.flag(self.error) else self.chance.choice(self.sites)
        signature = signer.signing.sign(signing_text(schema, self.genesis, call.arguments[0]))
        return Call(call.who, call.function, (call.arguments[0], str(self.right(signature, "00" * 64)).encode()))

    def participant_number(self, name: str) -> int:
        state = self.value(f"participant/{MODEL}/{name}")
        return number_at(state, "outcome", "number") if state else 0

    def set_status(self) -> Call:
        name = self.chance.choice(self.sites).name
        status = self.chance.choice(["active", "excluded", "reinstated", "reinstated", "left"])
        return self.make(
            self.who("admin", "operator", "aggregator"), "SetParticipantStatus", "participant-status.1",
            participant=name, number=self.number(self.participant_number(name) + 1), status=status,
            reason_code="other", text_hash="", evidence=self.chance.choice(["", self.hash()]),
            decision=self.chance.choice(["", self.version(), text_at(self.head("version"), "id")]),
        )  # fmt: skip

    def rotate_key(self) -> Call:
        site, fresh = self.chance.choice(self.sites), Site("fresh")
        call = self.make(
            self.who("admin"), "RotateParticipantKey", "participant-key.1", participant=site.name,
            number=self.number(self.participant_number(site.name) + 1),
            ed25519=self.right(fresh.signing.public, site.signing.public), x25519=fresh.sealing.public,
        )  # fmt: skip
        site.fresh = fresh
        return self.signed(call, fresh)

    def register_dataset(self) -> Call:
        site, kind = self.chance.choice(self.sites), self.chance.choice(["probe", "test", "shard", "shard"])
        sha256 = SET.get(kind, site.shard)
        owner = self.right(site.name if kind == "shard" else "", "", "site-a")
        return self.make(self.who("admin"), "RegisterDataset", "dataset.1", dataset="x", kind=kind, version="1",
                         sha256=self.right(sha256, self.hash()), examples=100, participant=owner)  # fmt: skip

    def propose_policy(self) -> Call:
        return self.make(self.who("operator"), "ProposePolicy", "policy-proposal.1",
                         number=self.number(self.policy() + 1), **self.rules())  # fmt: skip

    def approve_policy(self) -> Call:
        proposals = self.names("proposal/")
        return self.make(self.who("approver"), "ApprovePolicy", "policy-approval.1",
                         proposal=self.chance.choice(proposals or [self.hash()]))  # fmt: skip

    # --- rounds

    def open_round(self) -> Call:
        names: list[Value] = [*sorted(name for name in self.names(f"participant/{MODEL}/") if self.is_active(name))]
        return self.make(
            self.who("aggregator"), "OpenRound", "round.1", number=self.number(self.round() + 1),
            epoch=self.number(self.epoch()), base=self.right(self.live(), self.version()),
            participants=self.right(names, [], ["site-a", "site-d"]), policy=self.number(self.policy()),
            hyperparameters={}, deadline_at=self.right(self.now_s() + 600, 1),
        )  # fmt: skip

    def is_active(self, name: str) -> bool:
        state = self.value(f"participant/{MODEL}/{name}")
        return bool(state) and record_at(state, "outcome")["status"] == "active"

    def anchor_updates(self) -> Call:
        opened = self.value(f"round/{MODEL}/{self.round()}")
        items: list[Value] = []
        for site in self.sites:
            if opened and self.flag(0.6):
                self.manifests.append(self.manifest(record_at(opened, "record"), site))
            if self.manifests and self.flag(0.8):
                manifest, signature = self.manifests[-1] if self.flag(0.9) else self.chance.choice(self.manifests)
                items.append({"manifest": manifest.decode(), "signature": signature})
        return Call(
            self.chance.choice(EVERYBODY), "AnchorUpdates", (encode({"schema": "anchor-batch.1", "items": items}),)
        )

    def manifest(self, opened: Record, site: Site) -> tuple[bytes, str]:
        manifest = encode({
            "schema": "update.1", "model": self.right(MODEL, "other"), "round": self.number(self.round()),
            "epoch": self.number(number_at(opened, "epoch")), "base": self.right(opened["base"], self.version()),
            "participant": self.right(site.name, "site-a", "nobody"), "examples": self.right(50, 101, 100),
            "blob": self.blob(), "shard": self.right(site.shard, self.hash(), self.sites[0].shard), "self_reported": {},
        })  # fmt: skip
        return manifest, site.signing.sign(signing_text("update.1", self.genesis, manifest))

    def seal(self, number: int) -> Record:
        state = self.value(f"round/{MODEL}/{number}")
        if not state:
            return {"chain": "00" * 32, "count": 0}
        outcome = record_at(state, "outcome")
        return {"chain": self.right(outcome["chain"], self.hash()), "count": self.number(number_at(outcome, "count"))}

    def close_round(self) -> Call:
        number = max(1, int(str(self.number(self.round()))))
        return self.make(self.who("aggregator"), "CloseRound", "close.1", round=number, **self.seal(number),
                         outcome=self.chance.choice(["sealed", "sealed", "failed"]), reason_code="other")  # fmt: skip

    def register_version(self) -> Call:
        number = self.round() if self.flag(0.8) else self.chance.randint(1, max(1, self.round()))
        opened = self.value(f"round/{MODEL}/{number}")
        parent = record_at(opened, "record")["base"] if opened else self.live()
        kind = "replay" if opened and record_at(opened, "record")["epoch"] != self.epoch() else "aggregate"
        included, excluded = self.accounted(number)
        rule = record_at(self.value(f"policy/{MODEL}/{self.policy()}"), "record", "policy")["aggregation"]
        return self.make(
            self.who("aggregator"), "RegisterModelUpdate", "version.1", kind=self.right(kind, "aggregate", "replay"),
            number=self.number(number_at(self.head("version"), "number") + 1), epoch=self.number(self.epoch()),
            parent=self.right(parent, self.version()), round=max(number, 1), sealed=self.seal(number),
            weights=self.hash(), blob=self.blob("xor.1"), rule=self.right(rule, "median.1"), included=included,
            excluded=excluded, hyperparameters={},
        )  # fmt: skip

    def accounted(self, number: int) -> tuple[list[Value], list[Value]]:
        included: list[Value] = []
        excluded: list[Value] = []
        for name in self.names(f"update/{MODEL}/{number}/"):
            state = self.value(f"update/{MODEL}/{number}/{name}")
            if self.flag(0.2) or not self.is_active(name):
                rule, score = ("excluded.1", self.participant_number(name)) if self.flag(0.6) else ("norm.1", 5)
                excluded.append({"participant": name, "rule": rule, "score": score, "update": state["id"]})
            elif not self.flag(self.error):
                examples = self.right(number_at(state, "record", "examples"), 7)
                included.append({"examples": examples, "participant": name, "update": state["id"]})
        return included, excluded

    # --- scores and moves

    def record_validation(self) -> Call:
        purpose = self.chance.choice(["probe", "probe", "probe", "test", "rescore"])
        metrics: Record = {
            "accuracy_bp": self.chance.randint(8000, 9500),
            "loss_micro": 1,
            "examples": self.right(100, 99),
        }
        if self.flag(0.7):
            metrics["class_recall_bp"] = [9000, self.chance.choice([50, 9000, 9000])]
        sha256 = self.right(SET.get(purpose, PROBE), PROBE, TEST, self.sites[0].shard)
        version = self.live() if purpose == "test" else self.newest()
        return self.make(
            self.who("validator"), "RecordValidation", "validation.1", version=version, purpose=purpose,
            dataset={"sha256": sha256, "version": self.right("1", "2")}, metrics=metrics, evaluator="x",
        )  # fmt: skip

    def promote(self) -> Call:
        return self.make(
            self.who("aggregator"), "Promote", "promotion.1", version=self.newest(), expected_seq=self.move()
        )

    def target(self) -> Value:
        """Mostly where the pointer has been."""
        went_live = [name for name in self.names("status/") if self.value(f"status/{name}")["promoted"]]
        return self.right(self.chance.choice(went_live), self.version(), self.live())

    def left_behind(self) -> Value:
        return [self.version() for _ in range(self.chance.choice([0, 0, 0, 1, 2]))]

    def request_rollback(self) -> Call:
        drill, broken = self.flag(0.2), self.flag(0.3)
        reason = "drill" if drill else "security_incident" if broken else self.chance.choice(REASONS)
        return self.make(
            self.who("operator"), "RequestRollback", "rollback-request.1", to=self.target(), expected_seq=self.move(),
            reason_code=reason, text_hash="", incident=str(self.chance.random()), priority="high",
            quarantine=[] if drill else self.left_behind(), break_glass=broken, drill=drill,
            expires_at=self.right(self.now_s() + 7200, 5),
        )  # fmt: skip

    def approve_rollback(self) -> Call:
        return self.make(self.who("approver"), "ApproveRollback", "rollback-approval.1", request=self.request())

    def reject_rollback(self) -> Call:
        return self.make(self.who("approver", "operator"), "RejectRollback", "rollback-rejection.1",
                         request=self.request(), text_hash="")  # fmt: skip

    def roll_back(self) -> Call:
        asked = self.value(f"rollback/{self.request()}")
        if asked and self.flag():
            record = record_at(asked, "record")
            kept = {name: record[name] for name in ("to", "reason_code", "quarantine", "expected_seq")}
            kept["to"] = self.right(kept["to"], self.version())
            return self.make(
                self.who("operator"), "RollbackModel", "rollback.1", request=asked["id"], decision="", **kept
            )
        newest = self.newest()
        decided = self.value(f"decision/{newest}")
        target = decided.get("target") or self.version()
        return self.make(
            self.who("aggregator"), "RollbackModel", "rollback.1", to=self.right(target, self.version()), request="",
            expected_seq=self.move(), decision=newest, reason_code=self.right("regression_auto", "other"),
            quarantine=[newest] if self.flag() else self.left_behind(),
        )  # fmt: skip

    def review(self) -> Call:
        waiting = self.value(f"rollback/{MODEL}/unreviewed").get("request") or self.request()
        return self.make(self.who("approver"), "ReviewBreakGlass", "break-glass-review.1", request=waiting,
                         verdict=self.chance.choice(["justified", "unjustified"]), text_hash="")  # fmt: skip

    def acknowledge(self) -> Call:
        items: list[Value] = []
        held = record_at(self.value(f"version/{self.live()}"), "record")["weights"]
        for site in self.sites[: self.chance.randint(1, 4)]:
            ack = encode({"schema": "ack.1", "model": MODEL, "seq": self.move(), "participant": site.name,
                          "weights": self.right(held, self.hash())})  # fmt: skip
            signature = site.signing.sign(signing_text("ack.1", self.genesis, ack))
            items.append({"ack": ack.decode(), "signature": signature})
        return Call(self.chance.choice(EVERYBODY), "AckRollback", (encode({"schema": "ack-batch.1", "items": items}),))

    def freeze(self) -> Call:
        return self.frozen(self.who("operator", "aggregator"), "Freeze", "freeze.1")

    def resume(self) -> Call:
        return self.frozen(self.who("operator"), "Resume", "resume.1")

    def frozen(self, who: str, function: str, schema: str) -> Call:
        seq = self.number(number_at(self.head("pointer"), "seq"))
        return self.make(who, function, schema, expected_seq=seq, reason_code="other", text_hash="")

    def quarantine(self) -> Call:
        return self.make(self.who("operator"), "Quarantine", "quarantine.1", version=self.version(),
                         reason_code="other", text_hash=self.chance.choice(["", self.hash()]))  # fmt: skip

    def hold(self) -> Call:
        return self.make(self.who("operator"), "SetHold", "hold.1", version=self.version(), held=self.flag(),
                         reason_code="other", text_hash=self.hash())  # fmt: skip

    def anchor_root(self) -> Call:
        head = self.value("root/access/head") or {"number": 0, "entries": 0}
        record: Record = {
            "schema": "root.1", "log": "access", "number": self.number(number_at(head, "number") + 1),
            "root": self.hash(), "entries": self.number(number_at(head, "entries") + self.chance.randint(0, 3)),
        }  # fmt: skip
        return Call(self.who("aggregator"), "AnchorRoot", (encode(record),))

    def erase(self) -> Call:
        blobs = self.names("blob/")
        sha256 = self.chance.choice(blobs or [self.hash()])
        owner = self.value(f"blob/{sha256}").get("participant", "")
        return self.make(self.who("aggregator"), "RecordErasure", "erasure.1", blob=sha256,
                         participant=self.right(owner, "", "site-a"), wraps=1, reason_code="other")  # fmt: skip

    def complete(self) -> Call:
        """Rarely: nothing trains after it."""
        if self.flag(0.97):
            return self.hold()
        version = self.right(self.live(), self.version())
        return self.make(self.who("aggregator"), "CompleteTraining", "completion.1", version=version,
                         reason_code="completed", summary={})  # fmt: skip


def accepted(improviser: Improviser, call: Call) -> None:
    """A participant whose new keys are on the ledger uses them from now on."""
    improviser.taken.append(call)
    if call.function == "RotateParticipantKey":
        name = text_at(parse(call.arguments[0]), "participant")
        site = next(site for site in improviser.sites if site.name == name)
        if site.fresh and text_at(parse(call.arguments[0]), "ed25519") == site.fresh.signing.public:
            site.signing, site.sealing = site.fresh.signing, site.fresh.sealing
