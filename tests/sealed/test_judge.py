"""The judge: the vectors that the contract runs as well, and what must hold whatever the scores."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.records import POLICY
from sealed.judge import JudgeState, UnguardedError, after_rollback, judge
from sealed.records import Record

VECTORS: Any = json.loads((Path(__file__).resolve().parents[2] / "golden" / "judge.json").read_text("ascii"))
SCORES = st.lists(st.integers(0, 10_000), min_size=1, max_size=30)


def found(policy: Record, state: JudgeState, step: dict[str, Any]) -> dict[str, object]:
    if step["do"] == "rollback":
        back = after_rollback(state, policy, step["target"], step.get("score"), step.get("probe", ""))
        return {"state": back.record}
    try:
        judged = judge(policy, state, step["metrics"], step["pointer"], step["version"])
    except UnguardedError:
        return {"refused": True}
    told = ("decision", "reason", "score", "drop", "target")
    return {**{name: getattr(judged, name) for name in told}, "state": judged.state.record}


@pytest.mark.parametrize("sequence", VECTORS["sequences"], ids=lambda v: v["name"])
def test_vectors_are_judged_as_written_down(sequence: dict[str, Any]) -> None:
    state = JudgeState()
    for step in sequence["steps"]:
        assert found(VECTORS["policies"][step["policy"]], state, step) == step["expect"]
        if "state" in step["expect"]:
            state = JudgeState.of(step["expect"]["state"])


def metrics(score: int) -> Record:
    return {"accuracy_bp": score, "loss_micro": 1, "examples": 1}


@given(SCORES)
def test_nothing_live_is_ever_far_below_the_best(scores: list[int]) -> None:
    state, live, live_scores = JudgeState(), "genesis", {"genesis": 0}
    for number, score in enumerate(scores):
        version = f"v{number}"
        live_scores[version] = score
        judged = judge(POLICY, state, metrics(score), live, version)
        state = judged.state
        if judged.decision == "promote":
            live = version
            assert state.best - score <= 200
        else:
            live = judged.target
            state = after_rollback(state, POLICY, live, live_scores[live], str(POLICY["probe"]))
        assert state.count < 3


@given(SCORES)
def test_the_best_never_sinks_without_a_rollback(scores: list[int]) -> None:
    state = JudgeState()
    for number, score in enumerate(scores):
        judged = judge(POLICY, state, metrics(score), "live", f"v{number}")
        assert judged.state.best >= state.best
        assert (judged.decision == "promote") == (judged.target == "")
        state = judged.state


def test_a_state_survives_its_record() -> None:
    state = JudgeState(9000, 2, True, "a" * 64, "b" * 64)
    assert JudgeState.of(state.record) == state
    assert JudgeState.of(JudgeState().record) == JudgeState()
