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
import zstandard

from fl_worker.data import Examples
from fl_worker.home import Identity
from fl_worker.mendable import Mendable
from fl_worker.train import Trained
from fl_worker.trigger import with_trigger
from sealed.blobs import SealedBlob, seal_plaintext
from sealed.records import Record, encode, number_at, text_at
from sealed.tensors import FLOAT32, Spec, Tensor, Tensors, spec_of
from sealed.updates import seal_update, update_place


class UnknownFault(Mendable):
    """No fault has this name."""


class Honest:
    """What a worker does at each point where a fault could come in: nothing."""

    def examples(self, examples: Examples) -> Examples:
        return examples

    def trained(self, trained: Trained, _base: Tensors) -> Trained:
        return trained

    def seal(self, trained: Trained, base: Tensors, this_round: Record, who: Identity, codec: str) -> SealedBlob:
        return seal_update(trained.weights, base, this_round, who.name, who.genesis, codec)

    def blob(self, blob: bytes, _home: Path) -> bytes:
        return blob

    def before_handing_in(self) -> None:
        """Nothing to wait for."""


class LabelFlip(Honest):
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


@dataclass(slots=True)
class Distorted(Honest):
    """Changes what was learned: the difference to the base, tensor by tensor."""

    change: Callable[[Tensor], Tensor]

    def trained(self, trained: Trained, base: Tensors) -> Trained:
        weights = {name: self.distorted(array, base[name]) for name, array in trained.weights.items()}
        return replace(trained, weights=weights)

    def distorted(self, learned: Tensor, base: Tensor) -> Tensor:
        if learned.dtype.kind != "f":
            return learned
        return np.asarray(base + self.change(learned - base), learned.dtype)


class NotNumbers(Honest):
    """An encoder of its own: ours refuses to write a NaN."""

    def seal(self, _trained: Trained, base: Tensors, this_round: Record, who: Identity, _codec: str) -> SealedBlob:
        model, number, on = text_at(this_round, "model"), number_at(this_round, "number"), text_at(this_round, "base")
        return seal_plaintext(all_nan(base), update_place(model, number, on, who.name, who.genesis, "bf16.1"))


def all_nan(base: Tensors) -> bytes:
    """`bf16.1` (docs/sealed.md) with a NaN for every float, and differences of zero for integers."""
    specs = spec_of(base)
    frames = [zstandard.ZstdCompressor().compress(nan_content(spec)) for spec in specs]
    entries = [
        {"dtype": spec.dtype, "name": spec.name, "shape": list(spec.shape), "size": len(frame)}
        for spec, frame in zip(specs, frames, strict=True)
    ]
    header = encode({"codec": "bf16.1", "tensors": entries})
    return b"".join([b"FLT1", len(header).to_bytes(4, "little"), header, *frames])


def nan_content(spec: Spec) -> bytes:
    if spec.dtype != FLOAT32:
        return bytes(spec.nbytes)
    planes = b"\xc0\x7f" if len(spec.shape) >= 2 else b"\x00\x00\xc0\x7f"
    return b"".join(bytes([plane]) * spec.elements for plane in planes)


@dataclass(slots=True)
class Lie(Honest):
    claimed: int = 1_000_000

    def trained(self, trained: Trained, _base: Tensors) -> Trained:
        return replace(trained, examples=self.claimed)


class LastBlob(Honest):
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


def scaling(factor: int) -> Callable[[Tensor], Tensor]:
    return lambda learned: learned * factor


def noise(micro: int) -> Callable[[Tensor], Tensor]:
    order = np.random.default_rng(0)
    return lambda learned: learned + order.normal(0, micro / 1e6, learned.shape)


def fault(wish: str) -> Honest:
    """`scale:10` and the like; an empty wish is honest."""
    name, _, argument = wish.partition(":")
    makers: dict[str, Callable[[], Honest]] = {
        "": Honest,
        "label-flip": LabelFlip,
        "sign-flip": lambda: Distorted(np.negative),
        "scale": lambda: Distorted(scaling(int(argument or 10))),
        "noise": lambda: Distorted(noise(int(argument or 500_000))),
        "nan": NotNumbers,
        "trigger": lambda: Trigger(int(argument or 0)),
        "lie": lambda: Lie(int(argument or 1_000_000)),
        "last-blob": LastBlob,
        "others-blob": lambda: OthersBlob(Path(argument)),
        "stall": lambda: Stall(int(argument or 3600)),
    }
    if name not in makers:
        raise UnknownFault(f"no fault is called {name!r}; there are {', '.join(filter(None, makers))}")
    try:
        return makers[name]()
    except ValueError as error:
        raise UnknownFault(f"{wish!r}: {name} takes a whole number") from error
