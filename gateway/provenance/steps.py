"""Where a model stands decides what is done next, and nothing else does: no step remembers the one before it.

So a gateway that was killed, or another that takes over, goes on from what the ledger and the kept rows say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.provenance.completion import Progress, ending

OPEN, SEALED, FAILED = "open", "sealed", "failed"
PROBE, TEST = "probe", "test"


@dataclass(frozen=True, slots=True)
class Round:
    """The newest round of a model."""

    number: int
    epoch: int
    outcome: str
    participants: frozenset[str]
    handed_in: frozenset[str]
    asked: frozenset[str]  # who has a TRAIN task
    deadline_at: int
    quorum_bp: int
    version: str  # that was made of it, or ""
    spoiled: bool  # no version can be made of it


@dataclass(frozen=True, slots=True)
class Candidate:
    """The version that the newest round became."""

    version: str
    decision: str  # "" before the validator has spoken
    target: str
    promoted: bool
    quarantined: bool
    asked: bool  # the validator has its task


@dataclass(frozen=True, slots=True)
class Pointer:
    to: str
    move: int
    kind: str  # of the newest move that was no freeze or resume
    reason_code: str
    frozen: bool
    asked: frozenset[str]  # who has a ROLLBACK task for this move
    acknowledged: frozenset[str]
    test_asked: bool  # the validator was asked to score it on the test set


@dataclass(frozen=True, slots=True)
class Run:
    """What operators asked for."""

    participants: frozenset[str]  # none: all who are active
    progress: Progress


@dataclass(frozen=True, slots=True)
class Standing:
    now: int
    epoch: int
    policy: Mapping[str, Any]
    active: frozenset[str]
    pointer: Pointer
    request_open: bool  # people are deciding on a rollback
    complete: bool
    round: Round | None
    candidate: Candidate | None
    run: Run | None


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next. Which one, its class says."""


@dataclass(frozen=True, slots=True)
class CloseRound(Step):
    number: int
    outcome: str
    reason_code: str


@dataclass(frozen=True, slots=True)
class AskToRollBack(Step):
    seq: int
    version: str
    participants: frozenset[str]


@dataclass(frozen=True, slots=True)
class AskToTrain(Step):
    number: int
    participants: frozenset[str]


@dataclass(frozen=True, slots=True)
class Aggregate(Step):
    number: int


@dataclass(frozen=True, slots=True)
class AskToValidate(Step):
    version: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Promote(Step):
    version: str
    expected_seq: int


@dataclass(frozen=True, slots=True)
class RollBack(Step):
    decision: str
    target: str
    expected_seq: int


@dataclass(frozen=True, slots=True)
class OpenRound(Step):
    number: int
    participants: frozenset[str]


@dataclass(frozen=True, slots=True)
class EndRun(Step):
    reason: str
    complete: bool


@dataclass(frozen=True, slots=True)
class Wait(Step):
    why: str
    until: int | None = None  # seconds since 1970; None: until something changes


def next_step(standing: Standing) -> Step:
    return next(step for rule in RULES if (step := rule(standing)) is not None)


def close_what_a_rollback_left_open(s: Standing) -> Step | None:
    if s.round and s.round.outcome == OPEN and s.round.epoch < s.epoch:
        return CloseRound(s.round.number, FAILED, s.pointer.reason_code)
    return None


def tell_everyone_of_a_rollback(s: Standing) -> Step | None:
    """Also those who join later hold nothing of what was left behind, but a site is asked, not guessed about."""
    untold = s.active - s.pointer.asked - s.pointer.acknowledged
    if s.pointer.kind == "rollback" and untold:
        return AskToRollBack(s.pointer.move, s.pointer.to, untold)
    return None


def collect_updates(s: Standing) -> Step | None:
    if not s.round or s.round.outcome != OPEN:
        return None
    if unasked := s.round.participants & s.active - s.round.asked:
        return AskToTrain(s.round.number, unasked)
    if s.round.participants & s.active <= s.round.handed_in:
        return CloseRound(s.round.number, *_outcome(s.round, "completed"))
    if s.now >= s.round.deadline_at:
        return CloseRound(s.round.number, *_outcome(s.round, "deadline"))
    return Wait("updates", s.round.deadline_at)


def _outcome(collected: Round, reason_code: str) -> tuple[str, str]:
    count = len(collected.handed_in)
    enough = count > 0 and count * 10_000 >= collected.quorum_bp * len(collected.participants)
    return (SEALED, reason_code) if enough else (FAILED, "quorum")


def aggregate(s: Standing) -> Step | None:
    waiting = s.round and s.round.outcome == SEALED and s.round.epoch == s.epoch
    if not s.round or not waiting or s.round.version or s.round.spoiled:
        return None
    return Wait("frozen") if s.pointer.frozen else Aggregate(s.round.number)


def have_it_validated(s: Standing) -> Step | None:
    if not s.candidate or s.candidate.decision:
        return None
    return Wait("validation") if s.candidate.asked else AskToValidate(s.candidate.version, PROBE)


def follow_the_decision(s: Standing) -> Step | None:
    """A rollback raises the epoch, and so leaves no candidate: what stands here was not carried out yet."""
    if not s.candidate or s.candidate.promoted or s.candidate.quarantined:
        return None
    if s.request_open:
        return Wait("people decide on a rollback")
    if s.candidate.decision == "rollback":
        return RollBack(s.candidate.version, s.candidate.target, s.pointer.move)
    return Wait("frozen") if s.pointer.frozen else Promote(s.candidate.version, s.pointer.move)


def score_what_went_live(s: Standing) -> Step | None:
    if s.pointer.kind == "promote" and not s.pointer.test_asked:
        return AskToValidate(s.pointer.to, TEST)
    return None


def end_the_run(s: Standing) -> Step | None:
    if not s.run:
        return Wait("a run of rounds")
    if s.complete:
        return EndRun("complete", complete=False)
    over = ending(s.run.progress, s.policy)
    if over and over.complete and s.request_open:
        return Wait("people decide on a rollback")
    return EndRun(over.reason, over.complete) if over else None


def wait_for_acknowledgements(s: Standing) -> Step | None:
    confirmed = len(s.active & s.pointer.acknowledged)
    if s.pointer.kind == "rollback" and confirmed * 10_000 < s.policy["ack_quorum"] * len(s.active):
        return Wait("acknowledgements")
    return None


def open_the_next(s: Standing) -> Step:
    chosen = s.active & s.run.participants if s.run and s.run.participants else s.active
    if s.pointer.frozen:
        return Wait("frozen")
    if not chosen:
        return Wait("active participants")
    return OpenRound(s.round.number + 1 if s.round else 1, chosen)


RULES: tuple[Callable[[Standing], Step | None], ...] = (
    close_what_a_rollback_left_open,
    tell_everyone_of_a_rollback,
    collect_updates,
    aggregate,
    have_it_validated,
    follow_the_decision,
    score_what_went_live,
    end_the_run,
    wait_for_acknowledgements,
    open_the_next,
)
