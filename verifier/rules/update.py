"""Updates: taken on their own signature, from anyone who brings them, one result an item."""

from __future__ import annotations

from sealed.records import Record, chain, check, list_at, number_at, parse, records_at, text_at
from sealed.schemas import LIMITS
from verifier.rules.call import Call, Signed, demand
from verifier.rules.model import Model
from verifier.rules.participant import signed_by


def anchor_updates(call: Call, signed: Signed) -> Record:
    items = records_at(signed.record, "items")
    manifests = [item_of(text_at(item, "manifest"), "update.1") for item in items]
    signatures = [text_at(item, "signature") for item in items]
    return {"results": [anchor(call, *item) for item in zip(manifests, signatures, strict=True)]}


def item_of(text: str, schema: str) -> Signed:
    """A batch with one malformed item fails whole."""
    record = parse(text, limit=LIMITS[schema])
    check(record)
    demand(record["schema"] == schema, f"an item is {record['schema']}, not {schema}")
    return Signed(text.encode("ascii"), record)


def anchor(call: Call, manifest: Signed, signature: str) -> Record:
    model, name = Model(call, text_at(manifest.record, "model")), text_at(manifest.record, "participant")
    unknown = unproven(model, name, manifest, signature)
    if unknown:
        return {"id": manifest.id, "reason": unknown, "result": "invalid"}
    earlier = earlier_result(model, manifest)
    if earlier:
        return earlier
    reason = refusal(model, name, manifest.record)
    if reason:
        call.keep(f"refusal/{manifest.id}", manifest, {"reason": reason, "signature": signature})
        return {"id": manifest.id, "reason": reason, "result": "refused"}
    accept(model, manifest, signature)
    return {"id": manifest.id, "reason": "", "result": "accepted"}


def unproven(model: Model, name: str, manifest: Signed, signature: str) -> str:
    """Why a manifest says nothing about anybody; empty when its participant signed it."""
    if not model.call.has(model.key("policy", "head")):
        return "model"
    key = model.key("participant", name)
    if not model.call.has(key):
        return "participant"
    public = text_at(model.call.outcome(key), "ed25519")
    return "" if signed_by(public, model.call.genesis, manifest, signature) else "signature"


def update_key(model: Model, manifest: Record) -> str:
    return model.key("update", number_at(manifest, "round"), text_at(manifest, "participant"))


def earlier_result(model: Model, manifest: Signed) -> Record:
    refused = model.call.get(f"refusal/{manifest.id}")
    if refused:
        return {"id": manifest.id, "reason": text_at(refused, "outcome", "reason"), "result": "refused"}
    accepted = model.call.get(update_key(model, manifest.record))
    if accepted and text_at(accepted, "id") == manifest.id:
        return {"id": manifest.id, "reason": "", "result": "accepted"}
    return {}


def refusal(model: Model, name: str, manifest: Record) -> str:
    """Why what its participant signed was not accepted; empty when it was."""
    call, key = model.call, model.key("round", number_at(manifest, "round"))
    if not call.has(key) or not invites(call.record(key), manifest):
        return "foreign"
    if text_at(call.outcome(model.key("participant", name)), "status") != "active":
        return "excluded"
    if text_at(call.outcome(key), "outcome") != "open" or number_at(manifest, "epoch") != model.epoch:
        return "late"
    if call.has(f"blob/{text_at(manifest, 'blob', 'sha256')}") or call.has(update_key(model, manifest)):
        return "replayed"
    return misstated(model, name, manifest)


def invites(opened: Record, manifest: Record) -> bool:
    same = all(opened[field] == manifest[field] for field in ("base", "epoch"))
    return same and manifest["participant"] in list_at(opened, "participants")


def misstated(model: Model, name: str, manifest: Record) -> str:
    shard = model.call.get(model.key("dataset", text_at(manifest, "shard")))
    if shard is None or text_at(shard, "record", "participant") != name:
        return "foreign"
    return "overstated" if number_at(manifest, "examples") > number_at(shard, "record", "examples") else ""


def accept(model: Model, manifest: Signed, signature: str) -> None:
    call, number = model.call, number_at(manifest.record, "round")
    name, sha256 = text_at(manifest.record, "participant"), text_at(manifest.record, "blob", "sha256")
    call.keep(update_key(model, manifest.record), manifest, {"signature": signature})
    call.create(f"blob/{sha256}", {"model": model.name, "participant": name, "round": number, "update": manifest.id})
    key = model.key("round", number)
    became = call.outcome(key)
    folded = chain([manifest.id], text_at(became, "chain"))
    call.amend(key, chain=folded, count=number_at(became, "count") + 1)
