"""Freezing: training stops, going back does not."""

from sealed.records import Record, number_at, text_at
from verifier.rules.call import Call, Signed, demand
from verifier.rules.model import Model, model_of
from verifier.rules.pointer import move_in_place, pointer_of


def freeze(call: Call, signed: Signed) -> Record:
    model = model_of(call, signed)
    model.demand_granted("operator", "aggregator")
    return set_frozen(model, signed, "freeze", frozen=True)


def resume(call: Call, signed: Signed) -> Record:
    model = model_of(call, signed)
    model.demand_granted("operator")
    return set_frozen(model, signed, "resume", frozen=False)


def set_frozen(model: Model, signed: Signed, kind: str, *, frozen: bool) -> Record:
    now, expected = pointer_of(model), number_at(signed.record, "expected_seq")
    demand(now.frozen != frozen, f"cannot {kind}: {model.name} is so already")
    demand(expected == now.seq, f"expects move {expected}, and the pointer's newest of any kind is {now.seq}")
    return {"seq": move_in_place(model, signed, kind, text_at(signed.record, "reason_code"), frozen=frozen)}
