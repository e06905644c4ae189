"""Aggregation: the bits that the page describes, whatever the order, the threads and the number of participants."""

import json
import math
import random
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealed import aggregate as module
from sealed import rounds, spill
from sealed.aggregate import (
    RULES,
    AggregationError,
    UnusableUpdate,
    Update,
    aggregate,
    clip_factors,
    krum_choice,
    weights_of,
)
from sealed.codec import encode_update, read_update
from sealed.manifest import build_manifest
from sealed.quantised import ONE, norm, quantise, square_sum, squared_distances
from sealed.records import RULE_NAMES, parse
from sealed.tensors import DTYPES, Tensors, spec_of, weights_hash
from sealed.updates import Received, open_updates, seal_update
from tests.campaigns import Campaign
from tests.sealed.models import GENESIS, RECIPIENT, ROUND, differences, moved, small, updates

VECTORS: Any = json.loads((Path(__file__).resolve().parents[2] / "golden" / "aggregate.json").read_text("ascii"))
Floats = npt.NDArray[np.float32]
LIMIT = 64 * 2**20


def tensors_of(described: dict[str, Any]) -> Tensors:
    return {
        name: np.frombuffer(bytes.fromhex(one["hex"]), DTYPES[one["dtype"]]).reshape(one["shape"])
        for name, one in described.items()
    }


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("vector", VECTORS["rounds"], ids=lambda v: v["name"])
def test_vectors_come_out_as_written_down(vector: dict[str, Any], rule: str) -> None:
    made = [
        Update(one["participant"], one["examples"], tensors_of(one["differences"]))
        for one in reversed(vector["updates"])
    ]
    found = aggregate(rule, tensors_of(VECTORS["base"]["tensors"]), made)
    assert weights_hash(found) == vector["results"][rule]["weights"]
    assert weights_hash(tensors_of(vector["results"][rule]["tensors"])) == weights_hash(found)
    assert weights_of({one.participant: one.examples for one in made}) == vector["weights_of"]


