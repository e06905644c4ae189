"""What a worker does with its tasks. Each is safe to begin again: what was made once is kept, and used again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fl_worker import rounds
from fl_worker.client import Gateway, NotAdmitted, Receipt, Refused, Task, Untrustworthy, WireError
from fl_worker.data import Examples, Shard, check_sha256
from fl_worker.faults import Honest
from fl_worker.home import Held, Home, HomeError
from fl_worker.mendable import Mendable
from fl_worker.model import Architecture, UnknownArchitecture
from fl_worker.progress import TrainingProgress
from fl_worker.rounds import KeptRound, SealedUpdate
from fl_worker.site import Site
from fl_worker.train import Hyperparameters, Trained, seed_of
from fl_worker.versions import OPENING_FAILED, Step, open_rest, read_steps
from sealed.cid import address_of, check_address
from sealed.codec import CodecError
from sealed.keys import wrap_key
from sealed.manifest import build_manifest, sign_manifest
from sealed.records import (
    LIMITS,
    Record,
    encode,
    number_at,
    parse,
    record_at,
    record_id,
    signing_text,
    text_at,
)
from sealed.tensors import TensorError, Tensors, weights_hash
from sealed.updates import DEFAULT_CODEC
from sealed.versions import VersionError

AFTER_A_FAILED_TASK_S = 2.0

TaskFailed = (Mendable, WireError, KeyError, *OPENING_FAILED)


@dataclass
class Worker:
    home: Home
    gateway: Gateway
    site: Site
    data: Path
    shard: Shard
    expected: Architecture | None = None
    fault: Honest = field(default_factory=Honest)
    tell: Callable[[str], None] = print
    given_up: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Until it is stopped, or told that it does not belong here any more."""
        self.tell(f"{self.home.identity.name} waits for rounds of {self.home.identity.model}")
        while True:
            task = self.gateway.next_task()
            if task is not None:
                self.carry_out(task)

    @property
    def tasks(self) -> dict[str, Callable[[dict[str, Any]], None]]:
        return {"TRAIN": self.take_part, "ROLLBACK": self.roll_back}

    def carry_out(self, task: Task) -> None:
        try:
            if task.type not in self.tasks:
                raise Untrustworthy("a participant has nothing to do with tasks of this type")
            self.tasks[task.type](task.payload)
        except NotAdmitted:
            raise
        except TaskFailed as error:
            self.tell(f"{task.type} could not be carried out: {error}")
            time.sleep(AFTER_A_FAILED_TASK_S)

    # A round

    def take_part(self, payload: dict[str, Any]) -> None:
        this_round = parse(payload["round"], LIMITS["round.1"])
        round_id = record_id(payload["round"].encode("ascii"))
        if round_id in self.given_up:
            return
        kept = rounds.find(self.home.rounds, round_id)
        try:
            kept = kept or self.train_and_keep(round_id, this_round, payload)
        except (Mendable, CodecError) as error:
            self.given_up.add(round_id)
            self.tell(f"round {number_at(this_round, 'number')}: {error}")
            return
        self.hand_in(kept, payload["recipients"])

    def train_and_keep(self, round_id: str, this_round: Record, payload: dict[str, Any]) -> KeptRound:
        base_version, base = self.open_version(read_steps(payload["base"], self.home.identity.model))
        if base_version.id != text_at(this_round, "base"):
            raise VersionError(f"the task's base is version {base_version.id}, the round's {this_round['base']}")
        trained = self.train(this_round, self.architecture(payload), base)
        sealed = self.seal(this_round, self.fault.trained(trained, base), base)
        return rounds.keep(self.home.rounds, round_id, sealed)

    def architecture(self, payload: dict[str, Any]) -> Architecture:
        """What the gateway says that the model is, else what the site was prepared for. A site that was started for one
        trains no other."""
        said = payload.get("architecture") or self.expected or self.shard.architecture
        if not said:
            raise UnknownArchitecture("the gateway does not say what to train: start the worker with --architecture")
        if self.expected not in (None, said):
            raise UnknownArchitecture(f"the model is {said}; this worker was started to train {self.expected}")
        return said

    def train(self, this_round: Record, architecture: Architecture, base: Tensors) -> Trained:
        number, examples = number_at(this_round, "number"), self.examples()
        wish = Hyperparameters.read(record_at(this_round, "hyperparameters"))
        seed = seed_of(self.home.identity.model, number, self.home.identity.name, wish.seed)
        self.tell(f"round {number}: training on {len(examples):,} examples")
        model = self.site.model(architecture)
        return self.site.train(model, base, examples, wish, seed, TrainingProgress(f"round {number}"))

    def examples(self) -> Examples:
        check_sha256(self.data, self.shard.sha256)
        return self.fault.examples(self.site.data(self.data))

    def seal(self, this_round: Record, trained: Trained, base: Tensors) -> SealedUpdate:
        who, codec = self.home.identity, str(record_at(this_round, "hyperparameters").get("codec", DEFAULT_CODEC))
        sealed = self.fault.seal(trained, base, this_round, who, codec)
        blob = self.fault.blob(sealed.blob, self.home.path)
        named, shard = {**address_of(blob), "codec": sealed.codec}, self.shard.commitment
        manifest = build_manifest(this_round, who.name, trained.examples, named, shard, trained.self_reported)
        signature = sign_manifest(manifest, who.genesis, self.home.signing)
        return SealedUpdate(manifest, signature, sealed.key, sealed.dek, blob)

    def hand_in(self, kept: KeptRound, recipients: list[dict[str, str]]) -> None:
        number = number_at(kept.manifest, "round")
        if (outcome := kept.outcome()) is not None:
            self.tell(f"round {number} is done: {outcome['outcome']}")
            return
        self.fault.before_handing_in()
        update = kept.update()
        try:
            receipt = self.send(update, recipients)
        except Refused as refusal:
            kept.end({"outcome": "refused", "reason": str(refusal)})
            self.tell(f"round {number}: the ledger refused the update: {refusal}")
            return
        kept.end({"outcome": "accepted", "receipt": receipt.record, "signature": receipt.signature})
        size = len(update.blob) / 1000
        self.tell(f"round {number}: handed in {size:,.1f} kB, anchored in block {receipt.record['block']}")

    def send(self, update: SealedUpdate, recipients: list[dict[str, str]]) -> Receipt:
        """Bytes first, and read back, before anything is said about them."""
        blob = record_at(parse(update.manifest), "blob")
        sha256 = text_at(blob, "sha256")
        self.gateway.put_blob(sha256, update.blob)
        check_address(self.gateway.blob(sha256), blob)
        wraps = [wrap_key(update.key, one["x25519"], update.dek, sha256) for one in recipients]
        return self.gateway.hand_in(update.manifest, update.signature, wraps)

    # A rollback

    def roll_back(self, payload: dict[str, Any]) -> None:
        identity = self.home.identity
        target, weights = self.open_version(read_steps(payload["target"], identity.model))
        if weights_hash(weights) != payload["weights"]:
            raise VersionError(f"version {target.number} does not have the weights that the rollback names")
        unsent = rounds.discard_unsent(self.home.rounds)
        ack = encode({
            "schema": "ack.1",
            "model": identity.model,
            "seq": payload["seq"],
            "participant": identity.name,
            "weights": weights_hash(weights),
        })  # fmt: skip
        self.gateway.acknowledge(ack, self.home.signing.sign(signing_text("ack.1", identity.genesis, ack)))
        left = f", {len(unsent)} unsent update discarded" if unsent else ""
        self.tell(f"rolled back to version {target.number} (move {payload['seq']}){left}; acknowledged")

    # Versions

    def open_version(self, steps: list[Step]) -> tuple[Step, Tensors]:
        """The last of the steps, which the site then holds; what it already holds is not fetched again."""
        weights, rest = self.from_held(steps)
        weights = open_rest(self.gateway, rest, weights, self.home.sealing, self.home.identity.genesis)
        if rest:
            self.home.hold(Held(steps[-1].id, steps[-1].number, weights_hash(weights)), weights)
        return steps[-1], weights

    def from_held(self, steps: list[Step]) -> tuple[Tensors | None, list[Step]]:
        held = self.home.held()
        ids = [step.id for step in steps]
        if held is None or held.version not in ids:
            return None, steps
        try:
            return self.home.held_weights(held), steps[ids.index(held.version) + 1 :]
        except (HomeError, TensorError) as error:
            self.tell(f"{error}; fetching it anew")
            return None, steps
