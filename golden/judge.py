"""What the judge decides, step by step. Decisions and reasons are written here by hand and held against the code."""

from dataclasses import dataclass, field

from golden.records import POLICY, hashed
from sealed.judge import Judgement, JudgeState, UnguardedError, after_rollback, judge
from sealed.records import Record, number_at, text_at

OTHER_PROBE = hashed("another probe")
POLICIES: dict[str, Record] = {
    "default": POLICY,
    "another probe": {**POLICY, "probe": OTHER_PROBE},
    "minimum 80": {**POLICY, "min_accuracy_threshold": 8000},
    "recall of each class": {**POLICY, "min_class_recall": 5000},
    "trigger rate": {**POLICY, "max_trigger_rate": 100},
    "all guards": {**POLICY, "min_accuracy_threshold": 8000, "min_class_recall": 5000, "max_trigger_rate": 100},
    "no patience": {**POLICY, "patience_threshold": 1},
    "no tolerance": {**POLICY, "accuracy_tolerance": 0},
    "nothing is severe": {**POLICY, "severe_drop": 10000},
    "everything is severe": {**POLICY, "severe_drop": 0},
}


@dataclass
class Sequence:
    """Versions v0, v1 … of which v0 is the genesis; each judged one becomes live when it is promoted."""

    name: str
    policy: str = "default"
    state: JudgeState = field(default_factory=JudgeState)
    pointer: str = hashed("v0")
    newest: int = 0
    steps: list[dict[str, object]] = field(default_factory=list)
    scores: dict[str, tuple[int, str]] = field(default_factory=dict)

    def scored(self, score: int, decision: str, reason: str, **metrics: object) -> "Sequence":
        version, live = self._next(), self.pointer
        measured: Record = {"accuracy_bp": score, "loss_micro": 1, "examples": 1000, **metrics}  # type: ignore[dict-item]
        found = judge(POLICIES[self.policy], self.state, measured, live, version)
        assert (found.decision, found.reason) == (decision, reason), (self.name, score, found)
        self.state = found.state
        self.scores[version] = score, text_at(POLICIES[self.policy], "probe")
        if found.decision == "promote":
            self.pointer = version
        self._validation(live, version, measured, _expected(found))
        return self

    def refused(self, score: int, **metrics: object) -> "Sequence":
        """Metrics that lack what a guard watches are no validation at all."""
        version = self._next()
        measured: Record = {"accuracy_bp": score, "loss_micro": 1, "examples": 1000, **metrics}  # type: ignore[dict-item]
        try:
            judge(POLICIES[self.policy], self.state, measured, self.pointer, version)
        except UnguardedError:
            self._validation(self.pointer, version, measured, {"refused": True})
            return self
        raise AssertionError(self.name)

    def back_to(self, version: int) -> "Sequence":
        target = hashed(f"v{version}")
        score, probe = self.scores.get(target, (None, ""))
        self.state = after_rollback(self.state, POLICIES[self.policy], target, score, probe)
        self.pointer = target
        scored = {} if score is None else {"score": score, "probe": probe}
        step: dict[str, object] = {"do": "rollback", "policy": self.policy, "target": target, **scored}
        self.steps.append({**step, "expect": {"state": self.state.record}})
        return self

    def under(self, policy: str) -> "Sequence":
        self.policy = policy
        return self

    def _next(self) -> str:
        self.newest += 1
        return hashed(f"v{self.newest}")

    def _validation(self, pointer: str, version: str, metrics: Record, expected: dict[str, object]) -> None:
        step = {"do": "validate", "policy": self.policy, "pointer": pointer, "version": version, "metrics": metrics}
        self.steps.append({**step, "expect": expected})


def _expected(found: Judgement) -> dict[str, object]:
    return {
        "decision": found.decision,
        "reason": found.reason,
        "score": found.score,
        "drop": found.drop,
        "target": found.target,
        "state": found.state.record,
    }


def _worked_example() -> Sequence:
    """90, 91, 90.5, 90.3, 90.2: nothing severe, and yet three versions in a row below the best."""
    return (
        Sequence("90, 91, 90.5, 90.3, 90.2 goes back to the 91")
        .scored(9000, "promote", "new_best")
        .scored(9100, "promote", "new_best")
        .scored(9050, "promote", "tolerated")
        .scored(9030, "promote", "tolerated")
        .scored(9020, "rollback", "patience")
        .back_to(2)
        .scored(9060, "promote", "on_par")
        .scored(9110, "promote", "new_best")
    )


