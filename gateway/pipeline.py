"""One round on one page.

Order is the safety argument. Content is stored before its record is committed, and a record is committed before the
index and everything that is decided from it know of it:

 (1) open the round on what is live, and ask the participants to train
 (2) their updates come in through the API and are anchored in batches (`handin.py`, `anchoring.py`)
 (3) close it: all in, or the deadline and the quorum
 (4) aggregate the updates as anchored; seal the version, store it, read it back, keep its keys (`aggregation.py`)
 (5) register the version
 (6) ask the validator to score it; it records the score itself, and the contract decides
 (7) do as decided: promote it, or go back
 (8) have what went live scored once on the test set
 (9) after any rollback, also one by people: fence off what was open, ask everyone to go back, wait for their word
(10) complete by the criteria, or open the next round

Which step is next follows from what the ledger and the kept rows say, and from nothing else (`provenance/steps.py`).
Every step is safe to do twice: bytes and records are made once, kept, and used again; a record that the ledger has
already is answered like a new one. So killing this at any moment and starting it again ends the round as it would have.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import select

from gateway import aggregation, leases, lineage, tasks, trainings, troubles, wraps
from gateway.blobs import BlobError
from gateway.ledger import CommitUnknown, LedgerUnavailable, Refused
from gateway.lineage_db import Model, Version
from gateway.projection import IndexBehind
from gateway.provenance import steps
from gateway.standing import standing
from gateway.system import System
from gateway.tasks import Task
from gateway.weights import CannotOpen
from gateway.writes import write_once
from sealed.keys import kid_of

log = logging.getLogger(__name__)

LEASE = "pipeline"
LOOK_AGAIN_S = 1.0
RETRY_S = 1.0
MAY_PASS = (LedgerUnavailable, CommitUnknown, Refused, IndexBehind, BlobError, CannotOpen)


def run(system: System, stop: threading.Event) -> None:
    while not stop.is_set():
        heard = system.bell.rings
        if leases.hold(system.database, LEASE, system.identity, system.now(), system.pipeline_lease_s):
            for model in _models(system):
                drive(system, model, stop)
        system.bell.wait(heard, LOOK_AGAIN_S)
    leases.give_up(system.database, LEASE, system.identity)


def drive(system: System, model: str, stop: threading.Event) -> None:
    """Take steps until there is something to wait for."""
    try:
        while not stop.is_set():
            with system.database.reading() as session:
                step = steps.next_step(standing(session, system.tasks, model, system.now()))
            if isinstance(step, steps.Wait):
                return troubles.note(system.database, model, "", system.now())
            log.info("%s: %s", model, step)
            ACTS[type(step)](system, model, step)
    except MAY_PASS as trouble:
        troubles.note(system.database, model, f"{type(trouble).__name__}: {trouble}", system.now())
        stop.wait(RETRY_S)


def _models(system: System) -> Sequence[str]:
    with system.database.reading() as session:
        return session.scalars(select(Model.model).order_by(Model.model)).all()


def open_round(system: System, model: str, step: steps.OpenRound) -> None:  # (1)
    with system.database.reading() as session:
        policy, _ = lineage.policy(session, model)
        epoch, base = lineage.epoch(session, model), lineage.pointer(session, model).to
        run = trainings.running(session, model)

    def record() -> dict[str, Any]:
        return {
            "schema": "round.1",
            "model": model,
            "number": step.number,
            "epoch": epoch,
            "base": base,
            "participants": sorted(step.participants),
            "policy": policy,
            "hyperparameters": run.hyperparameters,
            "deadline_at": system.now() + run.round_seconds,
        }

    write_once(system, f"open {model} {step.number} {epoch} {base}", "OpenRound", record)


def ask_to_train(system: System, model: str, step: steps.AskToTrain) -> None:  # (1)
    with system.database.reading() as session:
        round_ = lineage.round_(session, model, step.number)
        base, record = lineage.steps(session, round_.base), lineage.record_text(round_)
        _, policy = lineage.policy(session, model)
        architecture = lineage.model(session, model).record["architecture"]
    recipients = [{"kid": kid_of(public), "x25519": public} for public in wraps.for_update(policy["keys"])]
    payload = {
        "architecture": architecture,
        "round": record,
        "base": [lineage.step(row) for row in base],
        "recipients": recipients,
        "deadline_at": round_.deadline_at,
    }
    _ask_participants(system, model, "TRAIN", base[-1], tasks.of_round(step.number), step.participants, payload)


def close_round(system: System, model: str, step: steps.CloseRound) -> None:  # (3) (9)
    with system.database.reading() as session:
        round_ = lineage.round_(session, model, step.number)
    record = {
        "schema": "close.1",
        "model": model,
        "round": step.number,
        "outcome": step.outcome,
        "count": round_.count,
        "chain": round_.chain,
        "reason_code": step.reason_code,
    }
    write_once(system, f"close {model} {step.number}", "CloseRound", lambda: record)


def aggregate(system: System, model: str, step: steps.Aggregate) -> None:  # (4) (5)
    try:
        record = aggregation.sealed_version(system, model, step.number)
    except aggregation.NothingToAggregate as nothing:
        aggregation.spoil(system, model, step.number, str(nothing))
    else:
        write_once(system, f"version {model} {step.number}", "RegisterModelUpdate", lambda: record)


def ask_to_validate(system: System, model: str, step: steps.AskToValidate) -> None:  # (6) (8)
    with system.database.reading() as session:
        needed = lineage.steps(session, step.version)
        architecture = lineage.model(session, model).record["architecture"]
    payload = {
        "architecture": architecture,
        "version": lineage.record_text(needed[-1]),
        "steps": [lineage.step(row) for row in needed],
        "purpose": step.purpose,
    }
    about = tasks.of_validation(step.version, step.purpose)
    system.tasks.offer([_task(system, model, "VALIDATE", needed[-1], about, tasks.VALIDATOR, payload)])


def promote(system: System, model: str, step: steps.Promote) -> None:  # (7)
    record = {
        "schema": "promotion.1",
        "model": model,
        "version": step.version,
        "expected_seq": step.expected_seq,
    }
    write_once(system, f"promote {model} {step.version}", "Promote", lambda: record)


def roll_back(system: System, model: str, step: steps.RollBack) -> None:  # (7)
    record = {
        "schema": "rollback.1",
        "model": model,
        "to": step.target,
        "expected_seq": step.expected_seq,
        "request": "",
        "decision": step.decision,
        "reason_code": "regression_auto",
        "quarantine": [],
    }
    write_once(system, f"rollback {model} {step.decision}", "RollbackModel", lambda: record)


def ask_to_roll_back(system: System, model: str, step: steps.AskToRollBack) -> None:  # (9)
    with system.database.reading() as session:
        needed = lineage.steps(session, step.version)
    target = needed[-1]
    payload = {
        "model": model,
        "seq": step.seq,
        "target": [lineage.step(row) for row in needed],
        "weights": target.weights,
    }
    _ask_participants(system, model, "ROLLBACK", target, tasks.of_move(step.seq), step.participants, payload)


def end_run(system: System, model: str, step: steps.EndRun) -> None:  # (10)
    with system.database.reading() as session:
        live, run = lineage.pointer(session, model).to, trainings.running(session, model)
    if step.complete:
        record = {
            "schema": "completion.1",
            "model": model,
            "version": live,
            "reason_code": "completed",
            "summary": {"criterion": step.reason, "run": run.number},
        }
        write_once(system, f"complete {model}", "CompleteTraining", lambda: record)
    trainings.end(system.database, model, run.number, step.reason, system.now())


def _ask_participants(
    system: System, model: str, kind: str, version: Version, about: str, names: frozenset[str], payload: dict[str, Any]
) -> None:
    recipients = [tasks.participant(model, name) for name in sorted(names)]
    system.tasks.offer([_task(system, model, kind, version, about, recipient, payload) for recipient in recipients])


def _task(
    system: System, model: str, kind: str, version: Version, about: str, recipient: str, payload: dict[str, Any]
) -> Task:
    return Task(
        task_type=kind,
        model=model,
        about=about,
        recipient=recipient,
        model_version_id=version.version,
        parent_version_id=version.parent,
        payload=payload,
        created_at=system.now(),
    )


ACTS: dict[type[steps.Step], Callable[[System, str, Any], None]] = {
    steps.OpenRound: open_round,
    steps.AskToTrain: ask_to_train,
    steps.CloseRound: close_round,
    steps.Aggregate: aggregate,
    steps.AskToValidate: ask_to_validate,
    steps.Promote: promote,
    steps.RollBack: roll_back,
    steps.AskToRollBack: ask_to_roll_back,
    steps.EndRun: end_run,
}
