"""A model: its rules in force, the keys under which its states lie, and how it begins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sealed.keys import sealing_public_ok
from sealed.records import Record, list_at, number_at, record_at, records_at, text_at
from verifier.rules.call import Call, Signed, demand, same_person

EMPTY_CHAIN = "00" * 32
UNJUDGED: Record = {"best": -1, "count": 0, "minimum_reached": False, "probe": "", "version": ""}


@dataclass
class Model:
    call: Call
    name: str

    def key(self, kind: str, *parts: object) -> str:
        return "/".join((kind, self.name, *map(str, parts)))

    @cached_property
    def rules(self) -> Record:
        """Grants, keys and policy of the newest policy number."""
        return self.rules_at(self.policy_number)

    @cached_property
    def policy_number(self) -> int:
        return number_at(self.call.need(self.key("policy", "head")), "number")

    def rules_at(self, number: int) -> Record:
        return self.call.record(self.key("policy", number))

    @property
    def policy(self) -> Record:
        return record_at(self.rules, "policy")

    @property
    def epoch(self) -> int:
        return number_at(self.call.need(self.key("epoch")), "epoch")

    def holders(self, role: str) -> list[str]:
        return [text_at(grant, "msp") for grant in records_at(self.rules, "grants") if text_at(grant, "role") == role]

    def demand_granted(self, *roles: str) -> None:
        actor, needed = self.call.actor, " or ".join(roles)
        demand(actor.role in roles, f"{self.call.function} needs {needed}; {actor.subject} is {actor.role!r}")
        demand(actor.msp in self.holders(actor.role), f"{self.name} grants nothing as {actor.role} to {actor.msp}")

    def demand_another_person(self, asked: Record) -> None:
        actor = self.call.actor
        demand(not same_person(actor, asked), f"{actor.subject} of {actor.msp} asked for this, and decides it as well")
        if len(self.holders("approver")) >= 2:
            demand(actor.msp != text_at(asked, "msp"), f"{actor.msp} asked for this, and decides it as well")


def model_of(call: Call, signed: Signed) -> Model:
    model = Model(call, text_at(signed.record, "model"))
    demand(call.has(model.key("policy", "head")), f"there is no model {model.name}")
    return model


def check_rules(rules: Record) -> None:
    keys = record_at(rules, "keys")
    for public in (text_at(keys, "aggregator"), text_at(keys, "validator"), *map(str, list_at(keys, "auditors"))):
        demand(sealing_public_ok(public), f"{public} is no X25519 key to seal to")
    demand(text_at(rules, "policy", "probe") != text_at(rules, "policy", "test"), "one set is both probe and test set")


def add_version(model: Model, signed: Signed) -> None:
    number = number_at(signed.record, "number")
    model.call.keep(f"version/{signed.id}", signed)
    model.call.create(model.key("version", number), {"id": signed.id})
    model.call.put(model.key("version", "head"), {"id": signed.id, "number": number})
    model.call.create(f"blob/{text_at(signed.record, 'blob', 'sha256')}", {"model": model.name, "version": signed.id})
    model.call.create(f"status/{signed.id}", {"held": False, "promoted": False, "quarantined": False})


def set_status(model: Model, version: str, **change: bool) -> None:
    key = f"status/{version}"
    model.call.put(key, {**model.call.need(key), **change})


def register_model(call: Call, signed: Signed, genesis: Signed) -> Record:
    model, record = Model(call, text_at(signed.record, "model")), signed.record
    demand(call.actor.role == "admin", f"{call.actor.subject} is {call.actor.role!r}, not admin")
    admins = [text_at(grant, "msp") for grant in records_at(record, "grants") if text_at(grant, "role") == "admin"]
    demand(call.actor.msp in admins, f"the record grants nothing as admin to {call.actor.msp}")
    demand(text_at(record, "genesis") == call.genesis, "the model is for another ledger")
    demand(text_at(record, "version") == genesis.id, "the model names another genesis version")
    check_genesis_version(model, genesis.record)
    check_rules(record)
    begin(model, signed, genesis)
    return {"version": genesis.id, "number": 0, "seq": 0}


def check_genesis_version(model: Model, version: Record) -> None:
    expected = {
        "model": model.name, "kind": "genesis", "number": 0, "epoch": 0, "parent": "", "round": 0, "rule": "genesis.1",
        "sealed": {"chain": EMPTY_CHAIN, "count": 0}, "included": [], "excluded": [],
    }  # fmt: skip
    for name, value in expected.items():
        demand(version[name] == value, f"a genesis version has {name} {value!r}")
    demand(text_at(version, "blob", "codec") == "whole.1", "a genesis version is stored whole")


def begin(model: Model, signed: Signed, genesis: Signed) -> None:
    call = model.call
    call.keep(model.key("model"), signed)
    call.keep(model.key("policy", 1), signed)
    call.create(model.key("policy", "head"), {"number": 1})
    call.create(model.key("epoch"), {"epoch": 0})
    call.create(model.key("judge"), UNJUDGED)
    call.create(model.key("round", "head"), {"number": 0, "open": False})
    call.create(model.key("rollback", "open"), {"request": ""})
    add_version(model, genesis)
    set_status(model, genesis.id, promoted=True)
    move: Record = {"kind": "genesis", "move": 0, "seq": 0, "to": genesis.id}
    call.keep(model.key("pointer", 0), signed, {**move, "epoch": 0, "reason_code": ""})
    call.create(model.key("pointer", "head"), {**move, "frozen": False})
