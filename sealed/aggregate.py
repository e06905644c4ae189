"""From updates to the next weights: by a named rule, in integers, the same bits whoever computes them (docs/sealed.md).

A version can be recomputed only because of this. Nothing here may depend on the order in which updates came, on the
number of threads, or on how a library adds up floats.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sealed.elements import Floats, add, flat
from sealed.quantised import BITS, ONE, Integers, clip, quantise, scaled, squared_distances
from sealed.rounds import AggregationError, Round, UnusableUpdate, Update, columns_of, norm_of, round_of, slices
from sealed.tensors import DTYPES, FLOAT32, Spec, Tensor, Tensors, spec_of

__all__ = ["RULES", "AggregationError", "UnusableUpdate", "Update", "aggregate", "weights_of"]

MOST_THREADS = 2
ROOM = 48 * 1024 * 1024


class Member(NamedTuple):
    """An update, what it weighs in 2^20, and to how many parts of 2^20 its differences are shortened."""

    update: Update
    weight: int
    factor: int = ONE


Plan: TypeAlias = Callable[[Spec], Floats]  # from a trained tensor to its next elements


def aggregate(rule: str, base: Tensors, updates: Iterable[Update], folder: Path | None = None) -> Tensors:
    """The weights that follow `base`. Lazy updates are decoded tensor by tensor, so that many cost no more than one.

    `folder` is where tensors are put aside, encrypted, when a rule must see all participants at once.
    """
    if rule not in RULES:
        raise AggregationError(f"there is no rule {rule}")
    with round_of(base, updates, folder) as round_:
        plan = RULES[rule](round_)
        return {spec.name: _next(round_, plan, spec) for spec in spec_of(base)}


def weights_of(examples: Mapping[str, int]) -> dict[str, int]:
    """By examples, in 2^20; what rounding leaves goes to the first participant."""
    total = sum(examples.values())
    weights = {participant: examples[participant] * ONE // total for participant in sorted(examples)}
    weights[min(examples)] += ONE - sum(weights.values())
    return weights


def clip_factors(updates: Sequence[Update], trained: Sequence[Spec]) -> list[int]:
    """Nobody comes further than the (lower) median of all norms."""
    norms = [norm_of(update, trained) for update in updates]
    bound = sorted(norms)[(len(norms) - 1) // 2]
    return [min(ONE, bound * ONE // length) if length else ONE for length in norms]


def krum_choice(distances: Sequence[Sequence[int]]) -> list[int]:
    """Who stays: all but f, those whose nearest neighbours are nearest. f = a quarter, where Krum's bound allows it.

    Of `distances`, those of i < j are looked at.
    """
    count = len(distances)
    outliers = max(0, min(count // 4, (count - 3) // 2))
    near = max(0, count - outliers - 2)
    scores = [
        sum(sorted(distances[min(one, other)][max(one, other)] for other in range(count) if other != one)[:near])
        for one in range(count)
    ]
    return sorted(sorted(range(count), key=lambda one: (scores[one], one))[: count - outliers])


def _fedavg(round_: Round) -> Plan:
    return _summed(round_, _members(round_.updates))


def _norm_clip(round_: Round) -> Plan:
    factors = clip_factors(round_.updates, round_.trained)
    members = _members(round_.updates)
    shortened = [member._replace(factor=factor) for member, factor in zip(members, factors, strict=True)]
    return _summed(round_, shortened)


def _multi_krum(round_: Round) -> Plan:
    distances = np.zeros((len(round_.updates),) * 2, object)
    for spec in round_.trained:
        for columns in columns_of(round_, spec):
            distances += _distances(quantise(columns))
    chosen = krum_choice(distances.tolist())
    return _summed(round_, _members([round_.updates[one] for one in chosen]))


def _median(round_: Round) -> Plan:
    count = len(round_.updates)
    middle = slice((count - 1) // 2, count // 2 + 1)

    def of_columns(columns: Floats) -> NDArray[np.float64]:
        found = quantise(np.sort(columns, axis=0)[middle])
        return scaled(found[0] + found[-1], BITS + 1)

    return partial(_by_columns, round_, of_columns)


def _trimmed_mean(round_: Round) -> Plan:
    count = len(round_.updates)
    cut = max(1, count // 5) if count >= 3 else 0
    divisor = (count - 2 * cut) * 2.0**BITS

    def of_columns(columns: Floats) -> NDArray[np.float64]:
        kept = np.sort(columns, axis=0)[cut : count - cut]
        mean: NDArray[np.float64] = quantise(kept).sum(axis=0) / divisor
        return mean

    return partial(_by_columns, round_, of_columns)


RULES: dict[str, Callable[[Round], Plan]] = {
    "fedavg.1": _fedavg,
    "median.1": _median,
    "trimmed-mean.1": _trimmed_mean,
    "norm-clip.1": _norm_clip,
    "multi-krum.1": _multi_krum,
}


def _members(updates: Sequence[Update]) -> list[Member]:
    weights = weights_of({update.participant: update.examples for update in updates})
    return [Member(update, weights[update.participant]) for update in updates]


def _next(round_: Round, plan: Plan, spec: Spec) -> Tensor:
    found = plan(spec) if spec.dtype == FLOAT32 else _carried(round_, spec)
    return found.reshape(spec.shape)


def _summed(round_: Round, members: Sequence[Member]) -> Plan:
    """One update after the other where the sums of the whole model have room, else tensor by tensor."""
    model, largest = _sizes(round_.base)
    threads = min(_worthwhile(members), (2 * model + ROOM - largest) // (2 * model + 1))
    if threads < 1:
        return partial(_summed_tensor, round_, members)
    totals = _sums(members, round_.trained, threads)
    return lambda spec: _moved(round_.base[spec.name], slices(totals.pop(spec.name)))


def _summed_tensor(round_: Round, members: Sequence[Member], spec: Spec) -> Floats:
    model, _ = _sizes(round_.base)
    if 3 * spec.nbytes > model + ROOM:
        return _summed_by_columns(round_, members, spec)
    return _moved(round_.base[spec.name], slices(_sums(members, [spec], 1)[spec.name]))


def _sizes(base: Tensors) -> tuple[int, int]:
    """Bytes of the model, and of its largest tensor."""
    sizes = [spec.nbytes for spec in spec_of(base)]
    return sum(sizes), max(sizes, default=0)


def _worthwhile(members: Sequence[Member]) -> int:
    return min(MOST_THREADS, len(members), os.cpu_count() or 1)


def _sums(members: Sequence[Member], specs: Sequence[Spec], threads: int) -> dict[str, Integers]:
    """Σ wq. In integers it does not matter who adds up what."""
    groups = [members[first::threads] for first in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        total, *others = pool.map(lambda group: _sums_of(group, specs), groups)
    for other in others:
        for name, sums in other.items():
            total[name] += sums
    return total


def _sums_of(members: Sequence[Member], specs: Sequence[Spec]) -> dict[str, Integers]:
    totals = {spec.name: np.zeros(spec.elements, np.int64) for spec in specs}
    for member in members:
        for name, total in totals.items():
            _add(member, name, total)
    return totals


def _add(member: Member, name: str, total: Integers) -> None:
    start = 0
    for block in member.update.blocks(name):
        total[start : start + len(block)] += _weighed(member, block)
        start += len(block)


def _weighed(member: Member, block: Tensor) -> Integers:
    integers = clip(quantise(block), member.factor)
    integers *= member.weight
    return integers


def _moved(base: Tensor, sums: Iterable[Integers]) -> Floats:
    """base + Σ wq·2^-52: the weights' 2^20 times the differences' 2^32."""
    return _assembled(base, (scaled(total, BITS + 20) for total in sums))


def _summed_by_columns(round_: Round, members: Sequence[Member], spec: Spec) -> Floats:
    there = round_._replace(updates=[member.update for member in members])

    def sums() -> Iterator[Integers]:
        for columns in columns_of(there, spec):
            yield sum(map(_weighed, members, columns), np.zeros(columns.shape[1], np.int64))

    return _moved(round_.base[spec.name], sums())


def _distances(rows: Integers) -> NDArray[np.object_]:
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(squared_distances, np.array_split(rows, threads, axis=1)))
    return sum(parts[1:], parts[0])


def _by_columns(round_: Round, rule: Callable[[Floats], NDArray[np.float64]], spec: Spec) -> Floats:
    return _assembled(round_.base[spec.name], map(rule, columns_of(round_, spec)))


def _assembled(base: Tensor, differences: Iterable[NDArray[np.float64]]) -> Floats:
    """float32(base + difference), added in float64."""
    whole, start, before = np.empty(base.size, np.float32), 0, flat(base)
    for difference in differences:
        stop = start + len(difference)
        with np.errstate(over="ignore"):
            whole[start:stop] = before[start:stop].astype(np.float64) + difference
        start = stop
    if not np.isfinite(whole).all():
        raise AggregationError("weights beyond float32")
    return whole


def _carried(round_: Round, spec: Spec) -> Tensor:
    """`carry.1`: base and the largest difference, read as signed; of a bool, whether anyone changed it."""
    dtype = DTYPES[spec.dtype]
    signed = np.dtype(f"i{dtype.itemsize}")
    largest = np.full(spec.elements, np.iinfo(signed).min, signed)
    for update in round_.updates:
        start = 0
        for block in update.blocks(spec.name):
            part = largest[start : start + len(block)]
            np.maximum(part, block.view(signed), out=part)
            start += len(block)
    return add(flat(round_.base[spec.name]), largest.view(dtype))