def _sequences() -> list[Sequence]:
    return [
        _worked_example(),
        Sequence("the first version has no drop, however bad").scored(0, "promote", "new_best"),
        Sequence("an equal score is a new best")
        .scored(9000, "promote", "new_best")
        .scored(9000, "promote", "new_best"),
        Sequence("just within the tolerance, and just not")
        .scored(9000, "promote", "new_best")
        .scored(8951, "promote", "on_par")
        .scored(8950, "promote", "tolerated"),
        Sequence("just not severe, and just severe")
        .scored(9000, "promote", "new_best")
        .scored(8800, "promote", "tolerated")
        .scored(8799, "rollback", "severe_drop")
        .back_to(2)
        .scored(8800, "promote", "new_best"),
        Sequence("a severe drop goes back to what is live, which need not be the best")
        .scored(9000, "promote", "new_best")
        .scored(8900, "promote", "tolerated")
        .scored(8000, "rollback", "severe_drop")
        .back_to(2)
        .scored(8900, "promote", "new_best"),
        Sequence("small drops are measured from the best, not from the version before")
        .scored(9000, "promote", "new_best")
        .scored(8960, "promote", "on_par")
        .scored(8930, "promote", "tolerated")
        .scored(8890, "promote", "tolerated")
        .scored(8850, "rollback", "patience"),
        Sequence("on par forgives what was tolerated")
        .scored(9000, "promote", "new_best")
        .scored(8900, "promote", "tolerated")
        .scored(8900, "promote", "tolerated")
        .scored(8960, "promote", "on_par")
        .scored(8900, "promote", "tolerated")
        .scored(8900, "promote", "tolerated")
        .scored(8900, "rollback", "patience"),
        Sequence("a new best forgives what was tolerated")
        .scored(9000, "promote", "new_best")
        .scored(8900, "promote", "tolerated")
        .scored(9001, "promote", "new_best")
        .scored(8901, "promote", "tolerated")
        .scored(8901, "promote", "tolerated")
        .scored(8901, "rollback", "patience"),
        Sequence("going back to the genesis, which was never scored, forgets the best")
        .scored(9000, "promote", "new_best")
        .back_to(0)
        .scored(5000, "promote", "new_best")
        .scored(4700, "rollback", "severe_drop"),
        Sequence("a second rollback in a row")
        .scored(9000, "promote", "new_best")
        .scored(9100, "promote", "new_best")
        .scored(5000, "rollback", "severe_drop")
        .back_to(2)
        .scored(5100, "rollback", "severe_drop")
        .back_to(1)
        .scored(8990, "promote", "on_par"),
        Sequence("going back further than the judge would")
        .scored(9000, "promote", "new_best")
        .scored(9200, "promote", "new_best")
        .scored(9300, "promote", "new_best")
        .back_to(1)
        .scored(9010, "promote", "new_best"),
        Sequence("a best on another probe is no yardstick")
        .scored(9000, "promote", "new_best")
        .scored(8900, "promote", "tolerated")
        .under("another probe")
        .scored(6000, "promote", "new_best")
        .scored(5790, "rollback", "severe_drop"),
        Sequence("going back to a version that was scored on another probe")
        .scored(9000, "promote", "new_best")
        .under("another probe")
        .scored(6000, "promote", "new_best")
        .scored(5000, "rollback", "severe_drop")
        .back_to(1)
        .scored(4000, "promote", "new_best"),
        Sequence("the old probe comes back before anything was scored on the new one")
        .scored(9000, "promote", "new_best")
        .under("another probe")
        .under("default")
        .scored(8990, "promote", "on_par"),
        Sequence("a minimum guards only what once reached it", "minimum 80")
        .scored(5000, "promote", "new_best")
        .scored(7999, "promote", "new_best")
        .scored(8000, "promote", "new_best")
        .scored(7999, "rollback", "min_accuracy")
        .back_to(3)
        .scored(8050, "promote", "new_best"),
        Sequence("that the minimum was reached is never forgotten", "minimum 80")
        .scored(8100, "promote", "new_best")
        .back_to(0)
        .scored(7990, "rollback", "min_accuracy")
        .back_to(0)
        .scored(8000, "promote", "new_best")
        .under("another probe")
        .scored(100, "promote", "new_best"),
        Sequence("no minimum is reached by a policy that has none")
        .scored(9000, "promote", "new_best")
        .under("minimum 80")
        .scored(7000, "rollback", "severe_drop")
        .back_to(0)
        .scored(7000, "promote", "new_best"),
        Sequence("reached in a version that a guard refuses", "all guards")
        .scored(9000, "rollback", "class_recall", class_recall_bp=[9000, 4999], trigger_rate_bp=0)
        .back_to(0)
        .scored(7000, "rollback", "min_accuracy", class_recall_bp=[9000, 9000], trigger_rate_bp=0),
        Sequence("the minimum comes before a severe drop", "minimum 80")
        .scored(9000, "promote", "new_best")
        .scored(1000, "rollback", "min_accuracy"),
        Sequence("the recall of the worst class", "recall of each class")
        .scored(9000, "promote", "new_best", class_recall_bp=[5000, 10000])
        .scored(9500, "rollback", "class_recall", class_recall_bp=[10000, 4999, 10000])
        .back_to(1)
        .scored(9400, "rollback", "class_recall", class_recall_bp=[0]),
        Sequence("recall that is not guarded", "default").scored(9000, "promote", "new_best", class_recall_bp=[0, 0]),
        Sequence("recall that was not measured", "recall of each class")
        .refused(9000)
        .refused(9000, class_recall_bp=[])
        .scored(9000, "promote", "new_best", class_recall_bp=[9000]),
        Sequence("a backdoor that accuracy does not show", "trigger rate")
        .scored(9000, "promote", "new_best", trigger_rate_bp=100)
        .scored(9900, "rollback", "trigger_rate", trigger_rate_bp=101)
        .back_to(1)
        .scored(9000, "promote", "new_best", trigger_rate_bp=0),
        Sequence("a trigger rate that was not measured", "trigger rate").refused(9000),
        Sequence("a trigger rate that is not guarded").scored(9000, "promote", "new_best", trigger_rate_bp=10000),
        Sequence("guards in their order", "all guards")
        .scored(8000, "promote", "new_best", class_recall_bp=[5000], trigger_rate_bp=100)
        .scored(7999, "rollback", "min_accuracy", class_recall_bp=[0], trigger_rate_bp=10000)
        .back_to(1)
        .scored(8000, "rollback", "class_recall", class_recall_bp=[0], trigger_rate_bp=10000)
        .back_to(1)
        .scored(8000, "rollback", "trigger_rate", class_recall_bp=[5000], trigger_rate_bp=10000),
        Sequence("a failed guard leaves best and count alone", "trigger rate")
        .scored(9000, "promote", "new_best", trigger_rate_bp=0)
        .scored(8900, "promote", "tolerated", trigger_rate_bp=0)
        .scored(9999, "rollback", "trigger_rate", trigger_rate_bp=101),
        Sequence("no patience at all", "no patience")
        .scored(9000, "promote", "new_best")
        .scored(8951, "promote", "on_par")
        .scored(8950, "rollback", "patience")
        .back_to(1)
        .scored(8950, "rollback", "patience"),
        Sequence("no tolerance at all", "no tolerance")
        .scored(9000, "promote", "new_best")
        .scored(8999, "promote", "tolerated")
        .scored(8999, "promote", "tolerated")
        .scored(8999, "rollback", "patience"),
        Sequence("nothing is severe", "nothing is severe")
        .scored(10000, "promote", "new_best")
        .scored(0, "promote", "tolerated"),
        Sequence("everything is severe", "everything is severe")
        .scored(9000, "promote", "new_best")
        .scored(9000, "promote", "new_best")
        .scored(8999, "rollback", "severe_drop"),
    ]


def vectors() -> dict[str, object]:
    sequences = [{"name": one.name, "steps": one.steps} for one in _sequences()]
    assert all(number_at(policy, "patience_threshold") > 0 for policy in POLICIES.values())
    return {"policies": POLICIES, "sequences": sequences}
