"""Differences as integers of 2^-32: sums of them are the same in every order, on every machine, at any thread count."""

import itertools
import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sealed.elements import Floats

Integers: TypeAlias = NDArray[np.int64]

BITS = 32
ONE = 2**20  # the sum of all weights

_SCALE = np.float32(2.0**BITS)
_LIMB = 22


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
    """Σ q² as it is, for |q| ≤ 2^43 and at most 2^16 of them: in two limbs, so that no 64 bits overflow."""
    high = integers >> _LIMB
    low = integers & (2**_LIMB - 1)
    squares = int((high * high).sum()) << 2 * _LIMB
    return squares + (int((high * low).sum()) << _LIMB + 1) + int((low * low).sum())


def norm(sum_of_squares: int) -> int:
    return math.isqrt(sum_of_squares)


def squared_distances(columns: Sequence[Integers]) -> dict[tuple[int, int], int]:
    pairs = itertools.combinations(range(len(columns)), 2)
    return {(one, other): square_sum(columns[one] - columns[other]) for one, other in pairs}
