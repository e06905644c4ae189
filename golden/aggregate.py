"""Small rounds and what every rule makes of them, bit for bit."""

import numpy as np

from sealed.aggregate import RULES, Update, aggregate, weights_of
from sealed.screens import COSINE, DISTANCE, NORM, cosine_scores, distance_scores, norm_scores
from sealed.tensors import Tensor, Tensors, spec_of, weights_hash


def _bits(seed: int, count: int) -> np.ndarray:
    """The same numbers wherever this runs: a linear congruential generator of 64 bits, its upper half."""
    state, found = seed, []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        found.append(state >> 32)
    return np.array(found, np.uint32)


def floats(seed: int, shape: tuple[int, ...], scale: float) -> Tensor:
    """Between -scale and scale."""
    count = int(np.prod(shape))
    return ((_bits(seed, count).astype(np.float64) / 2**31 - 1) * scale).astype(np.float32).reshape(shape)


def _base() -> Tensors:
    return {
        "layer.weight": floats(1, (3, 5), 0.5),
        "layer.bias": floats(2, (5,), 0.1),
        "norm.batches": np.array(41, np.int64),
        "norm.seen": np.array([250, 0, 7], np.uint8),
        "mask": np.array([True, False, True]),
        "tiny": np.array([0.0, -0.0, 1e-45, 3.4e38], np.float32),
        "empty": np.zeros((0, 4), np.float32),
    }


def _differences(number: int, scale: float) -> Tensors:
    return {
        "layer.weight": floats(10 + number, (3, 5), scale),
        "layer.bias": floats(20 + number, (5,), scale),
        "norm.batches": np.array(number, np.int64),
        "norm.seen": np.array([10, 255, number], np.uint8),
        "mask": np.array([number == 0, False, number == 1]),
        "tiny": np.array([2.0**-33, -(2.0**-33), 1.5 * 2.0**-32, -1.0], np.float32) * np.float32(number + 1),
        "empty": np.zeros((0, 4), np.float32),
    }


ROUNDS: dict[str, list[tuple[str, int, float]]] = {
    "one participant": [("only", 7, 0.01)],
    "two, one of them large": [("a", 1, 0.01), ("b", 10**9, 0.01)],
    "three": [("c", 300, 0.01), ("a", 100, 0.02), ("b", 200, 0.01)],
    "five, one of them far off": [
        ("e", 60, 0.01),
        ("d", 70, 900.0),
        ("c", 80, 0.01),
        ("b", 90, 0.01),
        ("a", 100, 0.01),
    ],
    "eight, one of them still": [(f"site-{n}", 50 + n, 0.0 if n == 3 else 0.01) for n in range(8)],
}


def _tensor(value: Tensor) -> dict[str, object]:
    return {"shape": list(value.shape), "hex": value.tobytes().hex()}


def _tensors(values: Tensors) -> dict[str, object]:
    dtypes = {spec.name: spec.dtype for spec in spec_of(values)}
    return {name: {**_tensor(value), "dtype": dtypes[name]} for name, value in values.items()}


def _round(members: list[tuple[str, int, float]]) -> dict[str, object]:
    updates = [Update(name, examples, _differences(n, scale)) for n, (name, examples, scale) in enumerate(members)]
    results = {rule: aggregate(rule, _base(), updates) for rule in RULES}
    return {
        "updates": [
            {"participant": one.participant, "examples": one.examples, "differences": _tensors(dict(one.differences))}
            for one in updates
        ],
        "weights_of": weights_of({one.participant: one.examples for one in updates}),
        "scores": {
            DISTANCE: distance_scores(_base(), updates),
            NORM: norm_scores(_base(), updates),
            COSINE: cosine_scores(_base(), updates, _differences(5, 0.02)),
        },
        "results": {
            rule: {"tensors": _tensors(found), "weights": weights_hash(found)} for rule, found in results.items()
        },
    }


def vectors() -> dict[str, object]:
    base = _base()
    rounds = [{"name": name, **_round(members)} for name, members in ROUNDS.items()]
    return {
        "base": {"tensors": _tensors(base), "weights": weights_hash(base)},
        "root": _tensors(_differences(5, 0.02)),
        "rounds": rounds,
    }
