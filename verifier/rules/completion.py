"""Completion: the final version is the one that is live, and no round opens after it."""

from sealed.records import Record, flag_at, text_at
from verifier.rules.call import Call, Signed, demand
from verifier.rules.model import model_of
from verifier.rules.pointer import pointer_of
from verifier.rules.rollback import demand_nothing_waits, lapse, slot
from verifier.rules.version import version_of


def complete_training(call: Call, signed: Signed) -> Record:
    model, version = model_of(call, signed), text_at(signed.record, "version")
    model.demand_granted("aggregator")
    version_of(model, version)
    demand(not flag_at(call.need(model.key("round", "head")), "open"), "a round is open")
    demand_nothing_waits(model, slot(model, drill=False))
    demand(version == pointer_of(model).to, "the final version is not the one that is live")
    lapse(model, slot(model, drill=False))
    call.keep(model.key("completion"), signed)
    return {}
