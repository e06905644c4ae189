"""Lineage and completion are pure: tables of cases."""

from typing import Any

import pytest

from gateway.provenance.completion import Ending, Progress, ending, rounds_without_gain
from gateway.provenance.lineage import DIFF, WHOLE, BrokenLineage, Node, next_codec, steps


def nodes(*lines: tuple[str, str, str]) -> dict[str, Node]:
    return {version: Node(version, number, parent, codec) for number, (version, parent, codec) in enumerate(lines)}


FAMILY = nodes(
    ("g", "", WHOLE), ("a", "g", DIFF), ("b", "a", DIFF), ("bad", "b", DIFF), ("c", "b", WHOLE), ("d", "c", DIFF)
)


@pytest.mark.parametrize(
    ("version", "walk"),
    [
        pytest.param("g", "g", id="genesis opens alone"),
        pytest.param("b", "gab", id="diffs go back to the genesis"),
        pytest.param("c", "c", id="a whole version opens alone"),
        pytest.param("d", "cd", id="a walk ends at the last whole one"),
    ],
)
def test_steps_run_from_the_last_whole_version(version: str, walk: str) -> None:
    assert [node.version for node in steps(version, FAMILY.__getitem__)] == list(walk)


def test_a_diff_on_nothing_is_named() -> None:
    orphans = nodes(("x", "", DIFF), ("y", "x", DIFF))
    with pytest.raises(BrokenLineage, match="x, which is a diff on nothing"):
        steps("y", orphans.__getitem__)


@pytest.mark.parametrize(
    ("number", "steps_to_parent", "codec"),
    [
        pytest.param(1, 1, DIFF, id="after the genesis a diff"),
        pytest.param(9, 9, DIFF, id="the ninth is a diff"),
        pytest.param(10, 10, WHOLE, id="the tenth is whole"),
        pytest.param(11, 9, DIFF, id="the tenth was left behind and its step is not yet taken"),
        pytest.param(12, 10, WHOLE, id="ten steps are enough, whatever the number"),
    ],
)
def test_when_a_version_is_stored_whole(number: int, steps_to_parent: int, codec: str) -> None:
    assert next_codec(number, steps_to_parent) == codec


POLICY = {
    "target_accuracy": 9500,
    "early_stopping_enabled": True,
    "convergence_patience": 3,
    "max_iterations": 10,
    "max_rollbacks": 1,
}


def progress(**changes: Any) -> Progress:
    usual: dict[str, Any] = {
        "wanted": 5, "rounds": 2, "failed_in_a_row": 0, "stop_asked": False, "scores_bp": [8000, 8100],
        "live_score_bp": 8100, "rollbacks": 0,
    }  # fmt: skip
    return Progress(**{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({}, None, id="goes on"),
        pytest.param({"live_score_bp": 9500}, Ending("target_accuracy", True), id="the target is reached"),
        pytest.param({"scores_bp": [9000, 1, 2, 3]}, Ending("converged", True), id="no gain for the patience"),
        pytest.param({"scores_bp": [9000, 1, 2]}, None, id="patience is not yet used up"),
        pytest.param({"rounds": 10, "wanted": 20}, Ending("max_iterations", True), id="too many rounds"),
        pytest.param({"rollbacks": 1}, None, id="as many rollbacks as the policy allows"),
        pytest.param({"rollbacks": 2}, Ending("max_rollbacks", False), id="one rollback too many"),
        pytest.param({"failed_in_a_row": 3}, Ending("rounds_failed", False), id="nobody hands in any more"),
        pytest.param({"stop_asked": True}, Ending("stop_asked", False), id="an operator asked to stop"),
        pytest.param({"rounds": 5}, Ending("rounds_done", False), id="all rounds that were asked for"),
        pytest.param(
            {"rounds": 5, "live_score_bp": 9999}, Ending("target_accuracy", True), id="the policy's criteria come first"
        ),
    ],
)
def test_when_a_run_ends(changes: dict[str, Any], reason: Ending | None) -> None:
    assert ending(progress(**changes), POLICY) == reason


def test_convergence_can_be_switched_off() -> None:
    patient = {**POLICY, "early_stopping_enabled": False}
    assert ending(progress(scores_bp=[9000, 1, 2, 3, 4]), patient) is None


@pytest.mark.parametrize(
    ("scores", "stale"), [([], 0), ([5], 0), ([5, 6], 0), ([6, 5], 1), ([5, 5, 5], 2), ([1, 9, 3, 9, 2], 3)]
)
def test_rounds_without_gain_count_from_the_first_best(scores: list[int], stale: int) -> None:
    assert rounds_without_gain(scores) == stale
