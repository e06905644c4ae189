"""Versions: from weights to a blob and back along a chain of diffs, with nothing taken on trust."""

from typing import Any

import numpy as np
import pytest

from sealed.cid import AddressMismatch
from sealed.fldiff import BlobError
from sealed.keys import NoWrap, SealingKey, Wrap
from sealed.records import Record, check, encode, record_id
from sealed.tensors import Tensors, weights_hash
from sealed.versions import DIFF, WHOLE, SealedVersion, VersionError, open_steps, open_version, seal_version
from tests.sealed.models import GENESIS, MODEL, RECIPIENT, STRANGER, moved, small


class History:
    """A model of a few versions: their records, their blobs and the wraps of their keys."""

    def __init__(self, versions: int, whole_at: tuple[int, ...] = (0,)) -> None:
        self.steps: list[Record] = []
        self.weights: list[Tensors] = []
        self.blobs: dict[str, bytes] = {}
        self.wraps: dict[str, list[Wrap]] = {}
        for number in range(versions):
            self._add(number, number in whole_at)

    def _add(self, number: int, whole: bool) -> None:
        before = self.weights[-1] if self.weights else None
        weights = small() if before is None else moved(before, number)
        parent = record_id(encode(self.steps[-1])) if self.steps else ""
        sealed = seal_version(
            weights, None if whole else before, model=MODEL, number=number, parent=parent, genesis=GENESIS
        )
        self.weights.append(weights)
        self.steps.append(record_of(sealed, number, parent))
        self.blobs[sealed.address["sha256"]] = sealed.blob
        self.wraps[sealed.address["sha256"]] = sealed.wraps_for([RECIPIENT.public])

    def open(self, steps: list[Record] | None = None, key: SealingKey = RECIPIENT, **place: str) -> Tensors:
        told = {"genesis": GENESIS, "model": MODEL, **place}
        chosen = self.steps if steps is None else steps
        return open_steps(chosen, self.blobs.__getitem__, self.wraps.__getitem__, key, told["genesis"], told["model"])


def record_of(sealed: SealedVersion, number: int, parent: str) -> Record:
    record: Record = {
        "schema": "version.1", "model": MODEL, "kind": "aggregate" if number else "genesis", "number": number,
        "epoch": 0, "parent": parent, "round": number, "sealed": {"chain": "00" * 32, "count": 0},
        "weights": sealed.weights, "blob": sealed.record, "rule": "fedavg.1" if number else "genesis.1",
        "included": [], "excluded": [], "hyperparameters": {},
    }  # fmt: skip
    check(record)
    return record


@pytest.fixture(scope="module")
def history() -> History:
    return History(5, whole_at=(0, 3))


def test_a_version_is_opened_from_the_genesis_on(history: History) -> None:
    for last in range(1, 6):
        assert weights_hash(history.open(history.steps[:last])) == weights_hash(history.weights[last - 1])


def test_a_version_is_opened_from_any_whole_one_on(history: History) -> None:
    assert [step["blob"]["codec"] for step in history.steps] == [WHOLE, DIFF, DIFF, WHOLE, DIFF]  # type: ignore[index,call-overload]
    assert weights_hash(history.open(history.steps[3:])) == weights_hash(history.weights[4])


def test_a_diff_alone_is_no_version(history: History) -> None:
    for steps in (history.steps[1:], history.steps[2:3], []):
        with pytest.raises(VersionError):
            history.open(steps)


def test_a_step_that_is_left_out_swapped_or_doubled_is_refused(history: History) -> None:
    zero, one, two, three, _ = history.steps
    for steps in ([zero, two], [zero, two, one], [zero, one, one], [zero, zero], [zero, one, three]):
        with pytest.raises(VersionError):
            history.open(steps)


def test_a_step_of_another_model_or_ledger_is_refused(history: History) -> None:
    with pytest.raises(VersionError):
        history.open(model="other")
    with pytest.raises(BlobError):
        history.open(genesis="8" * 64)


def test_a_blob_that_is_not_the_anchored_one_is_refused(history: History) -> None:
    broken = History(2)
    sha256 = str(broken.steps[1]["blob"]["sha256"])  # type: ignore[index,call-overload]
    for bad in (b"", broken.blobs[sha256] + b"\0", bytes(len(broken.blobs[sha256])), *history.blobs.values()):
        broken.blobs[sha256] = bad
        with pytest.raises(AddressMismatch):
            broken.open()


def test_weights_that_are_not_the_recorded_ones_are_refused() -> None:
    """An aggregator could seal other weights than it recorded: every hash is checked, on the way as well."""
    for number in (0, 1):
        lying = History(1)
        lying._add(1, whole=False)
        lying.steps[number] = {**lying.steps[number], "weights": "a" * 64}
        if number == 0:
            lying.steps[1] = {**lying.steps[1], "parent": record_id(encode(lying.steps[0]))}
        with pytest.raises(VersionError, match=f"version {number}"):
            lying.open()


@pytest.mark.parametrize(("field", "value"), [("number", 7), ("parent", "c" * 64)])
def test_a_record_that_leads_to_another_place_does_not_open_the_blob(field: str, value: Any) -> None:
    history = History(1)
    history.steps[0] = {**history.steps[0], field: value}
    with pytest.raises(BlobError):
        history.open()


def test_who_has_no_wrap_opens_nothing(history: History) -> None:
    with pytest.raises(NoWrap):
        history.open(key=STRANGER)


def test_one_version_opens_on_its_parent(history: History) -> None:
    step = history.steps[1]
    sealed = seal_version(
        history.weights[1], history.weights[0], model=MODEL, number=1, parent=str(step["parent"]), genesis=GENESIS
    )
    found = open_version(
        sealed.blob, record_of(sealed, 1, str(step["parent"])), lambda _: sealed.key, GENESIS, history.weights[0]
    )
    assert weights_hash(found) == sealed.weights


def test_a_model_that_grows_a_tensor_is_refused(history: History) -> None:
    grown: Tensors = {**history.weights[0], "more": np.zeros(3, np.float32)}
    parent = record_id(encode(history.steps[0]))
    sealed = seal_version(grown, None, model=MODEL, number=1, parent=parent, genesis=GENESIS)
    with pytest.raises(ValueError, match="more"):
        open_version(sealed.blob, record_of(sealed, 1, parent), lambda _: sealed.key, GENESIS, history.weights[0])


def test_neither_key_nor_bytes_are_shown_by_accident(history: History) -> None:
    sealed = seal_version(history.weights[0], None, model=MODEL, number=0, parent="", genesis=GENESIS)
    assert "key" not in repr(sealed)
    assert "blob=" not in repr(sealed)
