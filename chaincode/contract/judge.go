package contract

import "slices"

// judgeState is what the judge remembers of a model.
type judgeState struct {
	best    int64 // basis points; -1 when none
	count   int64 // versions in a row below the best and not on par
	reached bool  // the minimum, ever
	probe   string
	version string // that the best is of
}

var unjudged = judgeState{best: -1}

type judgement struct {
	decision, reason, target string
	score, drop              int64
	state                    judgeState
}

// judge decides over the newest version: keep it, or go back, and to which one?
//
// The yardstick is the best version, not the one before: three small drops are one large drop. A best on another probe
// is no yardstick. A failed guard or a severe drop leaves the yardstick alone: the rollback that follows sets it.
func judge(policy Object, state judgeState, metrics Object, pointer, version string) judgement {
	score, minimum := metrics.number("accuracy_bp"), policy.number("min_accuracy_threshold")
	wasReached := state.reached
	state.reached = wasReached || score >= minimum
	known := state.best >= 0 && state.probe == policy.text("probe")
	j := judgement{decision: "promote", score: score, state: state}
	if known {
		j.drop = state.best - score
	}
	switch guard := failedGuard(policy, metrics, wasReached); {
	case guard != "":
		return j.back(guard, pointer)
	case j.drop > policy.number("severe_drop"):
		return j.back("severe_drop", pointer)
	case !known:
		return j.best("first", policy.text("probe"), version)
	case j.drop <= 0:
		return j.best("improved", policy.text("probe"), version)
	case j.drop < policy.number("accuracy_tolerance"):
		return j.counted("on_par", 0)
	case state.count+1 >= policy.number("patience_threshold"):
		return j.counted("patience", state.count+1).back("patience", state.version)
	}
	return j.counted("tolerated", state.count+1)
}

func failedGuard(policy, metrics Object, reached bool) string {
	below := func(recall any) bool { return recall.(int64) < policy.number("min_class_recall") }
	recalls, _ := metrics["class_recall_bp"].([]any)
	rate, _ := metrics["trigger_rate_bp"].(int64)
	switch {
	case reached && metrics.number("accuracy_bp") < policy.number("min_accuracy_threshold"):
		return "min_accuracy"
	case slices.ContainsFunc(recalls, below):
		return "class_recall"
	case rate > policy.number("max_trigger_rate"):
		return "trigger_rate"
	}
	return ""
}

func (j judgement) back(reason, target string) judgement {
	j.decision, j.reason, j.target = "rollback", reason, target
	return j
}

func (j judgement) best(reason, probe, version string) judgement {
	j.reason = reason
	j.state.best, j.state.count, j.state.probe, j.state.version = j.score, 0, probe, version
	return j
}

func (j judgement) counted(reason string, count int64) judgement {
	j.reason, j.state.count = reason, count
	return j
}

func (m model) judgeState() judgeState {
	o := m.get(m.key("judge"))
	return judgeState{o.number("best"), o.number("count"), o.flag("minimum_reached"), o.text("probe"), o.text("version")}
}

func (m model) setJudge(s judgeState) {
	m.set(m.key("judge"), Object{
		"best": s.best, "count": s.count, "minimum_reached": s.reached, "probe": s.probe, "version": s.version,
	})
}

// decided tells whether the judge came to a decision over a version.
func (m model) decided(version, decision string) bool {
	o := m.get(path("decision", version))
	return o != nil && o.text("decision") == decision
}

// restartJudge makes the version that was gone back to the yardstick, if it was scored on the probe now in force.
func (m model) restartJudge(target string) {
	s := judgeState{best: -1, reached: m.judgeState().reached}
	decision, probe := m.get(path("decision", target)), m.rules.object("policy").text("probe")
	if decision != nil && decision.text("probe") == probe {
		s.best, s.probe, s.version = decision.number("score"), probe, target
	}
	m.setJudge(s)
}
