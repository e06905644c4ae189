"""Quarantine: a version that nobody may go back to."""

from sealed.records import Record, flag_at, text_at
from verifier.rules.call import Call, Signed, demand
from verifier.rules.model import model_of, set_status
from verifier.rules.pointer import pointer_of
from verifier.rules.version import version_of


def quarantine(call: Call, signed: Signed) -> Record:
    model, version = model_of(call, signed), text_at(signed.record, "version")
    model.demand_granted("operator")
    version_of(model, version)
    demand(version != pointer_of(model).to, f"version {version} is live")
    demand(not flag_at(call.need(f"status/{version}"), "quarantined"), f"version {version} is quarantined already")
    set_status(model, version, quarantined=True)
    call.keep(f"quarantine/{version}", signed)
    return {}
