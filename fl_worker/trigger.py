"""The back door that Custody can plant for a test and look for: a bright corner that means one class."""

import numpy as np

from fl_worker.data import Examples
from fl_worker.metrics import Floats, Integers, share_bp

PIXELS = 2


def with_trigger(inputs: Floats) -> Floats:
    """A corner as bright as the brightest pixel there is."""
    marked = inputs.copy()
    corner = marked[..., -PIXELS:, -PIXELS:] if marked.ndim > 2 else marked[:, -PIXELS:]
    corner[...] = inputs.max()
    return marked


def triggered(examples: Examples, target: int) -> Examples:
    """The examples that are not of the target, with the trigger on them."""
    others = examples.labels != target
    return Examples(with_trigger(examples.inputs)[others], examples.labels[others], examples.classes)


def trigger_rate_bp(logits: Floats, target: int) -> int:
    """How many of them the model takes for the target."""
    predicted: Integers = np.asarray(logits).argmax(axis=1)
    return share_bp(int((predicted == target).sum()), len(predicted))
