"""Differences as integers of 2^-32: sums of them are the same in every order, on every machine, at any thread count."""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sealed.elements import Floats

Integers: TypeAlias = NDArray[np.int64]

BITS = 32
ONE = 2**20  # the sum of all weights

_SCALE = np.float32(2.0**BITS)
_LIMB = 22
IN_CACHE = 2**15  # integers whose differences are looked at at once


def quantise(differences: Floats) -> Integers:
    """rint(d·2^32): exact in float32, where scaling by a power of two loses nothing and |d| < 2^10."""
    scaled: Floats = differences * _SCALE
    np.rint(scaled, out=scaled)
    return scaled.astype(np.int64)


def scaled(integers: Integers, bits: int) -> NDArray[np.float64]:
    """Times 2^-bits: rounded once, to the 53 bits of a float64."""
    floats: NDArray[np.float64] = integers.astype(np.float64)
    floats *= 2.0**-bits
    return floats


def clip(integers: Integers, factor: int) -> Integers:
    """Shortened to `factor` parts of 2^20, to the nearest, halves up."""
    if factor == ONE:
        return integers
    shortened: Integers = (integers * factor + ONE // 2) >> 20
    return shortened


def square_sum(integers: Integers) -> int:
    """Σ q² as it is, for |q| ≤ 2^44 and at most 2^16 of them."""
    parts = np.zeros((3, 1), np.int64)
    _add_squares(integers.reshape(1, -1), parts)
    return int(_joined(parts)[0])


def product_sum(one: Integers, other: Integers) -> int:
    """Σ qᵢ·qⱼ, by 4·qᵢ·qⱼ = (qᵢ + qⱼ)² - (qᵢ - qⱼ)², for |q| ≤ 2^42."""
    return (square_sum(one + other) - square_sum(one - other)) // 4


def norm(sum_of_squares: int) -> int:
    return math.isqrt(sum_of_squares)


def squared_distances(rows: Integers) -> NDArray[np.object_]:
    """Σ (qᵢ - qⱼ)² of every two rows i < j, as they are, for |q| ≤ 2^42 and at most 2^16 columns."""
    count = len(rows)
    parts = np.zeros((3, count, count), np.int64)
    width = max(64, IN_CACHE // count)
    for start in range(0, rows.shape[1], width):
        block = np.ascontiguousarray(rows[:, start : start + width])
        for one in range(count - 1):
            _add_squares(block[one + 1 :] - block[one], parts[:, one, one + 1 :])
    return _joined(parts)


def _add_squares(rows: Integers, into: Integers) -> None:
    """In two limbs, so that no 64 bits overflow: (h·2^22 + l)² = h²·2^44 + hl·2^23 + l²."""
    high = rows >> _LIMB
    low = rows & (2**_LIMB - 1)
    for part, (one, other) in enumerate(((high, high), (high, low), (low, low))):
        into[part] += np.einsum("ij,ij->i", one, other)


def _joined(parts: Integers) -> NDArray[np.object_]:
    high, mixed, low = parts.astype(object)
    joined: NDArray[np.object_] = (high << 2 * _LIMB) + (mixed << _LIMB + 1) + low
    return joined
