"""Policies: proposed by an operator, approved by somebody else, numbered without a gap."""

from sealed.records import Record, number_at, record_at, records_at, text_at
from verifier.rules.call import Call, Signed, demand
from verifier.rules.model import check_rules, model_of

NEEDED = ("admin", "operator", "approver")  # without them nobody could change the grants again


def propose_policy(call: Call, signed: Signed) -> Record:
    model = model_of(call, signed)
    model.demand_granted("operator")
    number = number_at(signed.record, "number")
    demand(number == model.policy_number + 1, f"policy {number} does not follow policy {model.policy_number}")
    check_rules(signed.record)
    granted = {text_at(grant, "role") for grant in records_at(signed.record, "grants")}
    demand(granted.issuperset(NEEDED), f"nobody would be {', '.join(set(NEEDED) - granted)} any more")
    call.keep(f"proposal/{signed.id}", signed, {"state": "open"})
    return {"number": number, "state": "open"}


def approve_policy(call: Call, signed: Signed) -> Record:
    model = model_of(call, signed)
    model.demand_granted("approver")
    key = f"proposal/{text_at(signed.record, 'proposal')}"
    proposal = call.need(key)
    number = number_at(proposal, "record", "number")
    demand(text_at(proposal, "record", "model") == model.name, "the proposal is another model's")
    demand(number == model.policy_number + 1, f"policy {number} does not follow policy {model.policy_number}")
    model.demand_another_person(record_at(proposal, "actor"))
    call.amend(key, state="approved")
    call.create(model.key("policy", number), call.need(key))
    call.put(model.key("policy", "head"), {"number": number})
    call.keep(f"approval/{text_at(signed.record, 'proposal')}", signed)
    return {"number": number}
