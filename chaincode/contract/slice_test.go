package contract

import "testing"

func TestSlowDecayGoesBackToTheBestAfterTheFifthVersion(t *testing.T) {
	w := newWorld(t, Object{"min_accuracy_threshold": 8000})
	var versions []string
	for i, accuracy := range []int{9000, 9100, 9050, 9030} {
		version, decision := w.step(accuracy)
		if decision != "promote" {
			t.Fatalf("version %d: %s", i+1, decision)
		}
		versions = append(versions, version)
	}
	fifth, decision := w.step(9020)
	if decision != "rollback" || w.at("decision/"+fifth).text("target") != versions[1] {
		t.Fatalf("decided %v", w.at("decision/"+fifth))
	}
	result := w.must(agg(), "RollbackModel", w.automatic(fifth, nil))
	if w.head().to != versions[1] || result.number("epoch") != 1 || result.number("seq") != 5 {
		t.Errorf("went to %s: %v", w.head().to, result)
	}
	if s := w.view().judgeState(); s.best != 9100 || s.version != versions[1] || s.count != 0 || !s.reached {
		t.Errorf("the judge starts again with %+v", s)
	}
}

func TestTwoPeopleRollBackWhatTheJudgeKept(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	w.step(9100)
	w.rollBack(first)
	if w.head().to != first || w.view().epoch() != 1 {
		t.Errorf("the pointer is at %+v", w.head())
	}
}
