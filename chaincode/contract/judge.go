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
	score := metrics.number("accuracy_bp")
	j := judgement{decision: "promote", score: score, drop: state.drop(score, policy.text("probe")), state: state}
	j.state.reached = state.reached || reachesMinimum(policy, score)
	switch guard := failedGuard(policy, metrics, state.reached); {
	case guard != "":
		return j.back(guard, pointer)
	case j.drop > policy.number("severe_drop"):
		return j.back("severe_drop", pointer)
	case j.drop <= 0:
		return j.best(policy.text("probe"), version)
	case j.drop < policy.number("accuracy_tolerance"):
		return j.counted("on_par", 0)
	case state.count+1 >= policy.number("patience_threshold"):
		return j.counted("patience", state.count+1).back("patience", state.version)
	}
	return j.counted("tolerated", state.count+1)
}

// drop below the best; none where there is no best on this probe.
func (s judgeState) drop(score int64, probe string) int64 {
	if s.best < 0 || s.probe != probe {
		return 0
	}
	return s.best - score
}

func reachesMinimum(policy Object, score int64) bool {
	minimum := policy.number("min_accuracy_threshold")
	return minimum > 0 && score >= minimum
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

func (j judgement) best(probe, version string) judgement {
	j.reason = "new_best"
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

func (s judgeState) record() Object {
	return Object{"best": s.best, "count": s.count, "minimum_reached": s.reached, "probe": s.probe, "version": s.version}
}

func (m model) setJudge(s judgeState) { m.set(m.key("judge"), s.record()) }

// after a rollback the target's own score is the yardstick, if it was scored (not nil) on the probe now in force.
func (s judgeState) after(policy Object, target string, score *int64, probe string) judgeState {
	if score == nil || probe != policy.text("probe") {
		return judgeState{best: -1, reached: s.reached}
	}
	return judgeState{best: *score, reached: s.reached, probe: probe, version: target}
}

func (m model) restartJudge(target string) {
	var score *int64
	var probe string
	if decision := m.get(path("decision", target)); decision != nil {
		scored := decision.number("score")
		score, probe = &scored, decision.text("probe")
	}
	m.setJudge(m.judgeState().after(m.rules.object("policy"), target, score, probe))
}

// decided tells whether the judge came to a decision over a version.
func (m model) decided(version, decision string) bool {
	o := m.get(path("decision", version))
	return o != nil && o.text("decision") == decision
}
