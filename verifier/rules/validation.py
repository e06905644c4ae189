"""Validations: what a validator measured, and what the judge, not the validator, made of it."""

from __future__ import annotations

from dataclasses import replace

from sealed.judge import JudgeState, judge
from sealed.records import Record, flag_at, number_at, record_at, text_at
from verifier.rules.call import Call, Signed, demand
from verifier.rules.model import Model, model_of
from verifier.rules.pointer import pointer_of
from verifier.rules.version import newest_version, version_of


def record_validation(call: Call, signed: Signed) -> Record:
    model, record = model_of(call, signed), signed.record
    model.demand_granted("validator")
    version = version_of(model, text_at(record, "version"))
    policy = policy_of(model, version)
    check_set(model, record, policy)
    check_purpose(model, record, policy)
    outcome = verdict(model, signed, version, policy)
    head = call.get(f"validation/{record['version']}/head")
    number = number_at(head, "number") + 1 if head else 1
    call.keep(f"validation/{record['version']}/{number}", signed, outcome)
    call.put(f"validation/{record['version']}/head", {"number": number})
    return {**outcome, "number": number}


def policy_of(model: Model, version: Record) -> Record:
    """That of the version's round; for a genesis version the model's first."""
    if text_at(version, "kind") == "genesis":
        return record_at(model.rules_at(1), "policy")
    opened = model.call.record(model.key("round", number_at(version, "round")))
    return record_at(model.rules_at(number_at(opened, "policy")), "policy")


def check_set(model: Model, record: Record, policy: Record) -> None:
    purpose, cited = text_at(record, "purpose"), record_at(record, "dataset")
    registered = model.call.record(model.key("dataset", text_at(cited, "sha256")))
    demand(text_at(registered, "kind") in {"probe", "test"}, "a shard scores nothing")
    demand(cited["version"] == registered["version"], "the set has another version")
    examples = number_at(registered, "examples")
    demand(number_at(record, "metrics", "examples") == examples, f"the set has {examples} examples")
    if purpose != "rescore":
        demand(text_at(registered, "kind") == purpose, f"this is no {purpose} set")
        demand(cited["sha256"] == policy[purpose], f"the policy of the version's round names another {purpose} set")


def check_purpose(model: Model, record: Record, policy: Record) -> None:
    version, metrics = text_at(record, "version"), record_at(record, "metrics")
    match text_at(record, "purpose"):
        case "probe":
            check_guards_measured(metrics, policy)
        case "test":
            live = flag_at(model.call.need(f"status/{version}"), "promoted")
            demand(live, "the test set is for versions that went live")
            demand(not model.call.has(f"tested/{version}"), "the version was scored on the test set before")


def check_guards_measured(metrics: Record, policy: Record) -> None:
    recalled = isinstance(metrics.get("class_recall_bp"), list) and metrics["class_recall_bp"]
    demand(policy["min_class_recall"] == 0 or bool(recalled), "a recall that the policy guards is missing")
    demand(policy["max_trigger_rate"] == 10_000 or "trigger_rate_bp" in metrics, "a guarded trigger rate is missing")


def verdict(model: Model, signed: Signed, version: Record, policy: Record) -> Record:
    """The judge runs once a version: at its first score on the probe, while it is the newest of the epoch."""
    call, purpose, name = model.call, text_at(signed.record, "purpose"), text_at(signed.record, "version")
    if purpose == "test":
        call.create(f"tested/{name}", {"validation": signed.id})
    unjudged = why_unjudged(model, purpose, name, version)
    if unjudged:
        return {"decision": "none", "reason": unjudged}
    return decide(model, signed, name, policy)


def why_unjudged(model: Model, purpose: str, name: str, version: Record) -> str:
    if purpose != "probe":
        return purpose
    if text_at(version, "kind") == "genesis":
        return "genesis"
    if model.call.has(f"decision/{name}"):
        return "decided"
    newest = name == newest_version(model) and number_at(version, "epoch") == model.epoch
    return "" if newest else "outdated"


def decide(model: Model, signed: Signed, name: str, policy: Record) -> Record:
    found = judge(policy, judge_state(model), record_at(signed.record, "metrics"), pointer_of(model).to, name)
    model.call.put(model.key("judge"), found.state.record)
    said: Record = {"decision": found.decision, "reason": found.reason, "score": found.score, "target": found.target}
    model.call.create(f"decision/{name}", {**said, "probe": policy["probe"], "validation": signed.id})
    return {**said, "drop": found.drop}


def judge_state(model: Model) -> JudgeState:
    return JudgeState.of(model.call.need(model.key("judge")))


def restart_judge(model: Model, target: str) -> None:
    """After a rollback its target is the yardstick, if it was scored on the probe that is in force."""
    probe, decision = text_at(model.policy, "probe"), model.call.get(f"decision/{target}")
    state = JudgeState(minimum_reached=judge_state(model).minimum_reached)
    if decision and text_at(decision, "probe") == probe:
        state = replace(state, best=number_at(decision, "score"), probe=probe, version=target)
    model.call.put(model.key("judge"), state.record)
