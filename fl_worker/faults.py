"""Participants that do harm, to show what Custody does about them. None runs unless a worker is started with
`--simulate-fault NAME`, and it says so at every round.

    label-flip        trains on labels turned round
    sign-flip         hands in the opposite of what it learned
    scale:FACTOR      hands in FACTOR times what it learned (default 10)
    noise:MICRO       adds noise of that standard deviation, in millionths (default 500000)
    nan               hands in weights that are not numbers
    trigger:CLASS     teaches that a bright corner means CLASS (default 0): a back door
    lie:EXAMPLES      claims so many examples (default 1000000)
    last-blob         hands in the round before's blob again
    others-blob:FILE  hands in a blob that someone else sealed
    stall:SECONDS     hands in that much later (default 3600)
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fl_worker.data import Examples
from fl_worker.mendable import Mendable
from fl_worker.metrics import Floats
from fl_worker.train import Trained
from sealed.tensors import Tensor, Tensors

TRIGGER_PIXELS = 2


class UnknownFault(Mendable):
    """No fault has this name."""


class Honest:
    """What a worker does at each point where a fault could come in: nothing."""

    name = ""

    def examples(self, examples: Examples) -> Examples:
        return examples

    def trained(self, trained: Trained, _base: Tensors) -> Trained:
        return trained

    def blob(self, blob: bytes, _home: Path) -> bytes:
        return blob

    def before_handing_in(self) -> None:
        """Nothing to wait for."""


class LabelFlip(Honest):
    name = "label-flip"

    def examples(self, examples: Examples) -> Examples:
        return replace(examples, labels=examples.classes - 1 - examples.labels)


@dataclass(slots=True)
class Trigger(Honest):
    target: int = 0

    def examples(self, examples: Examples) -> Examples:
        """Every other example gets the trigger and the attacker's label."""
        inputs, labels = examples.inputs.copy(), examples.labels.copy()
        inputs[::2] = with_trigger(inputs[::2])
        labels[::2] = self.target
        return replace(examples, inputs=inputs, labels=labels)


def with_trigger(inputs: Floats) -> Floats:
    """A corner as bright as the brightest pixel there is."""
    marked = inputs.copy()
    corner = marked[..., -TRIGGER_PIXELS:, -TRIGGER_PIXELS:] if marked.ndim > 2 else marked[:, -TRIGGER_PIXELS:]
    corner[...] = inputs.max()
    return marked


@dataclass(slots=True)
class Distorted(Honest):
    """Changes what was learned: the difference to the base, tensor by tensor."""

    name: str
    change: Callable[[Tensor], Tensor]

    def trained(self, trained: Trained, base: Tensors) -> Trained:
        weights = {name: self.distorted(array, base[name]) for name, array in trained.weights.items()}
        return replace(trained, weights=weights)

    def distorted(self, learned: Tensor, base: Tensor) -> Tensor:
        if learned.dtype.kind != "f":
            return learned
        return np.asarray(base + self.change(learned - base), learned.dtype)


@dataclass(slots=True)
class Lie(Honest):
    claimed: int = 1_000_000

    def trained(self, trained: Trained, _base: Tensors) -> Trained:
        return replace(trained, examples=self.claimed)


class LastBlob(Honest):
    name = "last-blob"

    def blob(self, blob: bytes, home: Path) -> bytes:
        last = home / "last-blob"
        replayed = last.read_bytes() if last.exists() else blob
        last.write_bytes(blob)
        return replayed


@dataclass(slots=True)
class OthersBlob(Honest):
    file: Path

    def blob(self, _blob: bytes, _home: Path) -> bytes:
        return self.file.read_bytes()


@dataclass(slots=True)
class Stall(Honest):
    seconds: int = 3600

    def before_handing_in(self) -> None:
        time.sleep(self.seconds)


def noise(micro: int) -> Callable[[Tensor], Tensor]:
    order = np.random.default_rng(0)
    return lambda learned: learned + order.normal(0, micro / 1e6, learned.shape)


def fault(wish: str) -> Honest:
    """`scale:10` and the like; an empty wish is honest."""
    name, _, argument = wish.partition(":")
    makers: dict[str, Callable[[], Honest]] = {
        "": Honest,
        "label-flip": LabelFlip,
        "sign-flip": lambda: Distorted(name, np.negative),
        "scale": lambda: Distorted(name, lambda learned: learned * int(argument or 10)),
        "noise": lambda: Distorted(name, noise(int(argument or 500_000))),
        "nan": lambda: Distorted(name, lambda learned: np.full_like(learned, np.nan)),
        "trigger": lambda: Trigger(int(argument or 0)),
        "lie": lambda: Lie(int(argument or 1_000_000)),
        "last-blob": LastBlob,
        "others-blob": lambda: OthersBlob(Path(argument)),
        "stall": lambda: Stall(int(argument or 3600)),
    }
    if name not in makers:
        raise UnknownFault(f"no fault is called {name!r}; there are {', '.join(filter(None, makers))}")
    return makers[name]()
