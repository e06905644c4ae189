"""A model's answers to a set of examples, and what they are worth."""

import numpy as np
import torch
from torch import nn

from fl_worker.data import Examples
from fl_worker.metrics import Floats, Metrics, score
from fl_worker.model import load
from sealed.tensors import Tensors

AT_ONCE = 256


def logits_of(model: nn.Module, examples: Examples) -> Floats:
    model.eval()
    with torch.inference_mode():
        parts = [model(torch.from_numpy(examples.inputs[start : start + AT_ONCE])) for start in starts(examples)]
    return np.asarray(torch.cat(parts).numpy())


def starts(examples: Examples) -> range:
    return range(0, len(examples), AT_ONCE)


def score_weights(model: nn.Module, weights: Tensors, examples: Examples) -> Metrics:
    load(model, weights)
    return score(logits_of(model, examples), examples.labels, examples.classes)
