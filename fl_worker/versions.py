"""From the steps that a task names to weights: fetched, checked, opened, and hashed as recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fl_worker.client import Gateway, Untrustworthy
from sealed.cid import AddressMismatch
from sealed.codec import CodecError
from sealed.fldiff import BlobError
from sealed.keys import SealingKey, WrongKey, unwrap_key
from sealed.records import LIMITS, Record, RecordError, number_at, parse, record_id, text_at
from sealed.tensors import TensorError, Tensors
from sealed.versions import WHOLE, VersionError, open_version

OPENING_FAILED = (AddressMismatch, BlobError, CodecError, RecordError, TensorError, VersionError, WrongKey)


@dataclass(frozen=True, slots=True)
class Step:
    id: str
    record: Record

    @property
    def number(self) -> int:
        return number_at(self.record, "number")


def read_steps(payload: Sequence[dict[str, Any]], model: str) -> list[Step]:
    steps = [Step(str(step["version_id"]), parse(step["record"], LIMITS["version.1"])) for step in payload]
    for step, said in zip(steps, payload, strict=True):
        if record_id(said["record"].encode("ascii")) != step.id or text_at(step.record, "model") != model:
            raise Untrustworthy(f"the gateway calls something else version {step.id} of {model}")
    for before, step in pairwise(steps):
        if text_at(step.record, "parent") != before.id:
            raise Untrustworthy(f"version {step.number} does not follow version {before.number}")
    if not steps or text_at(steps[0].record, "blob", "codec") != WHOLE:
        raise Untrustworthy("the gateway's steps do not start at a whole version")
    return steps


def open_rest(
    gateway: Gateway, steps: Sequence[Step], weights: Tensors | None, key: SealingKey, genesis: str
) -> Tensors:
    """Walk the steps on from `weights`, or from the first, whole one."""
    for step in steps:
        sha256 = text_at(step.record, "blob", "sha256")
        blob = gateway.blob(sha256)

        def key_for(dek: str, sha256: str = sha256) -> bytes:
            return unwrap_key(gateway.wraps(sha256), key, dek, sha256)

        weights = open_version(blob, step.record, key_for, genesis, weights)
    if weights is None:
        raise Untrustworthy("the gateway named no version at all")
    return weights
