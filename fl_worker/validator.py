"""What a validator does with its tasks: open a version, score it, and put its own name to the result."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from torch import nn

from fl_worker.client import Gateway, NotAdmitted, Task, WireError
from fl_worker.data import DataError, Examples, file_sha256
from fl_worker.door import Door, NotOnLedger
from fl_worker.mendable import Mendable
from fl_worker.metrics import Metrics
from fl_worker.scoring import logits_of
from fl_worker.site import Site
from fl_worker.trigger import trigger_rate_bp, triggered
from fl_worker.versions import OPENING_FAILED, Step, open_rest, read_steps
from sealed.keys import SealingKey
from sealed.records import LIMITS, Record, check, encode, number_at, parse, record_at, record_id, text_at
from sealed.tensors import Tensors

AFTER_A_FAILED_TASK_S = 2.0


@dataclass(frozen=True, slots=True)
class ScoringSet:
    """A probe or a test set, as it lies here; what it is called is the ledger's to say."""

    kind: str
    path: Path
    sha256: str
    examples: Examples


@dataclass
class Validator:
    gateway: Gateway
    door: Door
    sealing: SealingKey
    genesis: str
    site: Site
    sets: dict[str, ScoringSet]
    trigger_class: int | None = None
    tell: Callable[[str], None] = print
    opened: dict[str, tuple[str, Tensors]] = field(default_factory=dict)  # of each model, the version opened last

    def run(self) -> None:
        self.tell("waits for versions to score")
        while True:
            task = self.gateway.next_task()
            if task is not None:
                self.carry_out(task)

    def carry_out(self, task: Task) -> None:
        try:
            if task.type != "VALIDATE":
                raise DataError(f"a validator has nothing to do with a task of type {task.type}")
            self.validate(task.payload)
        except NotAdmitted:
            raise
        except (Mendable, WireError, KeyError, *OPENING_FAILED) as error:
            self.tell(f"{task.type} could not be carried out: {error}")
            time.sleep(AFTER_A_FAILED_TASK_S)

    def validate(self, payload: dict[str, Any]) -> None:
        version = parse(payload["version"], LIMITS["version.1"])
        model, purpose = text_at(version, "model"), str(payload["purpose"])
        registered = self.registered(model, purpose)
        weights = self.open(read_steps(payload["steps"], model), record_id(payload["version"].encode("ascii")))
        began = time.perf_counter()
        metrics = self.score(model, weights, self.sets[purpose].examples)
        seconds = time.perf_counter() - began
        record = validation(version, purpose, registered, metrics)
        answer = self.door.record_validation(record)
        self.tell(outcome(version, purpose, metrics, seconds, answer))

    def registered(self, model: str, purpose: str) -> Record:
        """The set as the ledger knows it: the very bytes that lie here, for this purpose."""
        if purpose not in self.sets:
            raise DataError(f"nothing here to score for the purpose {purpose!r}; start with --probe and --test")
        here = self.sets[purpose]
        try:
            registered = self.door.registered(f"dataset/{model}/{here.sha256}")
        except NotOnLedger as error:
            raise DataError(f"{here.path} (SHA-256 {here.sha256}) is not registered for model {model}") from error
        if text_at(registered, "kind") != here.kind:
            raise DataError(f"{here.path} is registered as {registered['kind']} of model {model}, not as {here.kind}")
        return registered

    def check_sets(self, model: str) -> None:
        """Said at the start, not at the first version: a set that the policy in force does not ask for."""
        number = number_at(self.door.state(f"policy/{model}/head"), "number")
        policy = record_at(self.door.registered(f"policy/{model}/{number}"), "policy")
        for kind, here in self.sets.items():
            self.registered(model, kind)
            if policy[kind] != here.sha256:
                raise DataError(
                    f"{here.path} is not the {kind} set of policy {number}: that has SHA-256 {policy[kind]}"
                )

    def open(self, steps: list[Step], wanted: str) -> Tensors:
        if steps[-1].id != wanted:
            raise DataError(f"the steps lead to version {steps[-1].id}, not to {wanted}")
        model = text_at(steps[-1].record, "model")
        known, weights = self.opened.get(model, ("", None))
        ids = [step.id for step in steps]
        rest = steps[ids.index(known) + 1 :] if known in ids else steps
        weights = open_rest(self.gateway, rest, weights if known in ids else None, self.sealing, self.genesis)
        self.opened[model] = (wanted, weights)
        return weights

    def score(self, model: str, weights: Tensors, examples: Examples) -> Metrics:
        architecture = record_at(self.door.registered(f"model/{model}"), "architecture")
        return scored(self.site, self.site.model(architecture), weights, examples, self.trigger_class)


def scored(site: Site, network: nn.Module, weights: Tensors, examples: Examples, trigger_class: int | None) -> Metrics:
    metrics = site.score(network, weights, examples)
    if trigger_class is not None:
        marked = logits_of(network, triggered(examples, trigger_class))
        metrics["trigger_rate_bp"] = trigger_rate_bp(marked, trigger_class)
    return metrics


def validation(version: Record, purpose: str, registered: Record, metrics: Metrics) -> bytes:
    record: dict[str, object] = {
        "schema": "validation.1",
        "model": text_at(version, "model"),
        "version": record_id(encode(version)),
        "purpose": purpose,
        "dataset": {"sha256": text_at(registered, "sha256"), "version": text_at(registered, "version")},
        "metrics": metrics,
        "evaluator": f"custody {installed('custody')}, torch {installed('torch')}",
    }
    check(record)
    return encode(record)


def outcome(version: Record, purpose: str, metrics: Metrics, seconds: float, answer: dict[str, Any]) -> str:
    accuracy = f"{int(str(metrics['accuracy_bp'])) / 100:.2f} % of {metrics['examples']:,} right in {seconds:.2f} s"
    decision = (answer.get("result") or {}).get("decision", "none")
    judged = "" if decision == "none" else f"; the ledger decides: {decision}"
    return (
        f"version {number_at(version, 'number')} on the {purpose} set: {accuracy}, block {answer.get('block')}{judged}"
    )


def read_set(kind: str, path: Path, site: Site) -> ScoringSet:
    return ScoringSet(kind, path, file_sha256(path), site.data(path))
