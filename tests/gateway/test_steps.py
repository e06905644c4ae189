"""Which step is next, from where a model stands: a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.provenance.completion import Progress
from gateway.provenance.steps import (
    Aggregate,
    AskToRollBack,
    AskToTrain,
    AskToValidate,
    Candidate,
    CloseRound,
    EndRun,
    OpenRound,
    Pointer,
    Promote,
    RollBack,
    Round,
    Run,
    Standing,
    Step,
    Wait,
    next_step,
)

AB = frozenset("ab")
POLICY = {
    "target_accuracy": 10_000,
    "early_stopping_enabled": True,
    "convergence_patience": 10,
    "max_iterations": 100,
    "max_rollbacks": 5,
    "ack_quorum": 10_000,
}
PROGRESS = Progress(
    wanted=5, rounds=1, failed_in_a_row=0, stop_asked=False, scores_bp=[9000], live_score_bp=9000, rollbacks=0
)
POINTER = Pointer("v1", 1, "promote", "", False, frozenset(), frozenset(), test_asked=True)
BACK = Pointer("v1", 4, "rollback", "data_quality", False, AB, AB, test_asked=True)
ROUND = Round(2, 0, "open", AB, frozenset(), AB, 1000, 10_000, "", spoiled=False)
SEALED = replace(ROUND, outcome="sealed", handed_in=AB)
MADE = replace(SEALED, version="v2")
CANDIDATE = Candidate("v2", "", "", promoted=False, quarantined=False, asked=False)
DONE = replace(CANDIDATE, decision="promote", promoted=True, asked=True)
RUN = Run(frozenset(), PROGRESS)


def standing(**changes: Any) -> Standing:
    usual = Standing(
        now=500,
        epoch=0,
        policy=POLICY,
        active=AB,
        pointer=POINTER,
        request_open=False,
        complete=False,
        round=None,
        candidate=None,
        run=RUN,
    )
    return replace(usual, **changes)


A, B, NOBODY = frozenset("a"), frozenset("b"), frozenset[str]()
FROZEN = replace(POINTER, frozen=True)
ONE_IN = replace(ROUND, handed_in=A)
GOOD = replace(CANDIDATE, decision="promote")
BAD = replace(CANDIDATE, decision="rollback", target="v1")
PEOPLE_FIRST = Wait("people decide on a rollback")

CASES: dict[str, tuple[dict[str, Any], Step]] = {
    "a run opens its first round": ({}, OpenRound(1, AB)),
    "without a run nothing is opened": ({"run": None}, Wait("a run of rounds")),
    "with whom it was asked for": ({"run": replace(RUN, participants=B)}, OpenRound(1, B)),
    "nobody is active": ({"active": NOBODY}, Wait("active participants")),
    "a frozen model opens no round": ({"pointer": FROZEN}, Wait("frozen")),
    "one was not yet asked to train": ({"round": replace(ROUND, asked=A)}, AskToTrain(2, B)),
    "updates are awaited": ({"round": ROUND}, Wait("updates", 1000)),
    "one is missing": ({"round": ONE_IN}, Wait("updates", 1000)),
    "all are in": ({"round": replace(ROUND, handed_in=AB)}, CloseRound(2, "sealed", "completed")),
    "too few at the deadline": ({"round": ONE_IN, "now": 1000}, CloseRound(2, "failed", "quorum")),
    "enough at the deadline": (
        {"round": replace(ROUND, handed_in=A, quorum_bp=5000), "now": 1000},
        CloseRound(2, "sealed", "deadline"),
    ),
    "nobody handed in, whatever the quorum": (
        {"round": replace(ROUND, quorum_bp=0), "now": 1000},
        CloseRound(2, "failed", "quorum"),
    ),
    "one was excluded and the rest are too few": ({"round": ONE_IN, "active": A}, CloseRound(2, "failed", "quorum")),
    "a freeze lets an open round go on": ({"round": ROUND, "pointer": FROZEN}, Wait("updates", 1000)),
    "a sealed round is aggregated": ({"round": SEALED}, Aggregate(2)),
    "a frozen model gets no version": ({"round": SEALED, "pointer": FROZEN}, Wait("frozen")),
    "a sealed round is finished without a run": ({"round": SEALED, "run": None}, Aggregate(2)),
    "after a spoiled round the next": ({"round": replace(SEALED, spoiled=True)}, OpenRound(3, AB)),
    "after a failed round the next": ({"round": replace(ROUND, outcome="failed")}, OpenRound(3, AB)),
    "a version is to be scored": ({"round": MADE, "candidate": CANDIDATE}, AskToValidate("v2", "probe")),
    "the score is awaited": ({"round": MADE, "candidate": replace(CANDIDATE, asked=True)}, Wait("validation")),
    "promoted as decided": ({"round": MADE, "candidate": GOOD}, Promote("v2", 1)),
    "people first": ({"round": MADE, "candidate": GOOD, "request_open": True}, PEOPLE_FIRST),
    "back as decided": ({"round": MADE, "candidate": BAD}, RollBack("v2", "v1", 1)),
    "a frozen model can go back": ({"round": MADE, "candidate": BAD, "pointer": FROZEN}, RollBack("v2", "v1", 1)),
    "a quarantined version stays behind": (
        {"round": MADE, "candidate": replace(CANDIDATE, decision="promote", quarantined=True)},
        OpenRound(3, AB),
    ),
    "what went live is tested": (
        {"round": MADE, "candidate": DONE, "pointer": replace(POINTER, to="v2", test_asked=False)},
        AskToValidate("v2", "test"),
    ),
    "and the next round opens": (
        {"round": MADE, "candidate": DONE, "pointer": replace(POINTER, to="v2")},
        OpenRound(3, AB),
    ),
    "a rollback fences off the open round": (
        {"round": ROUND, "epoch": 1, "pointer": BACK},
        CloseRound(2, "failed", "data_quality"),
    ),
    "a sealed round of an older epoch is left behind": (
        {"round": SEALED, "epoch": 1, "pointer": BACK},
        OpenRound(3, AB),
    ),
    "everyone is told of a rollback": (
        {"pointer": replace(BACK, asked=A, acknowledged=NOBODY)},
        AskToRollBack(4, "v1", B),
    ),
    "also when nothing is being trained": (
        {"pointer": replace(BACK, asked=NOBODY, acknowledged=NOBODY), "run": None},
        AskToRollBack(4, "v1", AB),
    ),
    "one has not confirmed": ({"pointer": replace(BACK, acknowledged=A)}, Wait("acknowledgements")),
    "enough have confirmed": (
        {"pointer": replace(BACK, acknowledged=A), "policy": {**POLICY, "ack_quorum": 5000}},
        OpenRound(1, AB),
    ),
    "all have confirmed": ({"pointer": BACK}, OpenRound(1, AB)),
    "who left does not count": ({"pointer": replace(BACK, acknowledged=frozenset("ax"))}, Wait("acknowledgements")),
    "the run is over": (
        {"run": replace(RUN, progress=replace(PROGRESS, rounds=5))},
        EndRun("rounds_done", complete=False),
    ),
    "but not before its round is": (
        {"run": replace(RUN, progress=replace(PROGRESS, rounds=5)), "round": ROUND},
        Wait("updates", 1000),
    ),
    "complete by the policy": (
        {"run": replace(RUN, progress=replace(PROGRESS, rounds=100))},
        EndRun("max_iterations", complete=True),
    ),
    "not while people decide": (
        {"run": replace(RUN, progress=replace(PROGRESS, rounds=100)), "request_open": True},
        PEOPLE_FIRST,
    ),
    "a complete model is not trained on": ({"complete": True}, EndRun("complete", complete=False)),
}


@pytest.mark.parametrize("case", CASES)
def test_next_step(case: str) -> None:
    changes, step = CASES[case]
    assert next_step(standing(**changes)) == step
