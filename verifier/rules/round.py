"""Rounds: one open at a time, on the version that is live, by the policy in force."""

from sealed.records import Record, flag_at, list_at, number_at, text_at
from verifier.rules.call import Call, Signed, demand
from verifier.rules.model import EMPTY_CHAIN, Model, model_of
from verifier.rules.participant import is_active
from verifier.rules.pointer import demand_current_epoch, demand_not_frozen, pointer_of
from verifier.rules.version import demand_same_seal


def open_round(call: Call, signed: Signed) -> Record:
    model, record = model_of(call, signed), signed.record
    model.demand_granted("aggregator")
    demand_not_frozen(model)
    demand(not call.has(model.key("completion")), "the training is complete")
    head = call.need(model.key("round", "head"))
    number = number_at(record, "number")
    demand(not flag_at(head, "open"), f"round {head['number']} is still open")
    demand(number == number_at(head, "number") + 1, f"round {number} does not follow round {head['number']}")
    check_opening(model, record)
    call.keep(model.key("round", number), signed, {"chain": EMPTY_CHAIN, "count": 0, "outcome": "open"})
    call.put(model.key("round", "head"), {"number": number, "open": True})
    return {"number": number}


def check_opening(model: Model, record: Record) -> None:
    demand_current_epoch(model, number_at(record, "epoch"))
    demand(text_at(record, "base") == pointer_of(model).to, "the base is not the version that is live")
    demand(number_at(record, "policy") == model.policy_number, f"policy {model.policy_number} is in force")
    demand(number_at(record, "deadline_at") * 1000 > model.call.claimed_at, "the deadline had passed")
    demand(bool(record["participants"]), "a round without participants")
    for name in map(str, list_at(record, "participants")):
        demand(is_active(model, name), f"{name} is not active")


def close_round(call: Call, signed: Signed) -> Record:
    model, record = model_of(call, signed), signed.record
    model.demand_granted("aggregator")
    number, outcome = number_at(record, "round"), text_at(record, "outcome")
    key = model.key("round", number)
    became = call.outcome(key)
    demand(text_at(became, "outcome") == "open", f"round {number} is {became['outcome']} already")
    demand_same_seal({"chain": record["chain"], "count": record["count"]}, became)
    if outcome != "failed":
        check_sealing(model, call.record(key), number_at(became, "count"))
    call.amend(key, outcome=outcome)
    call.put(model.key("round", "head"), {**call.need(model.key("round", "head")), "open": False})
    call.keep(model.key("close", number), signed)
    return {"number": number, "outcome": outcome}


def check_sealing(model: Model, opened: Record, count: int) -> None:
    demand_current_epoch(model, number_at(opened, "epoch"))
    quorum_bp = number_at(model.rules_at(number_at(opened, "policy")), "policy", "round_quorum")
    asked = len(list_at(opened, "participants"))
    demand(count > 0 and count * 10_000 >= quorum_bp * asked, f"{count} updates of {asked} are below the quorum")
