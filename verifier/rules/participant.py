"""Participants: their keys, and the numbered events by which they leave, are excluded and come back."""

from __future__ import annotations

from sealed.keys import sealing_public_ok, signing_public_ok, verify
from sealed.records import Record, flag_at, number_at, signing_text, text_at
from verifier.rules.call import Call, Signed, demand
from verifier.rules.model import Model, model_of
from verifier.rules.version import decided, took_part

CHANGES = {"active": {"excluded", "left"}, "left": {"active", "excluded"}, "excluded": {"reinstated"}}


def register_participant(call: Call, signed: Signed, signature: str) -> Record:
    model = model_of(call, signed)
    model.demand_granted("admin")
    keys = check_new_keys(model, signed, signature)
    name = text_at(signed.record, "participant")
    call.keep(model.key("participant", name), signed, {**keys, "number": 0, "status": "active"})
    call.create(model.key("key", keys["ed25519"]), {"barred": False, "participant": name})
    return {"number": 0}


def check_new_keys(model: Model, signed: Signed, signature: str) -> dict[str, str]:
    """A signing key belongs to one participant for ever: no excluded one returns under another name."""
    ed25519, x25519 = text_at(signed.record, "ed25519"), text_at(signed.record, "x25519")
    demand(signing_public_ok(ed25519), f"{ed25519} is of low order or not canonical")
    demand(sealing_public_ok(x25519), f"{x25519} is no X25519 key to seal to")
    demand(not model.call.has(model.key("key", ed25519)), f"the key {ed25519} was registered before")
    demand(signed_by(ed25519, model.call.genesis, signed, signature), "the new key did not sign its own registration")
    return {"ed25519": ed25519, "x25519": x25519}


def signed_by(public: str, genesis: str, signed: Signed, signature: str) -> bool:
    return verify(public, signing_text(text_at(signed.record, "schema"), genesis, signed.raw), signature)


def is_active(model: Model, name: str) -> bool:
    key = model.key("participant", name)
    return model.call.has(key) and text_at(model.call.outcome(key), "status") == "active"


def set_participant_status(call: Call, signed: Signed) -> Record:
    model, record = model_of(call, signed), signed.record
    model.demand_granted("admin", "operator", "aggregator")
    key = model.key("participant", text_at(record, "participant"))
    current = call.outcome(key)
    demand_next(current, record)
    said, was = text_at(record, "status"), text_at(current, "status")
    demand(said in CHANGES[was], f"a participant that is {was} cannot become {said}")
    check_decision(model, record)
    if call.actor.role == "aggregator":
        check_aggregator(model, record)
    status = "active" if said == "reinstated" else said
    call.amend(key, number=number_at(record, "number"), status=status)
    call.keep(f"{key}/{number_at(record, 'number')}", signed)
    set_barred(model, text_at(current, "ed25519"), text_at(record, "participant"), status == "excluded")
    return {"number": number_at(record, "number"), "status": status}


def demand_next(current: Record, record: Record) -> None:
    number, head = number_at(record, "number"), number_at(current, "number")
    demand(number == head + 1, f"event {number} of {text_at(record, 'participant')} does not follow event {head}")


def set_barred(model: Model, ed25519: str, participant: str, barred: bool) -> None:
    model.call.put(model.key("key", ed25519), {"barred": barred, "participant": participant})


def check_decision(model: Model, record: Record) -> None:
    cited = text_at(record, "decision")
    demand(not cited or decided(model, cited, "rollback"), f"it was not decided to roll back version {cited}")


def check_aggregator(model: Model, record: Record) -> None:
    """No person acts: the policy must allow it, the ledger have decided, and a diagnosis be there to be held to."""
    demand(text_at(record, "status") == "excluded", "an aggregator may exclude, and nothing else")
    demand(flag_at(model.policy, "enable_client_exclusion"), "the policy leaves exclusion to people")
    demand(bool(text_at(record, "decision")), "an aggregator cites the decision to roll back")
    demand(bool(text_at(record, "evidence")), "an aggregator cites a diagnosis")
    name, cited = text_at(record, "participant"), text_at(record, "decision")
    demand(took_part(model, name, cited), f"{name} had no part in version {cited}")


def rotate_participant_key(call: Call, signed: Signed, signature: str) -> Record:
    model, record = model_of(call, signed), signed.record
    model.demand_granted("admin")
    name = text_at(record, "participant")
    key = model.key("participant", name)
    current = call.outcome(key)
    demand_next(current, record)
    demand(text_at(current, "status") == "active", f"{name} is not active: its keys stay as they are")
    keys = check_new_keys(model, signed, signature)
    call.amend(key, **keys, number=number_at(record, "number"))
    call.keep(f"{key}/{number_at(record, 'number')}", signed)
    call.create(model.key("key", keys["ed25519"]), {"barred": False, "participant": name})
    return {"number": number_at(record, "number")}
