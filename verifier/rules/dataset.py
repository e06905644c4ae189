"""Data sets: registered once, by the hash of what they are."""

from sealed.records import Record, text_at
from verifier.rules.call import Call, Signed, demand
from verifier.rules.model import model_of


def register_dataset(call: Call, signed: Signed) -> Record:
    model = model_of(call, signed)
    model.demand_granted("admin")
    owner, shard = text_at(signed.record, "participant"), text_at(signed.record, "kind") == "shard"
    demand(shard == bool(owner), "a shard has an owner, a probe or test set has none")
    demand(not owner or call.has(model.key("participant", owner)), f"there is no participant {owner}")
    call.keep(model.key("dataset", text_at(signed.record, "sha256")), signed)
    return {}
