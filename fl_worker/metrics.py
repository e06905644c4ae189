"""What a validator says of a version, as integers: logits and labels in, a record's `metrics` out. No I/O, no torch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]
Metrics = dict[str, int | list[int] | list[list[int]]]

BINS = 15  # of confidence, for the calibration error
LARGEST_LOSS_MICRO = 10**12  # also what a loss that is not a number counts as
LARGEST_CONFUSION = 40  # classes; a larger table would not fit into a record of 16 KiB


def score(logits: Floats, labels: Integers, classes: int) -> Metrics:
    logits = logits.astype(np.float64)
    table = confusion(labels, logits.argmax(axis=1), classes)
    metrics: Metrics = {
        "accuracy_bp": share_bp(int(np.trace(table)), len(labels)),
        "loss_micro": loss_micro(logits, labels),
        "macro_f1_bp": macro_f1_bp(table),
        "class_recall_bp": class_recall_bp(table),
        "ece_bp": ece_bp(logits, labels),
        "examples": len(labels),
    }
    return metrics | ({"confusion": table.tolist()} if classes <= LARGEST_CONFUSION else {})


def share_bp(part: int, whole: int) -> int:
    """Basis points, halves rounded up, in whole numbers throughout."""
    return (2 * 10_000 * part + whole) // (2 * whole)


def confusion(labels: Integers, predicted: Integers, classes: int) -> Integers:
    """Rows are what the examples are, columns what the model says they are."""
    pairs = labels.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def loss_micro(logits: Floats, labels: Integers) -> int:
    with np.errstate(invalid="ignore"):  # an overflowing model is judged, not crashed on
        losses = -log_softmax(logits)[np.arange(len(labels)), labels]
    mean = float(losses.mean())
    return min(round(mean * 1e6), LARGEST_LOSS_MICRO) if np.isfinite(mean) else LARGEST_LOSS_MICRO


def macro_f1_bp(table: Integers) -> int:
    """The mean over every class that is there or was predicted."""
    hits, named = np.diag(table), table.sum(axis=0) + table.sum(axis=1)
    seen = named > 0
    return round(float((2 * hits[seen] / named[seen]).mean()) * 10_000)


def class_recall_bp(table: Integers) -> list[int]:
    """Of a class without examples nothing was missed: 10000."""
    return [
        share_bp(int(hits), int(there)) if there else 10_000
        for hits, there in zip(np.diag(table), table.sum(axis=1), strict=True)
    ]


def ece_bp(logits: Floats, labels: Integers) -> int:
    """Expected calibration error: how far confidence and accuracy lie apart, over fifteen bins of confidence."""
    with np.errstate(invalid="ignore"):
        confidence = np.nan_to_num(np.exp(log_softmax(logits).max(axis=1)))
    right = (logits.argmax(axis=1) == labels).astype(np.float64)
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = np.abs(np.bincount(bins, right - confidence, minlength=BINS))
    return round(float(gaps.sum()) / len(labels) * 10_000)
