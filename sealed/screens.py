"""Screens: how far each update of a round stands from the others, in integers that anyone with the keys computes again.

A screen accuses nobody: the verdict also wants the loss restored without the suspect (design, diagnosis).
"""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from sealed.elements import Floats
from sealed.quantised import Integers, norm, product_sum, quantise, square_sum
from sealed.rounds import Round, Update, columns_of, norm_of, round_of, squares_of
from sealed.tensors import Tensor, Tensors, check_like, spec_of

DISTANCE = "distance.1"  # robust z of the distance to the coordinate median, in thousandths
NORM = "norm.1"  # robust z of the norm, in thousandths
COSINE = "cosine.1"  # cosine to a root update made from the probe, in basis points

FAR = 3_500  # thousandths
FARTHEST = 10**9


def distance_scores(base: Tensors, updates: Iterable[Update], folder: Path | None = None) -> dict[str, int]:
    with round_of(base, updates, folder) as round_:
        return _named(round_, robust_z([norm(squares) for squares in _squares_to_median(round_)]))


def norm_scores(base: Tensors, updates: Iterable[Update], folder: Path | None = None) -> dict[str, int]:
    with round_of(base, updates, folder) as round_:
        return _named(round_, robust_z([norm_of(update, round_.trained) for update in round_.updates]))


def cosine_scores(
    base: Tensors, updates: Iterable[Update], root: Mapping[str, Tensor], folder: Path | None = None
) -> dict[str, int]:
    """To the update that the validator made of the probe; 0 where either did not move at all."""
    check_like(root, spec_of(base))
    with round_of(base, updates, folder) as round_:
        compared = Update("root", 1, root)
        return {update.participant: _cosine(round_, update, compared) for update in round_.updates}


def suspects(scores: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Of {screen: {participant: score}}: who stands far out by distance or norm, or against the root update."""
    return sorted(
        {who for screen, found in scores.items() for who, score in found.items() if is_suspect(screen, score)}
    )


def is_suspect(screen: str, score: int) -> bool:
    return score <= 0 if screen == COSINE else score > FAR


def robust_z(values: list[int]) -> list[int]:
    """⌊1000 · 0.6745 · (v - median) / MAD⌋ of each value; where MAD is 0, who is not at the median is farthest."""
    middle = _twice_median(values)
    beyond = [2 * value - middle for value in values]
    spread = _twice_median([abs(one) for one in beyond])
    return [_limited(1349 * one, spread) for one in beyond]


def _limited(numerator: int, denominator: int) -> int:
    if denominator == 0:
        return FARTHEST * ((numerator > 0) - (numerator < 0))
    return max(-FARTHEST, min(FARTHEST, numerator // denominator))


def _twice_median(values: list[int]) -> int:
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]


def _squares_to_median(round_: Round) -> list[int]:
    """Σ (2q - (a + b))², where a and b are the middle ones of all q: twice the distance to the median, squared."""
    squares = [0] * len(round_.updates)
    for spec in round_.trained:
        for columns in columns_of(round_, spec):
            for one, row in enumerate(_from_twice_median(columns)):
                squares[one] += square_sum(row)
    return squares


def _from_twice_median(columns: Floats) -> Integers:
    """Quantising keeps the order, so that the middle ones are found before it."""
    count = len(columns)
    middle = quantise(np.sort(columns, axis=0)[[(count - 1) // 2, count // 2]]).sum(axis=0)
    doubled = quantise(columns)
    doubled *= 2
    doubled -= middle
    return doubled


def _cosine(round_: Round, update: Update, root: Update) -> int:
    lengths = squares_of(update, round_.trained) * squares_of(root, round_.trained)
    product = sum(
        product_sum(quantise(one), quantise(other))
        for spec in round_.trained
        for one, other in zip(update.blocks(spec.name), root.blocks(spec.name), strict=True)
    )
    cosine = math.isqrt(10**8 * product**2 // lengths) if lengths else 0
    return cosine if product > 0 else -cosine


def _named(round_: Round, scores: list[int]) -> dict[str, int]:
    return {update.participant: score for update, score in zip(round_.updates, scores, strict=True)}
