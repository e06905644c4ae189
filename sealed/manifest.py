"""The manifest of an update: what a participant puts its name to."""

from collections.abc import Mapping

from sealed.keys import Signer, verify
from sealed.records import Record, RecordError, check, encode, number_at, parse, signing_text, text_at
from sealed.schemas import ITEM_LIMIT

SCHEMA = "update.1"


class ManifestError(ValueError):
    """A manifest that its participant did not sign, or that is none."""


def build_manifest(
    round_record: Record,
    participant: str,
    examples: int,
    blob: Mapping[str, object],
    shard: str,
    self_reported: Mapping[str, int],
) -> bytes:
    """`blob` is {cid, codec, sha256, size}; `self_reported` counts for nothing but is kept."""
    manifest: dict[str, object] = {
        "schema": SCHEMA,
        "model": text_at(round_record, "model"),
        "round": number_at(round_record, "number"),
        "epoch": number_at(round_record, "epoch"),
        "base": text_at(round_record, "base"),
        "participant": participant,
        "examples": examples,
        "blob": dict(blob),
        "shard": shard,
        "self_reported": dict(self_reported),
    }
    check(manifest)
    return encode(manifest)


def sign_manifest(manifest: bytes, genesis: str, key: Signer) -> str:
    return key.sign(signing_text(SCHEMA, genesis, manifest))


def verify_manifest(manifest: bytes, signature: str, genesis: str, public: str) -> Record:
    try:
        record = parse(manifest, ITEM_LIMIT)
        check(record)
    except RecordError as error:
        raise ManifestError(str(error)) from error
    if record["schema"] != SCHEMA:
        raise ManifestError(f"{record['schema']} is no manifest")
    if not verify(public, signing_text(SCHEMA, genesis, manifest), signature):
        raise ManifestError(f"{record['participant']} did not sign this with {public}")
    return record
