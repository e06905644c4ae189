"""Versions: from weights to a sealed blob, and from a chain of blobs back to weights that hash as recorded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sealed.blobs import SealedBlob, seal_plaintext
from sealed.cid import check_address
from sealed.codec import decode_version, encode_version
from sealed.fldiff import KeyFor, Place, open_blob
from sealed.keys import SealingKey, Wrap, unwrap_key
from sealed.records import Record, encode, number_at, record_at, record_id, text_at
from sealed.tensors import Tensors, spec_of, weights_hash

WHOLE = "whole.1"
DIFF = "xor.1"


class VersionError(ValueError):
    """Steps that do not lead from whole weights to the version, or weights that are not the recorded ones."""


@dataclass(frozen=True, slots=True)
class SealedVersion(SealedBlob):
    weights: str


def seal_version(
    weights: Tensors, parent_weights: Tensors | None, *, model: str, number: int, parent: str, genesis: str
) -> SealedVersion:
    """Whole where no parent's weights are given: for a genesis, and wherever the chain back has become long enough."""
    codec = WHOLE if parent_weights is None else DIFF
    place = version_place(model, number, parent, genesis, codec)
    sealed = seal_plaintext(encode_version(codec, weights, parent_weights), place)
    return SealedVersion(sealed.blob, sealed.address, codec, sealed.key, sealed.dek, weights_hash(weights))


def version_place(model: str, number: int, parent: str, genesis: str, codec: str) -> Place:
    return {
        "base": parent,
        "codec": codec,
        "genesis": genesis,
        "kind": "version",
        "model": model,
        "number": number,
        "participant": "",
    }


def place_of_version(version: Record, genesis: str) -> Place:
    model, number, parent = text_at(version, "model"), number_at(version, "number"), text_at(version, "parent")
    return version_place(model, number, parent, genesis, text_at(version, "blob", "codec"))


def open_version(
    blob: bytes, version: Record, key_for: KeyFor, genesis: str, parent_weights: Tensors | None
) -> Tensors:
    """Address first, then the seal, then the weights hash."""
    check_address(blob, record_at(version, "blob"))
    plaintext = open_blob(blob, place_of_version(version, genesis), key_for)
    base = None if text_at(version, "blob", "codec") == WHOLE else parent_weights
    weights = decode_version(plaintext, base, None if parent_weights is None else spec_of(parent_weights))
    if weights_hash(weights) != text_at(version, "weights"):
        raise VersionError(f"version {number_at(version, 'number')}: other weights than recorded")
    return weights


def open_steps(
    steps: Sequence[Record],
    blob_of: Callable[[str], bytes],
    wraps_of: Callable[[str], list[Wrap]],
    key: SealingKey,
    genesis: str,
    model: str,
) -> Tensors:
    """Walk `version.1` records from a whole one, each next one a diff on the one before it."""
    weights: Tensors | None = None
    for before, step in zip([None, *steps], steps, strict=False):
        _refuse_gap(before, step, model)
        key_for = _keys(wraps_of, key, text_at(step, "blob", "sha256"))
        weights = open_version(blob_of(text_at(step, "blob", "sha256")), step, key_for, genesis, weights)
    if weights is None:
        raise VersionError("no step at all")
    return weights


def _keys(wraps_of: Callable[[str], list[Wrap]], key: SealingKey, sha256: str) -> KeyFor:
    return lambda dek: unwrap_key(wraps_of(sha256), key, dek, sha256)


def _refuse_gap(before: Record | None, step: Record, model: str) -> None:
    number = number_at(step, "number")
    if text_at(step, "model") != model:
        raise VersionError(f"version {number} is of {text_at(step, 'model')}, not of {model}")
    if before is None and text_at(step, "blob", "codec") != WHOLE:
        raise VersionError(f"the steps start at version {number}, which is not whole")
    if before is not None and text_at(step, "parent") != record_id(encode(before)):
        raise VersionError(f"version {number} does not follow version {number_at(before, 'number')}")
