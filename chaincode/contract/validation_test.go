package contract

import "testing"

func TestAValidationIsOfTheRegisteredSetAndAllOfIt(t *testing.T) {
	w := newWorld(t, nil)
	w.sealRound()
	version := w.register()
	w.must(anna(), "RegisterDataset", w.set("probe-2", "probe"))
	of := func(sha256, version string) Object {
		return Object{"dataset": Object{"sha256": sha256, "version": version}}
	}
	for _, c := range []struct {
		code, sentence string
		change         Object
	}{
		{NotFound, "there is no version", Object{"version": digest("unknown")}},
		{NotFound, "no probe or test set", of(digest("unknown"), "1")},
		{NotFound, "no probe or test set", of(digest("shard site-a"), "1")},
		{Refused, "the set's version is 1, not 2", of(digest("probe"), "2")},
		{Refused, "the set has 500 examples; 499 were scored", Object{"metrics": Object{"accuracy_bp": 1, "loss_micro": 1, "examples": 499}}},
		{Refused, "is a test set, not for the purpose probe", of(digest("test"), "1")},
		{Refused, "names another probe set", of(digest("probe-2"), "1")},
		{Refused, "is a probe set, not for the purpose test", Object{"purpose": "test"}},
		{BadRecord, "accuracy_bp is 10001, not within 0 to 10000", Object{"metrics": Object{"accuracy_bp": 10001, "loss_micro": 1, "examples": 500}}},
		{BadRecord, "class_recall_bp is not an array", Object{"metrics": Object{"accuracy_bp": 1, "loss_micro": 1, "examples": 500, "class_recall_bp": 1}}},
	} {
		w.refuses(c.code, c.sentence, val(), "RecordValidation", validationRecord(version, 9000, c.change))
	}
	w.judged(version, 9000)
	w.must(val(), "RecordValidation", validationRecord(version, 10, Object{"purpose": "rescore"}.and(of(digest("probe-2"), "1"))))
}

func TestTheJudgeRunsOnceAVersion(t *testing.T) {
	w := newWorld(t, nil)
	w.sealRound()
	version := w.register()
	if got := w.judged(version, 9000); got.text("decision") != "promote" || got.text("reason") != "new_best" || got.number("number") != 1 {
		t.Errorf("%v", got)
	}
	second := w.judged(version, 10)
	if second.text("decision") != "none" || second.text("reason") != "decided" || second.number("number") != 2 {
		t.Errorf("%v", second)
	}
	if s := w.view().judgeState(); s.best != 9000 || s.version != version {
		t.Errorf("%+v", s)
	}
}

func TestOnlyTheNewestVersionOfTheEpochIsJudged(t *testing.T) {
	w := newWorld(t, nil)
	if got := w.judged(w.genesis, 9999); got.text("reason") != "genesis" {
		t.Errorf("the genesis version: %v", got)
	}
	first, _ := w.step(9000)
	w.sealRound()
	second := w.register()
	w.sealRound()
	third := w.register()
	if got := w.judged(second, 9000); got.text("reason") != "outdated" || w.at("decision/"+second) != nil {
		t.Errorf("an older version: %v", got)
	}
	w.rollBack(first)
	if got := w.judged(third, 9000); got.text("reason") != "outdated" {
		t.Errorf("a version of the epoch before: %v", got)
	}
}

func TestTheTestSetScoresAVersionOnceAndOnlyWhenItWentLive(t *testing.T) {
	w := newWorld(t, nil)
	w.sealRound()
	version := w.register()
	test := func(accuracy int) string {
		return validationRecord(version, accuracy, Object{"purpose": "test", "dataset": Object{"sha256": digest("test"), "version": "1"}})
	}
	w.judged(version, 9000)
	w.refuses(Refused, "for versions that went live", val(), "RecordValidation", test(8000))
	w.promote(version)
	if got := w.must(val(), "RecordValidation", test(8000)); got.text("decision") != "none" || got.text("reason") != "test" {
		t.Errorf("%v", got)
	}
	w.refuses(Conflict, "once is what keeps it a test set", val(), "RecordValidation", test(8100))
}

