"""The updates of one round: in order, checked against their base, and read block by block."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sealed.codec import Differences
from sealed.elements import BLOCK, CodecError, Floats, checked, flat
from sealed.quantised import norm, quantise, square_sum
from sealed.spill import Spill, spill
from sealed.tensors import FLOAT32, UNTRAINED, Spec, Tensor, TensorError, Tensors, check_like, spec_of

COLUMNS = 2**21  # elements of all participants that are in memory at once


class AggregationError(ValueError):
    """Updates that no rule can make a version of."""


class UnusableUpdate(AggregationError):
    """One participant's update is the reason."""

    def __init__(self, participant: str, reason: object) -> None:
        super().__init__(f"{participant}: {reason}")
        self.participant = participant


@dataclass(frozen=True, slots=True)
class Update:
    """One participant's differences; a `codec.Differences` is decoded only where it is read."""

    participant: str
    examples: int
    differences: Mapping[str, Tensor] = field(repr=False)

    def blocks(self, name: str) -> Iterator[Tensor]:
        """The elements of one tensor in order, in blocks of `BLOCK` and a shorter last one, each within bounds."""
        try:
            if isinstance(self.differences, Differences):
                yield from self.differences.blocks(name)
            else:
                yield from map(_within_bounds, slices(flat(self.differences[name])))
        except CodecError as error:
            raise UnusableUpdate(self.participant, error) from error


class Round(NamedTuple):
    base: Tensors
    updates: list[Update]  # sorted by participant
    spill: Spill

    @property
    def trained(self) -> list[Spec]:
        return [spec for spec in spec_of(self.base) if spec.dtype == FLOAT32]


@contextmanager
def round_of(base: Tensors, updates: Iterable[Update], folder: Path | None = None) -> Iterator[Round]:
    """`folder` is where tensors are put aside, encrypted, when all participants must be seen at once."""
    ordered = _checked_updates(base, updates)
    with spill(folder) as aside:
        yield Round(base, ordered, aside)


def columns_of(round_: Round, spec: Spec) -> Iterator[Floats]:
    """The same elements of every update under each other, as many as fit in memory; a row for each update."""
    width = _width(len(round_.updates))
    aside = round_.spill
    rows = [_put_aside(aside, update.blocks(spec.name), width) for update in round_.updates]
    for places in zip(*rows, strict=True):
        yield np.stack([aside.get(place) for place in places])
    aside.clear()


def norm_of(update: Update, trained: Sequence[Spec]) -> int:
    return norm(squares_of(update, trained))


def squares_of(update: Update, trained: Sequence[Spec]) -> int:
    return sum(square_sum(quantise(block)) for spec in trained for block in update.blocks(spec.name))


def slices(elements: Tensor, width: int = BLOCK) -> Iterator[Tensor]:
    for start in range(0, len(elements), width):
        yield elements[start : start + width]


def _width(rows: int) -> int:
    return int(min(BLOCK, max(256, 2 ** ((COLUMNS // rows).bit_length() - 1))))


def _put_aside(aside: Spill, blocks: Iterator[Tensor], width: int) -> list[int]:
    return [aside.put(piece) for block in blocks for piece in slices(block, width)]


def _within_bounds(block: Tensor) -> Tensor:
    return checked(block) if block.dtype == np.float32 else block


def _checked_updates(base: Tensors, updates: Iterable[Update]) -> list[Update]:
    ordered = sorted(updates, key=lambda update: update.participant)
    if len({update.participant for update in ordered}) < max(1, len(ordered)):
        raise AggregationError("no update, or two of one participant")
    expected = spec_of(base)
    if any(spec.dtype in UNTRAINED for spec in expected):
        raise AggregationError("a base with floats that are not float32")
    for update in ordered:
        _refuse_unlike(update, expected)
    return ordered


def _refuse_unlike(update: Update, expected: tuple[Spec, ...]) -> None:
    if update.examples < 1:
        raise UnusableUpdate(update.participant, f"{update.examples} examples")
    try:
        if isinstance(update.differences, Differences):
            update.differences.refuse_unless(expected)
        else:
            check_like(update.differences, expected)
    except (CodecError, TensorError) as error:
        raise UnusableUpdate(update.participant, error) from error