class Described:
    """docs/sealed.md once more, in exact numbers and without numpy's arithmetic: slow, and of another hand."""

    def __init__(self, base: Tensors, made: list[Update]) -> None:
        self.base, self.updates = base, sorted(made, key=lambda one: one.participant)
        self.trained = sorted(name for name, value in base.items() if value.dtype == np.float32)
        self.q = [
            {name: [half_even(x) for x in one.differences[name].reshape(-1)] for name in self.trained}
            for one in self.updates
        ]

    def next(self, rule: str) -> dict[str, list[float]]:
        return getattr(self, rule.split(".", maxsplit=1)[0].replace("-", "_"))()  # type: ignore[no-any-return]

    def summed(self, chosen: list[int], q: list[dict[str, list[int]]]) -> dict[str, list[float]]:
        total = sum(self.updates[i].examples for i in chosen)
        weights = {i: self.updates[i].examples * 2**20 // total for i in chosen}
        weights[chosen[0]] += 2**20 - sum(weights.values())
        return self.each(lambda name, at: math.ldexp(float(sum(w * q[i][name][at] for i, w in weights.items())), -52))

    def each(self, of: Callable[[str, int], float]) -> dict[str, list[float]]:
        return {
            name: [float(np.float32(float(x) + of(name, at))) for at, x in enumerate(self.base[name].reshape(-1))]
            for name in self.trained
        }

    def fedavg(self) -> dict[str, list[float]]:
        return self.summed(list(range(len(self.q))), self.q)

    def median(self) -> dict[str, list[float]]:
        def middle(name: str, at: int) -> float:
            q = sorted(one[name][at] for one in self.q)
            return math.ldexp(float(q[(len(q) - 1) // 2] + q[len(q) // 2]), -33)

        return self.each(middle)

    def trimmed_mean(self) -> dict[str, list[float]]:
        count = len(self.q)
        cut = 0 if count < 3 else max(1, count // 5)

        def mean(name: str, at: int) -> float:
            kept = sorted(one[name][at] for one in self.q)[cut : count - cut]
            return float(sum(kept)) / math.ldexp(float(count - 2 * cut), 32)

        return self.each(mean)

    def norm_clip(self) -> dict[str, list[float]]:
        norms = [math.isqrt(sum(x * x for values in one.values() for x in values)) for one in self.q]
        bound = sorted(norms)[(len(norms) - 1) // 2]
        factors = [min(2**20, bound * 2**20 // length) if length else 2**20 for length in norms]
        shortened = [
            {name: [x if c == 2**20 else math.floor(Fraction(x * c + 2**19, 2**20)) for x in values]
             for name, values in one.items()}
            for one, c in zip(self.q, factors, strict=True)
        ]  # fmt: skip
        return self.summed(list(range(len(self.q))), shortened)

    def multi_krum(self) -> dict[str, list[float]]:
        count = len(self.q)
        flat = [[x for name in self.trained for x in one[name]] for one in self.q]
        f = max(0, min(count // 4, (count - 3) // 2))
        scores = []
        for i in range(count):
            far = sorted(
                sum((x - y) ** 2 for x, y in zip(flat[i], flat[j], strict=True)) for j in range(count) if j != i
            )
            scores.append((sum(far[: max(0, count - f - 2)]), i))
        return self.summed(sorted(i for _, i in sorted(scores)[: count - f]), self.q)


def half_even(value: np.float32) -> int:
    return round(Fraction(float(value)) * 2**32)


def made(count: int, seed: int, scale: float) -> list[Update]:
    numbers = random.Random(seed)
    base = small()
    few: Tensors = {name: base[name] for name in ("conv.weight", "conv.bias", "norm.batches", "mask")}
    scales = [scale * numbers.choice([0, 0.1, 1, 1, 1, 10]) for _ in range(count)]
    return [
        Update(f"site-{n}", numbers.randint(1, 60_000), differences(few, seed + n, one)) for n, one in enumerate(scales)
    ]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 11])
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 20.0])
def test_every_rule_computes_what_the_page_says(rule: str, count: int, scale: float) -> None:
    base = {name: small()[name] for name in ("conv.weight", "conv.bias", "norm.batches", "mask")}
    some = made(count, 7 * count, scale)
    found, described = aggregate(rule, base, some), Described(base, some).next(rule)
    for name, expected in described.items():
        assert found[name].reshape(-1).tolist() == expected


@given(st.permutations(range(7)), st.sampled_from(sorted(RULES)))
def test_order_does_not_matter(order: list[int], rule: str) -> None:
    base, some = small(), updates(small(), 7)
    assert weights_hash(aggregate(rule, base, [some[n] for n in order])) == EXPECTED[rule]


EXPECTED = {rule: weights_hash(aggregate(rule, small(), updates(small(), 7))) for rule in RULES}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_threads_do_not_matter(rule: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_THREADS", threads)
    monkeypatch.setattr("os.cpu_count", lambda: threads)
    assert weights_hash(aggregate(rule, small(), iter(updates(small(), 7)))) == EXPECTED[rule]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("room", [-(10**9), 3 * 12_000 - 13_000, LIMIT])
@pytest.mark.parametrize("columns", [1, 2**12, 2**21])
@pytest.mark.parametrize("in_memory", [0, 10_000, 2**24])
def test_how_much_is_put_aside_does_not_matter(
    rule: str, room: int, columns: int, in_memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOM", room)
    monkeypatch.setattr(rounds, "COLUMNS", columns)
    monkeypatch.setattr(spill, "IN_MEMORY", in_memory)
    assert weights_hash(aggregate(rule, small(), updates(small(), 7), tmp_path)) == EXPECTED[rule]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rule", RULES)
def test_lazy_updates_come_to_the_same(rule: str) -> None:
    base = small()
    plaintexts = [encode_update("bf16.1", moved(base, n), base) for n in range(6)]
    lazy = [Update(f"site-{n}", n + 1, read_update(one, base)) for n, one in enumerate(plaintexts)]
    eager = [Update(one.participant, one.examples, dict(one.differences)) for one in lazy]
    assert weights_hash(aggregate(rule, base, lazy)) == weights_hash(aggregate(rule, base, eager))


def test_every_named_rule_exists() -> None:
    assert sorted(RULES) == sorted(RULE_NAMES)


def test_one_participant_moves_the_model_to_its_own_weights() -> None:
    base = small()
    for rule in RULES:
        found = aggregate(rule, base, updates(base, 1))
        exact = base["fc.weight"] + updates(base, 1)[0].differences["fc.weight"]
        np.testing.assert_allclose(found["fc.weight"], exact, rtol=1e-6)


def test_a_round_without_movement_leaves_every_bit() -> None:
    base = {**small(), "tiny": np.array([1e-45, -0.0, 1e-38, 3.4e38], np.float32)}
    still = [Update(f"site-{n}", 1, {name: np.zeros_like(value) for name, value in base.items()}) for n in range(5)]
    for rule in RULES:
        found = aggregate(rule, base, still)
        assert all((found[name] == base[name]).all() for name in base)


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(1, 2**40), min_size=1, max_size=30))
def test_weights_add_up(examples: dict[str, int]) -> None:
    weights = weights_of(examples)
    assert sum(weights.values()) == ONE
    assert list(weights) == sorted(examples)
    total = sum(examples.values())
    first = min(examples)
    assert all(
        0 <= Fraction(n, total) - Fraction(weights[p], ONE) < Fraction(1, ONE)
        for p, n in examples.items()
        if p != first
    )


def test_two_hundred_clients_of_sixty_thousand_examples_do_not_overflow() -> None:
    extreme = np.nextafter(np.float32(1024), np.float32(0))
    base: Tensors = {"w": np.zeros((2, 3), np.float32)}
    for sign in (1, -1):
        far = [Update(f"site-{n:03}", 60_000, {"w": np.full((2, 3), sign * extreme)}) for n in range(200)]
        for rule in RULES:
            assert (aggregate(rule, base, far)["w"] == sign * extreme).all()


@given(st.lists(st.integers(-(2**43), 2**43), min_size=1, max_size=40))
def test_squares_are_summed_exactly(numbers: list[int]) -> None:
    assert square_sum(np.array(numbers, np.int64)) == sum(n * n for n in numbers)
    assert square_sum(np.full(2**16, -(2**43), np.int64)) == 2**16 * 2**86
    assert norm(sum(n * n for n in numbers)) == math.isqrt(sum(n * n for n in numbers))


@given(st.lists(st.lists(st.integers(-(2**42), 2**42), min_size=3, max_size=3), min_size=1, max_size=6))
def test_distances_are_summed_exactly(rows: list[list[int]]) -> None:
    found = squared_distances(np.array(rows, np.int64))
    for i, one in enumerate(rows):
        for j, other in enumerate(rows[i + 1 :], i + 1):
            assert found[i][j] == sum((x - y) ** 2 for x, y in zip(one, other, strict=True))


@given(st.lists(st.floats(-1023, 1023, width=32), min_size=1, max_size=40))
def test_quantising_rounds_halves_to_even_exactly(numbers: list[float]) -> None:
    found = quantise(np.array(numbers, np.float32))
    assert found.tolist() == [half_even(np.float32(n)) for n in numbers]


def test_clipping_stops_who_goes_too_far() -> None:
    base = small()
    trained = [spec for spec in spec_of(base) if spec.dtype == 1]
    some = [*updates(base, 4), Update("zz", 100, differences(base, 9, scale=1.0))]
    factors = clip_factors(some, trained)
    assert factors[-1] < ONE // 500
    assert max(factors[:-1]) == ONE


def test_krum_leaves_out_who_stands_apart() -> None:
    def choice(points: list[int]) -> list[int]:
        return krum_choice([[(one - other) ** 2 for other in points] for one in points])

    assert choice([0, 1, 2, 1, 1000]) == [0, 1, 2, 3]
    assert choice([0, 1, 2, 1, 1000, 3, 1, -900]) == [0, 1, 2, 3, 5, 6]
    assert choice([5, 5, 5, 5, 5]) == [0, 1, 2, 3]
    for few in ([1], [1, 9], [1, 9, 100], [1, 9, 100, 1000]):
        assert choice(few) == list(range(len(few)))


def test_robust_rules_hold_against_one_in_five() -> None:
    base = small()
    some = [*updates(base, 8), *(Update(f"zz-{n}", 10**6, differences(base, n, scale=100.0)) for n in range(2))]
    for rule, harm in (("median.1", 0.01), ("trimmed-mean.1", 0.01), ("norm-clip.1", 0.01), ("multi-krum.1", 0.01)):
        assert np.abs(aggregate(rule, base, some)["fc.weight"] - base["fc.weight"]).max() < harm
    assert np.abs(aggregate("fedavg.1", base, some)["fc.weight"] - base["fc.weight"]).max() > 100


@pytest.mark.parametrize("rule", RULES)
def test_integers_are_carried(rule: str) -> None:
    base: Tensors = {
        "i": np.array([5, -5, 2**63 - 1], np.int64), "s": np.array(7, np.int16), "u": np.array([250, 3], np.uint8),
        "b": np.array([True, True, False]),
    }  # fmt: skip

    def one(name: str, i: list[int], s: int, u: list[int], b: list[bool]) -> Update:
        there: Tensors = {"i": np.array(i), "s": np.array(s, np.int16), "u": np.array(u, np.uint8), "b": np.array(b)}
        return Update(name, 1, there)

    some = [
        one("a", [1, -3, 0], -2, [10, 255], [False, True, False]),
        one("b", [3, -9, 1], -1, [1, 254], [False, True, True]),
    ]
    found = aggregate(rule, base, some)
    assert found["i"].tolist() == [8, -8, -(2**63)]
    assert found["s"].tolist() == 6
    assert found["u"].tolist() == [4, 2]
    assert found["b"].tolist() == [True, False, True]
    assert spec_of(found) == spec_of(base)


def wrong_updates() -> dict[str, Tensors]:
    base = small()
    right = differences(base, 1)
    return {
        "missing": {name: value for name, value in right.items() if name != "mask"},
        "extra": {**right, "more": np.zeros(1, np.float32)},
        "shape": {**right, "conv.bias": np.zeros(5, np.float32)},
        "dtype": {**right, "conv.bias": np.zeros(4, np.float64)},
        "NaN": {**right, "conv.bias": np.array([0, 0, np.nan, 0], np.float32)},
        "infinity": {**right, "conv.bias": np.array([0, 0, -np.inf, 0], np.float32)},
        "1024": {**right, "conv.bias": np.array([0, 0, 1024, 0], np.float32)},
        "-1024": {**right, "conv.bias": np.array([0, 0, -1024, 0], np.float32)},
    }


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("what", wrong_updates())
def test_an_unusable_update_is_refused_and_its_participant_named(rule: str, what: str) -> None:
    base = small()
    with pytest.raises(UnusableUpdate) as refused:
        aggregate(rule, base, [*updates(base, 3), Update("culprit", 1, wrong_updates()[what])])
    assert refused.value.participant == "culprit"


@pytest.mark.parametrize("rule", RULES)
def test_rounds_that_no_version_comes_of_are_refused(rule: str) -> None:
    base, some = small(), updates(small(), 2)
    for bad in ([], [some[0], some[0]], [Update("a", 0, some[0].differences)], [Update("a", -1, some[0].differences)]):
        with pytest.raises(AggregationError):
            aggregate(rule, base, bad)
    with pytest.raises(AggregationError):
        aggregate(rule, {"w": np.zeros(2, np.float64)}, [Update("a", 1, {"w": np.zeros(2, np.float64)})])


def test_an_unknown_rule_is_refused() -> None:
    for rule in ("fedavg", "fedavg.2", "", "genesis.1", "carry.1"):
        with pytest.raises(AggregationError):
            aggregate(rule, small(), updates(small(), 2))


def test_weights_beyond_float32_are_refused() -> None:
    largest = np.finfo(np.float32).max
    base: Tensors = {"w": np.array([[largest]], np.float32)}
    found = aggregate("fedavg.1", base, [Update("a", 1, {"w": np.array([[1000]], np.float32)})])
    assert found["w"] == largest
    infinite: Tensors = {"w": np.array([[np.inf]], np.float32)}
    with pytest.raises(AggregationError):
        aggregate("fedavg.1", infinite, [Update("a", 1, {"w": np.array([[0]], np.float32)})])


def sealed_round(base: Tensors, count: int, folder: Path) -> list[Received]:
    """Every participant hands in the same movement: it is memory that is looked at here."""
    trained, received = moved(base, 1), []
    for n in range(count):
        name = f"site-{n:04}"
        sealed = seal_update(trained, base, ROUND, name, GENESIS)
        path = folder / name
        path.write_bytes(sealed.blob)
        manifest = parse(build_manifest(ROUND, name, 100, sealed.record, "5" * 64, {}))
        received.append(Received(path, manifest, sealed.wraps_for([RECIPIENT.public])))
    return received


def peak_of(rule: str, base: Tensors, received: list[Received], folder: Path) -> int:
    tracemalloc.start()
    try:
        aggregate(rule, base, open_updates(received, RECIPIENT, GENESIS, base), folder)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("rule", RULES)
def test_memory_does_not_grow_with_participants(rule: str, tmp_path: Path, campaign: Campaign) -> None:
    count = campaign(f"participants of one round, {rule}", sampled=16, full=200)
    base: Tensors = {"a": np.zeros((300, 1000), np.float32), "b": np.zeros((100, 1000), np.float32)}
    peak = peak_of(rule, base, sealed_round(base, count, tmp_path), tmp_path)
    assert peak <= 2 * 1_600_000 + LIMIT


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("rule", RULES)
def test_memory_is_bounded_for_a_large_model(rule: str, tmp_path: Path, campaign: Campaign) -> None:
    million = campaign(f"parameters in millions of one tensor, {rule}", sampled=4, full=40)
    base: Tensors = {"w": np.zeros((1000, million * 1000), np.float32), "v": np.zeros((100, 1000), np.float32)}
    peak = peak_of(rule, base, sealed_round(base, 3, tmp_path), tmp_path)
    assert peak <= 2 * sum(one.nbytes for one in base.values()) + LIMIT
