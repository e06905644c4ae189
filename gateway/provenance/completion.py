"""After every round: is this run of rounds over, and is the model's training complete?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FAILURES_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Progress:
    """A run so far."""

    wanted: int
    rounds: int  # closed, sealed or failed
    failed_in_a_row: int
    stop_asked: bool
    scores_bp: Sequence[int]  # of the versions judged in it, oldest first
    live_score_bp: int  # of the version that is live; -1 when it was never judged
    rollbacks: int


@dataclass(frozen=True, slots=True)
class Ending:
    reason: str
    complete: bool  # by the policy's criteria, and so recorded on the ledger; else only this run ends


def ending(progress: Progress, policy: Mapping[str, Any]) -> Ending | None:
    """The first criterion that is met; the policy's own come before what was asked of this run.

    Too many rollbacks end a run, and complete nothing: people look into it and may start another.
    """
    stale = rounds_without_gain(progress.scores_bp)
    criteria = (
        (Ending("target_accuracy", True), progress.live_score_bp >= policy["target_accuracy"]),
        (Ending("converged", True), policy["early_stopping_enabled"] and stale >= policy["convergence_patience"]),
        (Ending("max_iterations", True), progress.rounds >= policy["max_iterations"]),
        (Ending("max_rollbacks", False), progress.rollbacks > policy["max_rollbacks"]),
        (Ending("rounds_failed", False), progress.failed_in_a_row >= FAILURES_IN_A_ROW),
        (Ending("stop_asked", False), progress.stop_asked),
        (Ending("rounds_done", False), progress.rounds >= progress.wanted),
    )
    return next((ending for ending, met in criteria if met), None)


def rounds_without_gain(scores_bp: Sequence[int]) -> int:
    """How many versions came after the first that had the best score."""
    return len(scores_bp) - 1 - scores_bp.index(max(scores_bp)) if scores_bp else 0
