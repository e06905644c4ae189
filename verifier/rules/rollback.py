"""Rollbacks: asked for by one person and approved by another, or decided by the ledger's own judge."""

from __future__ import annotations

from dataclasses import dataclass

from sealed.records import Record, flag_at, list_at, number_at, record_at, text_at
from verifier.rules.call import Call, Signed, actor_record, demand, same_person
from verifier.rules.model import Model, model_of, set_status
from verifier.rules.pointer import advance, demand_current_epoch, demand_expected, pointer_of
from verifier.rules.validation import restart_judge
from verifier.rules.version import decided, newest_version, version_of

HOUR_S, DAY_S = 3600, 86400
AUTOMATIC = "regression_auto"


@dataclass(frozen=True, slots=True)
class Request:
    id: str
    record: Record
    asked: Record  # by whom
    became: Record

    @property
    def key(self) -> str:
        return f"rollback/{self.id}"

    @property
    def drill(self) -> bool:
        return flag_at(self.record, "drill")

    def expired_at(self, claimed_at_ms: int) -> bool:
        return claimed_at_ms > number_at(self.record, "expires_at") * 1000


def request_of(model: Model, name: str) -> Request:
    state = model.call.need(f"rollback/{name}")
    record = record_at(state, "record")
    demand(text_at(record, "model") == model.name, "the request is another model's")
    return Request(name, record, record_at(state, "actor"), record_at(state, "outcome"))


def slot(model: Model, drill: bool) -> str:
    return model.key("shadow" if drill else "rollback", "open")


def in_slot(model: Model, key: str) -> Request | None:
    state = model.call.get(key)
    return request_of(model, text_at(state, "request")) if state and state["request"] else None


def demand_nothing_waits(model: Model, key: str) -> None:
    request = in_slot(model, key)
    waits = request is not None and not request.expired_at(model.call.claimed_at)
    demand(not waits, "a rollback request is open: people are deciding")


def lapse(model: Model, key: str) -> None:
    """Whoever would have had to wait for a request writes down that its time was over."""
    request = in_slot(model, key)
    if request and request.expired_at(model.call.claimed_at):
        model.call.amend(request.key, state="expired")
        model.call.put(key, {"request": ""})


