"""Acknowledgements: each site's signature under what it holds after a rollback."""

from sealed.records import Record, number_at, records_at, text_at
from verifier.rules.call import Call, Signed
from verifier.rules.model import Model
from verifier.rules.update import item_of, unproven
from verifier.rules.version import version_of


def acknowledge_rollback(call: Call, signed: Signed) -> Record:
    items = records_at(signed.record, "items")
    acks = [item_of(text_at(item, "ack"), "ack.1") for item in items]
    signatures = [text_at(item, "signature") for item in items]
    return {"results": [acknowledge(call, *item) for item in zip(acks, signatures, strict=True)]}


def acknowledge(call: Call, ack: Signed, signature: str) -> Record:
    model, name = Model(call, text_at(ack.record, "model")), text_at(ack.record, "participant")
    unknown = unproven(model, name, ack, signature)
    if unknown:
        return {"id": ack.id, "reason": unknown, "result": "invalid"}
    reason = refusal(model, ack)
    if reason:
        return {"id": ack.id, "reason": reason, "result": "refused"}
    key = model.key("ack", number_at(ack.record, "seq"), name)
    if not call.has(key):
        call.keep(key, ack, {"signature": signature})
    return {"id": ack.id, "reason": "", "result": "accepted"}


def refusal(model: Model, ack: Signed) -> str:
    key = model.key("pointer", number_at(ack.record, "seq"))
    if not model.call.has(key) or text_at(model.call.outcome(key), "kind") != "rollback":
        return "no rollback"
    target = version_of(model, text_at(model.call.outcome(key), "to"))
    return "" if text_at(target, "weights") == text_at(ack.record, "weights") else "other weights"
