"""Promotions: the newest version of the epoch, decided by the judge, goes live."""

from sealed.records import Record, flag_at, number_at, text_at
from verifier.rules.call import Call, Signed, demand
from verifier.rules.model import model_of, set_status
from verifier.rules.pointer import advance, demand_current_epoch, demand_expected, demand_not_frozen, pointer_of
from verifier.rules.rollback import demand_nothing_waits, lapse, slot
from verifier.rules.version import decided, newest_version, version_of


def promote(call: Call, signed: Signed) -> Record:
    model, version = model_of(call, signed), text_at(signed.record, "version")
    model.demand_granted("aggregator")
    demand_not_frozen(model)
    demand_nothing_waits(model, slot(model, drill=False))
    demand_current_epoch(model, number_at(version_of(model, version), "epoch"))
    demand_expected(model, signed.record)
    demand(version == newest_version(model), f"version {newest_version(model)} is newer")
    demand(decided(model, version, "promote"), f"it was not decided to promote version {version}")
    demand(not flag_at(call.need(f"status/{version}"), "quarantined"), f"version {version} is quarantined")
    demand(pointer_of(model).to != version, f"version {version} is live already")
    lapse(model, slot(model, drill=False))
    set_status(model, version, promoted=True)
    return {"seq": advance(model, signed, "promote", version, model.epoch)}
