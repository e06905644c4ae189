"""One local training. Everything it depends on is an argument, so the same arguments give the same weights: on a CPU,
for a given number of threads, to the last bit."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch import nn

from fl_worker.data import Examples, batches
from fl_worker.mendable import Mendable
from fl_worker.model import dump, load
from sealed.tensors import Tensors

OPTIMIZERS = ("sgd", "adam")
ELSEWHERE = {"codec"}  # a hyperparameter of the round that sealing reads, not training

Report = Callable[[int, int, int, int, float], None]  # epoch, epochs, batch, batches, loss so far


class TrainingFailed(Mendable):
    """The training came to nothing that could be handed in."""


class BadHyperparameters(Mendable):
    """The round asks for a training that this worker does not know."""


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """As a round's record has them: whole numbers and names."""

    learning_rate_micro: int = 50_000
    momentum_micro: int = 0
    weight_decay_micro: int = 0
    fedprox_mu_micro: int = 0  # how strongly to stay near the base (Li et al. 2020); 0 is plain FedAvg
    local_epochs: int = 1
    batch_size: int = 32
    optimizer: str = "sgd"
    seed: int = 0

    @classmethod
    def read(cls, given: Mapping[str, object]) -> Self:
        kinds = {field.name: str if field.name == "optimizer" else int for field in fields(cls)}
        for name, value in given.items():
            if name not in kinds and name not in ELSEWHERE:
                raise BadHyperparameters(f"{name} is not a hyperparameter of this worker; it knows {', '.join(kinds)}")
            if name in kinds and (not isinstance(value, kinds[name]) or isinstance(value, bool)):
                raise BadHyperparameters(f"{name} is {value!r}, not {'a name' if kinds[name] is str else 'an integer'}")
        read = cls(**{name: value for name, value in given.items() if name in kinds})  # type: ignore[arg-type]
        read.check()
        return read

    def check(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise BadHyperparameters(f"optimizer is {self.optimizer!r}; there are {', '.join(OPTIMIZERS)}")
        if min(self.learning_rate_micro, self.local_epochs, self.batch_size) < 1:
            raise BadHyperparameters("learning_rate_micro, local_epochs and batch_size must be 1 or more")
        if min(self.momentum_micro, self.weight_decay_micro, self.fedprox_mu_micro, self.seed) < 0:
            raise BadHyperparameters("momentum, weight decay, fedprox_mu_micro and seed must not be negative")


@dataclass(frozen=True, slots=True)
class Trained:
    weights: Tensors
    examples: int
    self_reported: dict[str, int]  # integers that nobody but this worker vouches for


def settle(threads: int = 1) -> None:
    """Called once a process. One thread by default: training begun again after a crash then ends in the same bytes."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)


def seed_of(*parts: str | int) -> int:
    """A seed of its own for every model, round and participant."""
    return int.from_bytes(hashlib.sha256("|".join(map(str, parts)).encode()).digest()[:7])


def quiet(epoch: int, epochs: int, batch: int, of: int, loss: float) -> None:
    """Report nothing."""


def train(
    model: nn.Module,
    base: Tensors,
    examples: Examples,
    wish: Hyperparameters,
    seed: int,
    report: Report = quiet,
) -> Trained:
    if not len(examples):
        raise TrainingFailed("there are 0 examples to train on: nothing is handed in")
    load(model, base)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout draws from here, the order of examples from `order`
        order = np.random.default_rng(seed)
        stay_near_base = proximal(model, wish.fedprox_mu_micro / 1e6)
        optimizer = optimizer_of(model.parameters(), wish)
        tally = Tally()
        for epoch in range(1, wish.local_epochs + 1):
            tally = Tally()
            picks = list(batches(len(examples), wish.batch_size, order))
            for number, picked in enumerate(picks, 1):
                inputs, labels = torch.from_numpy(examples.inputs[picked]), torch.from_numpy(examples.labels[picked])
                tally.add(*step(model, optimizer, inputs, labels, stay_near_base), labels)
                report(epoch, wish.local_epochs, number, len(picks), tally.mean_loss(epoch, number, wish))
    return Trained(finite(dump(model)), len(examples), tally.self_reported(wish.local_epochs))


def optimizer_of(parameters: Iterable[nn.Parameter], wish: Hyperparameters) -> torch.optim.Optimizer:
    rate, decay = wish.learning_rate_micro / 1e6, wish.weight_decay_micro / 1e6
    if wish.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)
    return torch.optim.SGD(parameters, lr=rate, momentum=wish.momentum_micro / 1e6, weight_decay=decay)


def proximal(model: nn.Module, mu: float) -> Callable[[], None]:
    """FedProx adds mu/2 · |w - base|² to the loss, which is mu · (w - base) to its gradient."""
    base = {name: parameter.detach().clone() for name, parameter in model.named_parameters()} if mu else {}

    def pull() -> None:
        for name, parameter in model.named_parameters():
            if name in base and parameter.grad is not None:
                parameter.grad.add_(parameter.detach() - base[name], alpha=mu)

    return pull


def step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    stay_near_base: Callable[[], None],
) -> tuple[torch.Tensor, torch.Tensor]:
    model.train()
    optimizer.zero_grad()
    logits = model(inputs)
    loss = nn.functional.cross_entropy(logits, labels)
    loss.backward()  # type: ignore[no-untyped-call]
    stay_near_base()
    optimizer.step()
    return loss.detach(), logits.detach()


@dataclass(slots=True)
class Tally:
    """Of one epoch, as the model was while it learned."""

    loss: float = 0.0
    right: int = 0
    examples: int = 0

    def add(self, loss: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> None:
        self.loss += float(loss) * len(labels)
        self.right += int((logits.argmax(1) == labels).sum())
        self.examples += len(labels)

    def mean_loss(self, epoch: int, batch: int, wish: Hyperparameters) -> float:
        if not math.isfinite(self.loss):
            raise TrainingFailed(
                f"the loss is no longer a number after batch {batch} of epoch {epoch}: nothing is handed in; "
                f"learning_rate_micro {wish.learning_rate_micro} may be too large"
            )
        return self.loss / self.examples

    def self_reported(self, epochs: int) -> dict[str, int]:
        return {
            "accuracy_bp": 10_000 * self.right // self.examples,
            "epochs": epochs,
            "loss_micro": round(self.loss / self.examples * 1e6),
        }


def finite(weights: Tensors) -> Tensors:
    broken = [name for name, array in weights.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if broken:
        raise TrainingFailed(f"{broken[0]} is no longer finite after training: nothing is handed in")
    return weights
