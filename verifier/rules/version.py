"""Versions: what came out of a sealed round, and that every update of the round is accounted for."""

from __future__ import annotations

from collections.abc import Sequence

from sealed.records import Record, number_at, records_at, text_at
from verifier.rules.call import Call, Signed, demand
from verifier.rules.model import Model, add_version, model_of
from verifier.rules.pointer import demand_current_epoch, demand_not_frozen, pointer_of

EXCLUDED_BY_LEDGER = "excluded.1"  # such an exclusion cites the number of a status event instead of a score


def version_of(model: Model, version: str) -> Record:
    record = model.call.record(f"version/{version}")
    demand(text_at(record, "model") == model.name, f"version {version} is another model's")
    return record


def newest_version(model: Model) -> str:
    return text_at(model.call.need(model.key("version", "head")), "id")


def decided(model: Model, version: str, decision: str) -> bool:
    version_of(model, version)
    found = model.call.get(f"decision/{version}")
    return found is not None and text_at(found, "decision") == decision


def took_part(model: Model, participant: str, version: str) -> bool:
    record = version_of(model, version)
    return participant in {text_at(update, "participant") for update in accounted(record)}


def accounted(version: Record) -> list[Record]:
    return [*records_at(version, "included"), *records_at(version, "excluded")]


def register_model_update(call: Call, signed: Signed) -> Record:
    model, version = model_of(call, signed), signed.record
    model.demand_granted("aggregator")
    demand_not_frozen(model)
    number, head = number_at(version, "number"), number_at(call.need(model.key("version", "head")), "number")
    demand(number == head + 1, f"version {number} does not follow version {head}")
    demand_current_epoch(model, number_at(version, "epoch"))
    key = model.key("round", number_at(version, "round"))
    check_against_round(model, version, call.record(key), call.outcome(key))
    add_version(model, signed)
    call.create(made_key(model, version), {"version": signed.id})
    return {"number": number}


def check_against_round(model: Model, version: Record, opened: Record, became: Record) -> None:
    number = number_at(opened, "number")
    demand(text_at(became, "outcome") == "sealed", f"round {number} is {text_at(became, 'outcome')}, not sealed")
    demand_same_seal(version["sealed"], became)
    demand(text_at(version, "parent") == text_at(opened, "base"), "the parent is not the round's base")
    policy = model.rules_at(number_at(opened, "policy"))
    demand(text_at(version, "rule") == text_at(policy, "policy", "aggregation"), "the round's policy has another rule")
    demand(text_at(version, "blob", "codec") in {"whole.1", "xor.1"}, "a version is stored without loss")
    check_kind(model, version, opened)
    check_accounted(model, version, became)


def demand_same_seal(cited: object, became: Record) -> None:
    held = {"chain": became["chain"], "count": became["count"]}
    demand(cited == held, f"cites {cited} for a round that holds {held}")


def made_key(model: Model, version: Record) -> str:
    number = number_at(version, "round")
    if text_at(version, "kind") == "replay":
        return model.key("replay", number, number_at(version, "epoch"))
    return model.key("aggregate", number)


def check_kind(model: Model, version: Record, opened: Record) -> None:
    kind = text_at(version, "kind")
    demand(kind in {"aggregate", "replay"}, f"a version of kind {kind} comes out of no round")
    if kind == "aggregate":
        demand(number_at(opened, "epoch") == number_at(version, "epoch"), "the round is of an epoch before a rollback")
    else:
        check_replay(model, version, opened)


def check_replay(model: Model, version: Record, opened: Record) -> None:
    pointer = pointer_of(model)
    moved = model.call.outcome(model.key("pointer", pointer.move))
    demand(number_at(opened, "epoch") < number_at(version, "epoch"), "a round of this epoch is not replayed")
    demand(text_at(moved, "kind") == "rollback", "a replay follows a rollback")
    demand(pointer.to == text_at(version, "parent"), "a replay starts where the rollback went")
    for update in records_at(version, "included"):
        demand(not is_excluded(model, update), f"{update['participant']} is excluded, and its update included")
    for update in records_at(version, "excluded"):
        cites = text_at(update, "rule") == EXCLUDED_BY_LEDGER
        demand(cites or not is_excluded(model, update), f"the exclusion of {update['participant']} is not cited")


def is_excluded(model: Model, update: Record) -> bool:
    became = model.call.outcome(model.key("participant", text_at(update, "participant")))
    return text_at(became, "status") == "excluded"


def check_accounted(model: Model, version: Record, became: Record) -> None:
    """Every sealed update once, included or excluded: none left out, none counted twice, none from elsewhere."""
    updates = accounted(version)
    names = [text_at(update, "participant") for update in updates]
    demand(len(names) == number_at(became, "count"), f"{len(names)} updates for a round that sealed {became['count']}")
    demand(len(set(names)) == len(names), "an update is counted twice")
    demand(bool(version["included"]), "no update is included")
    for update in updates:
        check_sealed(model, number_at(version, "round"), update)
    check_exclusions(model, records_at(version, "excluded"))


def check_sealed(model: Model, number: int, update: Record) -> None:
    name = text_at(update, "participant")
    state = model.call.need(model.key("update", number, name))
    demand(text_at(state, "id") == text_at(update, "update"), f"another update of {name} than the one anchored")
    if "examples" in update:
        demand(update["examples"] == number_at(state, "record", "examples"), f"other examples than {name} stated")


def check_exclusions(model: Model, excluded: Sequence[Record]) -> None:
    for update in excluded:
        if text_at(update, "rule") == EXCLUDED_BY_LEDGER:
            name, number = text_at(update, "participant"), number_at(update, "score")
            event = model.call.record(model.key("participant", name, number))
            in_force = is_excluded(model, update) and event.get("status") == "excluded"
            demand(in_force, f"{name} is not excluded by event {number}")
