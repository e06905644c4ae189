"""Metrics against scikit-learn's, and where its conventions end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, recall_score

from fl_worker.metrics import LARGEST_LOSS_MICRO, ece_bp, score, share_bp
from sealed.records import encode


def random_case(seed: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed)
    return order.normal(0, 2, (count, classes)).astype(np.float32), order.integers(0, classes, count)


@given(st.integers(0, 2**32), st.integers(1, 80), st.integers(2, 12))
def test_agrees_with_scikit_learn(seed: int, count: int, classes: int) -> None:
    logits, labels = random_case(seed, count, classes)
    predicted, kinds = logits.argmax(axis=1), np.arange(classes)
    metrics = score(logits, labels, classes)
    assert metrics["accuracy_bp"] == pytest.approx(accuracy_score(labels, predicted) * 1e4, abs=0.51)
    assert metrics["macro_f1_bp"] == pytest.approx(f1_score(labels, predicted, average="macro") * 1e4, abs=0.51)
    assert metrics["confusion"] == confusion_matrix(labels, predicted, labels=kinds).tolist()
    recalls = recall_score(labels, predicted, labels=kinds, average=None, zero_division=1)
    assert metrics["class_recall_bp"] == pytest.approx(recalls * 1e4, abs=0.51)
    probabilities = np.exp(logits.astype(np.float64)) / np.exp(logits.astype(np.float64)).sum(axis=1, keepdims=True)
    assert metrics["loss_micro"] == pytest.approx(log_loss(labels, probabilities, labels=kinds) * 1e6, abs=1)


def test_calibration_error_of_a_case_done_by_hand() -> None:
    sure, unsure = [np.log(9.0), 0.0], [np.log(1.5), 0.0]  # 90 % and 60 % for class 0
    logits, labels = np.array([sure] * 10 + [unsure] * 10), np.array([0] * 8 + [1] * 2 + [0] * 3 + [1] * 7)
    assert ece_bp(logits, labels) == 2000  # half of |0.8 - 0.9| and half of |0.3 - 0.6|


def test_a_model_that_overflows_is_scored_and_not_crashed_on() -> None:
    metrics = score(np.array([[np.inf, 0.0], [np.nan, 1.0]]), np.array([1, 0]), 2)
    assert metrics["loss_micro"] == LARGEST_LOSS_MICRO


@pytest.mark.parametrize(
    ("part", "whole", "expected"), [(1, 3, 3333), (2, 3, 6667), (1, 20_000, 1), (0, 5, 0), (5, 5, 10_000)]
)
def test_shares_round_halves_up(part: int, whole: int, expected: int) -> None:
    assert share_bp(part, whole) == expected


@pytest.mark.parametrize("classes", [2, 10, 40, 200])
def test_metrics_of_any_number_of_classes_fit_into_a_record(classes: int) -> None:
    metrics = score(*random_case(1, 500, classes), classes)
    assert len(encode(metrics)) < 12_000