def request_rollback(call: Call, signed: Signed) -> Record:
    model, record = model_of(call, signed), signed.record
    model.demand_granted("operator")
    key = slot(model, flag_at(record, "drill"))
    demand_nothing_waits(model, key)
    demand_expected(model, record)
    check_target(model, text_at(record, "to"))
    check_quarantine(model, record)
    check_reason(record)
    if flag_at(record, "break_glass"):
        check_emergency(model, record)
    demand(number_at(record, "expires_at") >= call.claimed_at // 1000 + HOUR_S, "expires within the hour")
    lapse(model, key)
    call.keep(f"rollback/{signed.id}", signed, {"state": "open"})
    call.put(key, {"request": signed.id})
    return {"state": "open"}


def check_target(model: Model, to: str) -> None:
    version_of(model, to)
    status = model.call.need(f"status/{to}")
    demand(flag_at(status, "promoted"), f"version {to} never went live")
    demand(not flag_at(status, "quarantined"), f"version {to} is quarantined")
    leaves_something = to != pointer_of(model).to or has_candidate(model)
    demand(leaves_something, f"version {to} is live, and no newer one waits to be left behind")


def has_candidate(model: Model) -> bool:
    """Does the newest version belong to this epoch, without having gone live?"""
    newest = newest_version(model)
    live = flag_at(model.call.need(f"status/{newest}"), "promoted")
    return not live and number_at(version_of(model, newest), "epoch") == model.epoch


def check_quarantine(model: Model, record: Record, newer_than: int = -1) -> None:
    left_behind = [str(version) for version in list_at(record, "quarantine")]
    demand(len(set(left_behind)) == len(left_behind), "a version stands twice in the quarantine")
    demand(record["to"] not in left_behind, "the version to go back to is quarantined with the others")
    for version in left_behind:
        number = number_at(version_of(model, version), "number")
        demand(number > newer_than, f"version {version} is older than the one to go back to")


def check_reason(record: Record) -> None:
    reason = text_at(record, "reason_code")
    demand(flag_at(record, "drill") == (reason == "drill"), "a drill, and only a drill, has the reason drill")
    demand(not flag_at(record, "drill") or not record["quarantine"], "a drill quarantines nothing")
    demand(reason != AUTOMATIC, f"the reason {AUTOMATIC} is for automatic rollbacks")


def check_emergency(model: Model, record: Record) -> None:
    demand(text_at(record, "reason_code") == "security_incident", "glass is broken for a security incident only")
    demand(not unreviewed(model), "the last emergency was not reviewed yet")


def unreviewed(model: Model) -> str:
    state = model.call.get(model.key("rollback", "unreviewed"))
    return text_at(state, "request") if state else ""


def approve_rollback(call: Call, signed: Signed) -> Record:
    model = model_of(call, signed)
    model.demand_granted("approver")
    request = request_of(model, text_at(signed.record, "request"))
    demand_state(call, request, "open")
    model.demand_another_person(request.asked)
    call.amend(request.key, approved_by=actor_record(call.actor), state="approved")
    call.keep(f"approval/{request.id}", signed)
    return {"state": "approved"}


def demand_state(call: Call, request: Request, *states: str) -> None:
    state = text_at(request.became, "state")
    demand(state in states, f"request {request.id} is {state}")
    demand(not request.expired_at(call.claimed_at), f"request {request.id} had expired")


def reject_rollback(call: Call, signed: Signed) -> Record:
    model = model_of(call, signed)
    model.demand_granted("approver", "operator")
    request = request_of(model, text_at(signed.record, "request"))
    demand_state(call, request, "open", "approved")
    own = same_person(call.actor, request.asked)
    demand(call.actor.role == "approver" or own, "an operator takes back only what they asked for")
    call.amend(request.key, rejected_by=actor_record(call.actor), state="rejected")
    call.keep(f"rejection/{request.id}", signed)
    call.put(slot(model, request.drill), {"request": ""})
    return {"state": "rejected"}


def rollback_model(call: Call, signed: Signed) -> Record:
    model, record = model_of(call, signed), signed.record
    model.demand_granted("aggregator", "operator")
    demand(bool(record["request"]) != bool(record["decision"]), "cites a request or a decision, and not both")
    if record["decision"]:
        return roll_back_as_decided(model, signed)
    return roll_back_as_asked(model, signed)


def roll_back_as_decided(model: Model, signed: Signed) -> Record:
    record, version = signed.record, text_at(signed.record, "decision")
    demand(model.call.actor.role == "aggregator", "an operator cites a request, not a decision")
    demand(decided(model, version, "rollback"), f"it was not decided to roll back version {version}")
    demand(version == newest_version(model), "a newer version is there")
    demand_nothing_waits(model, slot(model, drill=False))
    demand_current_epoch(model, number_at(version_of(model, version), "epoch"))
    demand_expected(model, record)
    demand(text_at(record, "reason_code") == AUTOMATIC, f"an automatic rollback has the reason {AUTOMATIC}")
    to, target = text_at(record, "to"), text_at(model.call.need(f"decision/{version}"), "target")
    demand(to == target, f"it was decided to go back to {target}")
    check_target(model, to)
    check_quarantine(model, record, newer_than=number_at(version_of(model, to), "number"))
    lapse(model, slot(model, drill=False))
    return go_back(model, signed)


def roll_back_as_asked(model: Model, signed: Signed) -> Record:
    call, record = model.call, signed.record
    demand(call.actor.role == "operator", "an aggregator cites a decision, not a request")
    request = request_of(model, text_at(record, "request"))
    demand_state(call, request, "approved", *(["open"] if flag_at(request.record, "break_glass") else []))
    for field in ("to", "expected_seq", "reason_code", "quarantine"):
        demand(record[field] == request.record[field], f"{field} is not what was asked for")
    if request.drill:
        return rehearse(model, request, signed)
    demand_expected(model, record)
    check_target(model, text_at(record, "to"))
    check_quarantine(model, record)
    done = go_back(model, signed)
    call.amend(request.key, **executed(model, request), **done)
    call.put(slot(model, drill=False), {"request": ""})
    return done


def go_back(model: Model, signed: Signed) -> Record:
    epoch, to = model.epoch + 1, text_at(signed.record, "to")
    seq = advance(model, signed, "rollback", to, epoch, text_at(signed.record, "reason_code"))
    model.call.put(model.key("epoch"), {"epoch": epoch})
    restart_judge(model, to)
    for version in map(str, list_at(signed.record, "quarantine")):
        set_status(model, version, quarantined=True)
    return {"epoch": epoch, "seq": seq}


def executed(model: Model, request: Request) -> Record:
    """Glass that was broken, by whom, and until when somebody else must have looked at it."""
    change: Record = {"executed_by": actor_record(model.call.actor), "state": "executed"}
    if text_at(request.became, "state") == "open":
        model.call.put(model.key("rollback", "unreviewed"), {"request": request.id})
        change["review_due_at"] = model.call.claimed_at // 1000 + DAY_S
    return change


def rehearse(model: Model, request: Request, signed: Signed) -> Record:
    """A drill moves the shadow pointer: no epoch, no judge, nothing that training would feel."""
    call, to = model.call, signed.record["to"]
    head = call.get(model.key("shadow", "head"))
    seq = number_at(head, "seq") + 1 if head else 1
    call.keep(model.key("shadow", seq), signed, {"kind": "drill", "seq": seq, "to": to})
    call.put(model.key("shadow", "head"), {"seq": seq, "to": to})
    call.amend(request.key, executed_by=actor_record(call.actor), seq=seq, state="executed")
    call.put(slot(model, drill=True), {"request": ""})
    return {"drill": True, "seq": seq}


def review_break_glass(call: Call, signed: Signed) -> Record:
    model, name = model_of(call, signed), text_at(signed.record, "request")
    request = request_of(model, name)
    model.demand_granted("approver")
    demand(unreviewed(model) == name, f"request {name} waits for no review")
    model.demand_another_person(request.asked)
    model.demand_another_person(record_at(request.became, "executed_by"))
    overdue = call.claimed_at > number_at(request.became, "review_due_at") * 1000
    verdict = text_at(signed.record, "verdict")
    call.amend(request.key, overdue=overdue, reviewed_by=actor_record(call.actor), verdict=verdict)
    call.keep(f"review/{name}", signed)
    call.put(model.key("rollback", "unreviewed"), {"request": ""})
    return {"overdue": overdue, "verdict": verdict}
