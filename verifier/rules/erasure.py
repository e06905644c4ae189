"""Erasures: the receipt of keys that were deleted, for a blob that no hold keeps."""

from sealed.records import Record, flag_at, number_at, text_at
from verifier.rules.call import Call, Signed, demand
from verifier.rules.hold import needed_by
from verifier.rules.model import Model, model_of


def record_erasure(call: Call, signed: Signed) -> Record:
    model, blob = model_of(call, signed), text_at(signed.record, "blob")
    model.demand_granted("aggregator")
    anchored = call.need(f"blob/{blob}")
    demand(text_at(anchored, "model") == model.name, "the blob is another model's")
    owner = anchored.get("participant", "")
    demand(text_at(signed.record, "participant") == owner, "the blob is another participant's")
    demand(not held_by(model, anchored), "a hold keeps the keys of this blob")
    call.keep(f"erasure/{blob}", signed)
    return {}


def held_by(model: Model, anchored: Record) -> bool:
    if "version" in anchored:
        return bool(needed_by(model, text_at(anchored, "version")))
    made = made_from(model, number_at(anchored, "round"))
    return any(flag_at(model.call.need(f"status/{version}"), "held") for version in made)


def made_from(model: Model, number: int) -> list[str]:
    """A round's aggregate, and at most one replay an epoch."""
    replays = (model.key("replay", number, epoch) for epoch in range(1, model.epoch + 1))
    found = (model.call.get(key) for key in (model.key("aggregate", number), *replays))
    return [text_at(made, "version") for made in found if made]
