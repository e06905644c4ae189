"""Small models and rounds to seal, open and aggregate."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sealed.aggregate import Update
from sealed.fldiff import Place
from sealed.keys import SealingKey, SigningKey
from sealed.records import Record
from sealed.tensors import DTYPES, Tensors

GENESIS = "9" * 64
MODEL = "m"
ROUND: Record = {
    "schema": "round.1", "model": MODEL, "number": 3, "epoch": 0, "base": "b" * 64, "participants": ["a", "b"],
    "policy": 1, "hyperparameters": {}, "deadline_at": 1,
}  # fmt: skip
RECIPIENT = SealingKey.of_seed(b"\x07" * 32)
STRANGER = SealingKey.of_seed(b"\x08" * 32)
SIGNER = SigningKey.of_seed(b"\x09" * 32)
PLACE: Place = {
    "base": "b" * 64, "codec": "bf16.1", "genesis": GENESIS, "kind": "update", "model": MODEL, "number": 3,
    "participant": "a",
}  # fmt: skip


def small(seed: int = 0) -> Tensors:
    numbers = np.random.default_rng(seed)
    return {
        "conv.weight": (numbers.standard_normal((4, 3, 3)) / 10).astype(np.float32),
        "conv.bias": (numbers.standard_normal(4) / 10).astype(np.float32),
        "fc.weight": (numbers.standard_normal((10, 300)) / 10).astype(np.float32),
        "norm.batches": np.array(seed, np.int64),
        "mask": np.array([True, False]),
    }


def moved(base: Mapping[str, npt.NDArray[Any]], seed: int, scale: float = 1e-3) -> Tensors:
    """As if trained a little further."""
    numbers = np.random.default_rng(seed)
    return {
        name: value + (numbers.standard_normal(value.shape) * scale).astype(np.float32)
        if value.dtype == np.float32
        else value.copy()
        for name, value in base.items()
    }


def differences(base: Tensors, seed: int, scale: float = 1e-3) -> Tensors:
    numbers = np.random.default_rng(seed)
    return {
        name: np.asarray(numbers.standard_normal(value.shape) * scale, np.float32)
        if value.dtype == np.float32
        else np.zeros_like(value)
        for name, value in base.items()
    }


def updates(base: Tensors, count: int, scale: float = 1e-3) -> list[Update]:
    return [Update(f"site-{n:03}", 100 + n, differences(base, n, scale)) for n in range(count)]


FLOAT32 = npst.from_dtype(
    np.dtype("<f4"), allow_nan=False, allow_infinity=False, min_value=-500, max_value=500, allow_subnormal=True
)
SHAPES = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


def tensors(dtypes: list[int]) -> st.SearchStrategy[Tensors]:
    def one(dtype: int) -> st.SearchStrategy[npt.NDArray[Any]]:
        numpy_dtype = DTYPES[dtype]
        elements = FLOAT32 if dtype == 1 else npst.from_dtype(numpy_dtype, allow_nan=False, allow_infinity=False)
        return npst.arrays(numpy_dtype, SHAPES, elements=elements)

    return st.dictionaries(NAMES, st.sampled_from(dtypes).flatmap(one), min_size=1, max_size=4)


def like(drawn: Tensors) -> st.SearchStrategy[Tensors]:
    """Other values for the same names, shapes and dtypes."""
    return st.fixed_dictionaries({name: _array_like(value) for name, value in drawn.items()})


def _array_like(value: npt.NDArray[Any]) -> st.SearchStrategy[npt.NDArray[Any]]:
    return npst.arrays(value.dtype, value.shape, elements=FLOAT32 if value.dtype == np.float32 else None)