func TestAGuardThatIsNotMeasuredIsNoValidation(t *testing.T) {
	w := newWorld(t, Object{"min_class_recall": 5000, "max_trigger_rate": 100})
	w.sealRound()
	version := w.register()
	metrics := func(more Object) Object {
		return Object{"metrics": Object{"accuracy_bp": 9000, "loss_micro": 1, "examples": 500}.and(more)}
	}
	w.refuses(Refused, "class_recall_bp is missing", val(), "RecordValidation", validationRecord(version, 0, metrics(Object{"trigger_rate_bp": 1})))
	w.refuses(Refused, "trigger_rate_bp is missing", val(), "RecordValidation", validationRecord(version, 0, metrics(Object{"class_recall_bp": []any{9000}})))
	got := w.must(val(), "RecordValidation", validationRecord(version, 0, metrics(Object{"class_recall_bp": []any{9000, 4999}, "trigger_rate_bp": 1})))
	if got.text("decision") != "rollback" || got.text("reason") != "class_recall" || got.text("target") != w.genesis {
		t.Errorf("%v", got)
	}
	w.must(agg(), "RollbackModel", w.automatic(version, nil))
	if w.head().to != w.genesis || w.head().seq != 1 {
		t.Errorf("%+v", w.head())
	}
}

func TestANewProbeIsANewYardstick(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	w.must(anna(), "RegisterDataset", w.set("probe-2", "probe"))
	proposal := w.must(olga(), "ProposePolicy", w.proposal(Object{"policy": testPolicy().with("probe", digest("probe-2"))})).text("id")
	w.must(paul(), "ApprovePolicy", policyApproval(proposal))
	w.sealRound()
	second := w.register()
	w.refuses(Refused, "names another probe set", val(), "RecordValidation", validationRecord(second, 5000, nil))
	onNew := Object{"dataset": Object{"sha256": digest("probe-2"), "version": "1"}}
	got := w.must(val(), "RecordValidation", validationRecord(second, 5000, onNew))
	if got.text("reason") != "new_best" || got.number("drop") != 0 {
		t.Errorf("%v", got)
	}
	w.promote(second)
	w.rollBack(first)
	if s := w.view().judgeState(); s.best != -1 || s.version != "" {
		t.Errorf("a score on the old probe is a yardstick: %+v", s)
	}
}

func TestPromotionIsForTheNewestDecidedVersion(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	w.sealRound()
	second := w.register()
	w.refuses(Refused, "it was not decided to promote version "+second, agg(), "Promote", w.promotion(second, nil))
	w.judged(second, 9100)
	w.refuses(NotFound, "there is no version", agg(), "Promote", w.promotion(digest("unknown"), nil))
	w.refuses(Conflict, "version "+second+" is newer", agg(), "Promote", w.promotion(first, nil))
	w.refuses(Conflict, "the pointer's newest move is 1, not 0", agg(), "Promote", w.promotion(second, Object{"expected_seq": 0}))
	w.promote(second)
	w.refuses(Conflict, "is live already", agg(), "Promote", w.promotion(second, nil))
	bad, _ := w.step(5000)
	w.refuses(Refused, "it was not decided to promote", agg(), "Promote", w.promotion(bad, nil))
	w.must(agg(), "RollbackModel", w.automatic(bad, nil))
	w.refuses(Conflict, "digits is in epoch 1, not 0", agg(), "Promote", w.promotion(bad, nil))
}

func TestAQuarantinedCandidateIsNotPromoted(t *testing.T) {
	w := newWorld(t, nil)
	w.sealRound()
	version := w.register()
	w.judged(version, 9000)
	w.must(olga(), "Quarantine", quarantineRecord(version))
	w.refuses(Refused, "is quarantined", agg(), "Promote", w.promotion(version, nil))
}

func quarantineRecord(version string) string {
	return rec("quarantine.1", Object{"model": "digits", "version": version, "reason_code": "data_quality", "text_hash": ""})
}
