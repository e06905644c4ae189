"""Screens: scores that anyone computes again, and that find who stands apart."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealed.quantised import product_sum
from sealed.rounds import Update
from sealed.screens import (
    COSINE,
    DISTANCE,
    FARTHEST,
    NORM,
    cosine_scores,
    distance_scores,
    norm_scores,
    robust_z,
    suspects,
)
from sealed.tensors import TensorError
from tests.sealed.models import differences, small, updates
from tests.sealed.test_aggregate import VECTORS, Described, tensors_of

ROOT = tensors_of(VECTORS["root"])
BASE = tensors_of(VECTORS["base"]["tensors"])


def updates_of(vector: dict[str, Any]) -> list[Update]:
    return [Update(one["participant"], one["examples"], tensors_of(one["differences"])) for one in vector["updates"]]


@pytest.mark.parametrize("vector", VECTORS["rounds"], ids=lambda v: v["name"])
def test_vectors_are_scored_as_written_down(vector: dict[str, Any]) -> None:
    some = updates_of(vector)[::-1]
    found = {
        DISTANCE: distance_scores(BASE, some),
        NORM: norm_scores(BASE, some),
        COSINE: cosine_scores(BASE, some, ROOT),
    }
    assert found == vector["scores"]


@pytest.mark.parametrize("vector", VECTORS["rounds"], ids=lambda v: v["name"])
def test_scores_are_what_the_page_says(vector: dict[str, Any]) -> None:
    described = Described(BASE, updates_of(vector))
    flat = [[x for name in described.trained for x in one[name]] for one in described.q]
    count = len(flat)
    middle = [sorted(column) for column in zip(*flat, strict=True)]
    twice = [column[(count - 1) // 2] + column[count // 2] for column in middle]
    far = [math.isqrt(sum((2 * x - m) ** 2 for x, m in zip(one, twice, strict=True))) for one in flat]
    assert list(vector["scores"][DISTANCE].values()) == robust_z(far)
    assert list(vector["scores"][NORM].values()) == robust_z([math.isqrt(sum(x * x for x in one)) for one in flat])


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_robust_z_is_the_usual_one_in_thousandths(values: list[int]) -> None:
    middle = Fraction(np.median(values))
    spread = Fraction(np.median([abs(value - middle) * 2 for value in values])) / 2
    for value, found in zip(values, robust_z(values), strict=True):
        if spread:
            assert found == max(-FARTHEST, min(FARTHEST, math.floor(Fraction("674.5") * (value - middle) / spread)))
        else:
            assert found == FARTHEST * ((value > middle) - (value < middle))


@given(st.lists(st.tuples(st.integers(-(2**42), 2**42), st.integers(-(2**42), 2**42)), min_size=1, max_size=30))
def test_products_are_summed_exactly(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs, np.int64).T
    assert product_sum(one, other) == sum(x * y for x, y in pairs)


def test_whoever_stands_apart_is_suspected() -> None:
    """Now and then an honest participant is suspected too: that is why a screen gives no verdict."""
    base = small()
    some = [*updates(base, 9), Update("zz", 100, differences(base, 77, scale=4e-3))]
    for screen, scores in ((DISTANCE, distance_scores(base, some)), (NORM, norm_scores(base, some))):
        assert "zz" in suspects({screen: scores})
        assert scores["zz"] > 10 * max(score for who, score in scores.items() if who != "zz")


def test_whoever_goes_against_the_root_update_is_suspected() -> None:
    base, root = small(), differences(small(), 1)
    along = Update("along", 1, differences(base, 1, scale=5e-3))
    against = Update("against", 1, {n: -v if v.dtype == np.float32 else v for n, v in root.items()})
    still = Update("still", 1, {n: np.zeros_like(v) for n, v in root.items()})
    scores = cosine_scores(base, [along, against, still], root)
    assert scores == {"against": -10_000, "along": scores["along"], "still": 0}
    assert scores["along"] > 9_990
    assert suspects({COSINE: scores}) == ["against", "still"]


def test_a_root_update_of_another_model_is_refused() -> None:
    with pytest.raises(TensorError):
        cosine_scores(small(), updates(small(), 2), {"w": np.zeros(3, np.float32)})
