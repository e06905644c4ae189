"""The judge answers one question after every validation: keep the new version, or go back, and to which one?

The rule is the contract's (`chaincode/contract/judge.go`); `golden/judge.json` holds both to the same answers.
"""

from dataclasses import asdict, dataclass, replace

from sealed.records import Record, list_at, number_at, text_at

NO_BEST = -1
PROMOTE = "promote"
ROLL_BACK = "rollback"
WITHOUT_CLASS_RECALL = 0
ANY_TRIGGER_RATE = 10_000


class UnguardedError(ValueError):
    """Metrics without the one that a guard of the policy watches: a guard that is not measured guards nothing."""


@dataclass(frozen=True, slots=True)
class JudgeState:
    best: int = NO_BEST
    count: int = 0
    minimum_reached: bool = False
    probe: str = ""
    version: str = ""

    @classmethod
    def of(cls, record: Record) -> "JudgeState":
        return cls(
            number_at(record, "best"),
            number_at(record, "count"),
            record["minimum_reached"] is True,
            text_at(record, "probe"),
            text_at(record, "version"),
        )

    @property
    def record(self) -> Record:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Judgement:
    decision: str
    reason: str
    score: int
    drop: int
    target: str  # of a roll back; "" of a promotion
    state: JudgeState


def judge(policy: Record, state: JudgeState, metrics: Record, pointer: str, version: str) -> Judgement:
    """`pointer` is the version that is live, `version` the one that was scored.

    The yardstick is the best version, not the one before: three small drops are one large drop.
    """
    score, drop = number_at(metrics, "accuracy_bp"), _drop(policy, state, metrics)
    guard = _failed_guard(policy, state, metrics)
    state = replace(state, minimum_reached=state.minimum_reached or _reaches_minimum(policy, score))
    if guard or drop > number_at(policy, "severe_drop"):
        return Judgement(ROLL_BACK, guard or "severe_drop", score, drop, pointer, state)
    if drop <= 0:
        best = replace(state, best=score, count=0, probe=text_at(policy, "probe"), version=version)
        return Judgement(PROMOTE, "new_best", score, drop, "", best)
    if drop < number_at(policy, "accuracy_tolerance"):
        return Judgement(PROMOTE, "on_par", score, drop, "", replace(state, count=0))
    state = replace(state, count=state.count + 1)
    if state.count >= number_at(policy, "patience_threshold"):
        return Judgement(ROLL_BACK, "patience", score, drop, state.version, state)
    return Judgement(PROMOTE, "tolerated", score, drop, "", state)


def after_rollback(state: JudgeState, policy: Record, target: str, score: int | None, probe: str) -> JudgeState:
    """The target's own score becomes the best, if it was scored on the probe that is now in force."""
    if score is None or probe != text_at(policy, "probe"):
        return JudgeState(minimum_reached=state.minimum_reached)
    return JudgeState(score, 0, state.minimum_reached, probe, target)


def _drop(policy: Record, state: JudgeState, metrics: Record) -> int:
    if state.best == NO_BEST or state.probe != text_at(policy, "probe"):
        return 0
    return state.best - number_at(metrics, "accuracy_bp")


def _reaches_minimum(policy: Record, score: int) -> bool:
    return score >= number_at(policy, "min_accuracy_threshold") > 0


def _failed_guard(policy: Record, state: JudgeState, metrics: Record) -> str:
    refuse_unguarded(policy, metrics)
    if state.minimum_reached and number_at(metrics, "accuracy_bp") < number_at(policy, "min_accuracy_threshold"):
        return "min_accuracy"
    if _lowest_recall(metrics) < number_at(policy, "min_class_recall"):
        return "class_recall"
    if _trigger_rate(metrics) > number_at(policy, "max_trigger_rate"):
        return "trigger_rate"
    return ""


def refuse_unguarded(policy: Record, metrics: Record) -> None:
    recalls_needed = number_at(policy, "min_class_recall") > WITHOUT_CLASS_RECALL
    if recalls_needed and not metrics.get("class_recall_bp"):
        raise UnguardedError("the policy guards the recall of each class: class_recall_bp is missing")
    rate_needed = number_at(policy, "max_trigger_rate") < ANY_TRIGGER_RATE
    if rate_needed and "trigger_rate_bp" not in metrics:
        raise UnguardedError("the policy guards the trigger rate: trigger_rate_bp is missing")


def _lowest_recall(metrics: Record) -> int:
    recalls = list_at(metrics, "class_recall_bp") if "class_recall_bp" in metrics else []
    return min((recall for recall in recalls if isinstance(recall, int)), default=10_000)


def _trigger_rate(metrics: Record) -> int:
    return number_at(metrics, "trigger_rate_bp") if "trigger_rate_bp" in metrics else 0
