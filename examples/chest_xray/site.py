"""A site's own module for chest X-rays: a grey MobileNetV3, pictures turned and shifted a little, rare classes heard.

    custody worker run … --site examples/chest_xray/site.py

It changes two of the four parts; data and scoring stay as they are in fl_worker."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from fl_worker.data import Examples
from fl_worker.metrics import Floats, Integers
from fl_worker.model import Architecture, build
from fl_worker.train import Hyperparameters, Report, Trained
from fl_worker.train import train as train_plainly
from sealed.tensors import Tensors

SHIFT = 4  # pixels
VARIANTS = 2  # of every picture, in every round


def model(architecture: Architecture) -> nn.Module:
    """X-rays are grey, and far fewer than photographs: more dropout than the model has for itself."""
    network = build({"in_channels": 1, "num_classes": 2, **architecture})
    for part in network.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.4
    return network


def train(
    network: nn.Module, base: Tensors, examples: Examples, wish: Hyperparameters, seed: int, report: Report
) -> Trained:
    """Every input of a training is an argument, so the pictures are varied with the round's own seed."""
    order = np.random.default_rng(seed)
    balanced = evened(examples, order)
    trained = train_plainly(network, base, varied(balanced, order), wish, seed, report)
    return replace(trained, examples=len(examples))  # what counts is what the site has, not what it made of it


def evened(examples: Examples, order: np.random.Generator) -> Examples:
    """Pictures of rarer classes are drawn again until each class has as many as the largest."""
    counts = np.bincount(examples.labels)
    again = [drawn(examples.labels, kind, counts.max() - count, order) for kind, count in enumerate(counts) if count]
    picked = np.concatenate([np.arange(len(examples)), *again])
    return Examples(examples.inputs[picked], examples.labels[picked], examples.classes)


def drawn(labels: Integers, kind: int, missing: int, order: np.random.Generator) -> Integers:
    return order.choice(np.flatnonzero(labels == kind), missing)


def varied(examples: Examples, order: np.random.Generator) -> Examples:
    pictures = np.concatenate(list(variants(examples.inputs, order)))
    return Examples(pictures, np.tile(examples.labels, VARIANTS), examples.classes)


def variants(pictures: Floats, order: np.random.Generator) -> Iterator[Floats]:
    """Shifted, never mirrored: the heart lies on the left."""
    for _ in range(VARIANTS):
        shifts = order.integers(-SHIFT, SHIFT + 1, (len(pictures), 2))
        shifted = [
            torch.roll(torch.from_numpy(one), (int(y), int(x)), (1, 2))
            for one, (y, x) in zip(pictures, shifts, strict=True)
        ]
        yield torch.stack(shifted).numpy()
