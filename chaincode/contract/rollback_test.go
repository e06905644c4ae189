package contract

import (
	"testing"
	"time"
)

func TestOneCanGoBackOnlyToWhereThePointerHasBeen(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	second, _ := w.step(9100)
	w.refuses(Refused, "is live, and no newer version", olga(), "RequestRollback", w.requestRecord(second, nil))
	w.must(olga(), "Quarantine", quarantineRecord(first))
	failed, _ := w.step(5000)
	for _, c := range []struct {
		code, sentence, to string
		change             Object
	}{
		{NotFound, "there is no version", digest("unknown"), nil},
		{Refused, "never went live", failed, nil},
		{Refused, "is quarantined", first, nil},
		{Conflict, "the pointer's newest move is 2, not 1", second, Object{"expected_seq": 1}},
		{Refused, "a request stays open for an hour at least", second, Object{"expires_at": w.now.Unix() + 3599}},
		{Refused, "the version to go back to cannot be quarantined", second, Object{"quarantine": []any{second}}},
		{Refused, "stands twice", second, Object{"quarantine": []any{failed, failed}}},
		{NotFound, "there is no version", second, Object{"quarantine": []any{digest("unknown")}}},
		{Refused, "for automatic rollbacks", second, Object{"reason_code": "regression_auto"}},
		{Refused, "only a drill, has the reason drill", second, Object{"reason_code": "drill"}},
		{Refused, "only a drill, has the reason drill", second, Object{"drill": true}},
		{Refused, "a drill quarantines nothing", second, Object{"drill": true, "reason_code": "drill", "quarantine": []any{failed}}},
		{Refused, "for a security_incident only", second, Object{"break_glass": true}},
	} {
		w.refuses(c.code, c.sentence, olga(), "RequestRollback", w.requestRecord(c.to, c.change))
	}
	// To where the pointer is: the candidate never went live.
	request := w.request(second, Object{"quarantine": []any{failed}})
	w.must(paul(), "ApproveRollback", approval(request))
	w.must(otto(), "RollbackModel", w.asked(request, nil))
	if w.head().to != second || w.view().epoch() != 1 || !w.view().status(failed).quarantined {
		t.Errorf("%+v", w.head())
	}
	if s := w.view().judgeState(); s.best != 9100 || s.version != second {
		t.Errorf("the judge starts with %+v", s)
	}
	w.rollBack(w.genesis)
	if s := w.view().judgeState(); w.head().to != w.genesis || s.best != -1 {
		t.Errorf("%+v, %+v", w.head(), s)
	}
}

func TestAnotherPersonOfAnotherOrganisationApproves(t *testing.T) {
	w := newWorld(t, nil)
	w.step(9000)
	request := w.request(w.genesis, nil)
	w.refuses(Forbidden, "another person must decide", person("OrgA", "olga", approver), "ApproveRollback", approval(request))
	w.refuses(Forbidden, "approvers of another organisation", pia(), "ApproveRollback", approval(request))
	w.refuses(NotFound, "there is no rollback request", paul(), "ApproveRollback", approval(digest("unknown")))
	w.refuses(Conflict, "the request is open", olga(), "RollbackModel", w.asked(request, nil))
	w.must(paul(), "ApproveRollback", approval(request))
	w.must(olga(), "RollbackModel", w.asked(request, nil))
	if by := w.at("rollback/" + request).object("outcome"); by.text("state") != "executed" || by.object("approved_by").text("subject") != "paul" {
		t.Errorf("%v", by)
	}
}

func TestARollbackIsWhatWasAskedFor(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	second, _ := w.step(9100)
	request := w.request(first, Object{"quarantine": []any{second}})
	w.must(paul(), "ApproveRollback", approval(request))
	for _, c := range []struct {
		code, sentence string
		change         Object
	}{
		{Refused, "to is not what was asked for", Object{"to": w.genesis}},
		{Refused, "expected_seq is not what was asked for", Object{"expected_seq": 1}},
		{Refused, "reason_code is not what was asked for", Object{"reason_code": "other"}},
		{Refused, "quarantine is not what was asked for", Object{"quarantine": []any{}}},
		{Refused, "a request or a decision, and not both", Object{"decision": second}},
		{Refused, "a request or a decision, and not both", Object{"request": ""}},
		{NotFound, "there is no rollback request", Object{"request": digest("unknown")}},
	} {
		w.refuses(c.code, c.sentence, olga(), "RollbackModel", w.asked(request, c.change))
	}
	w.refuses(Forbidden, "the aggregator cites a decision", agg(), "RollbackModel", w.asked(request, nil))
	w.must(olga(), "RollbackModel", w.asked(request, nil))
}

func TestOneRequestIsOpenAtATimeAndStopsTheMachines(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	w.step(9100)
	bad, _ := w.step(5000)
	request := w.request(first, nil)
	w.refuses(Conflict, "rollback request "+request+" is open already", otto(), "RequestRollback", w.requestRecord(w.genesis, nil))
	w.refuses(Refused, "people are deciding", agg(), "RollbackModel", w.automatic(bad, nil))
	w.must(paul(), "ApproveRollback", approval(request))
	w.refuses(Refused, "people are deciding", agg(), "RollbackModel", w.automatic(bad, nil))
	w.must(olga(), "RollbackModel", w.asked(request, nil))
	w.refuses(Conflict, "digits is in epoch 1, not 0", agg(), "RollbackModel", w.automatic(bad, Object{"expected_seq": 3}))

	w.sealRound()
	version := w.register()
	w.judged(version, 9000)
	request = w.request(first, nil)
	w.refuses(Refused, "people are deciding", agg(), "Promote", w.promotion(version, nil))
	w.must(paul(), "RejectRollback", rejection(request))
	w.promote(version)
}

func rejection(request string) string {
	return rec("rollback-rejection.1", Object{"model": "digits", "request": request, "text_hash": ""})
}

func TestARequestThatWasRejectedIsOver(t *testing.T) {
	w := newWorld(t, nil)
	w.step(9000)
	request := w.request(w.genesis, nil)
	w.refuses(Forbidden, "take back only what they asked for", otto(), "RejectRollback", rejection(request))
	w.must(olga(), "RejectRollback", rejection(request))
	w.refuses(Conflict, "the request is rejected", paul(), "ApproveRollback", approval(request))
	w.refuses(Conflict, "the request is rejected", olga(), "RollbackModel", w.asked(request, nil))
	w.refuses(NotFound, "there is no rollback request", paul(), "RejectRollback", rejection(digest("unknown")))
	approved := w.request(w.genesis, Object{"incident": "INC-2"})
	w.must(paul(), "ApproveRollback", approval(approved))
	w.must(pia(), "RejectRollback", rejection(approved))
	w.refuses(Conflict, "the request is rejected", olga(), "RollbackModel", w.asked(approved, nil))
}

func TestARequestThatExpiredIsOverAndGivesWay(t *testing.T) {
	w := newWorld(t, nil)
	w.step(9000)
	request := w.request(w.genesis, nil)
	w.wait(3 * time.Hour)
	w.refuses(Refused, "the request has expired", paul(), "ApproveRollback", approval(request))
	w.refuses(Refused, "the request has expired", paul(), "RejectRollback", rejection(request))
	w.step(9100) // promotes
	if state := w.at("rollback/" + request).object("outcome").text("state"); state != "expired" || w.at("rollback/digits/open").text("request") != "" {
		t.Errorf("the request is %s", state)
	}
	next := w.request(w.genesis, nil)
	w.must(paul(), "ApproveRollback", approval(next))
	w.wait(3 * time.Hour)
	w.refuses(Refused, "the request has expired", olga(), "RollbackModel", w.asked(next, nil))
	w.request(w.genesis, nil)
	if state := w.at("rollback/" + next).object("outcome").text("state"); state != "expired" {
		t.Errorf("the request is %s", state)
	}
}

func TestWhoeverWouldHaveHadToWaitWritesDownThatARequestExpired(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	expired := func(request string) {
		t.Helper()
		if state := w.at("rollback/" + request).object("outcome").text("state"); state != "expired" {
			t.Errorf("the request is %s", state)
		}
	}
	bad, _ := w.step(5000)
	request := w.request(first, nil)
	w.wait(3 * time.Hour)
	w.must(agg(), "RollbackModel", w.automatic(bad, nil))
	expired(request)
	request = w.request(w.genesis, nil)
	w.wait(3 * time.Hour)
	w.must(agg(), "CompleteTraining", completion(first))
	expired(request)
}

func TestTheAggregatorRollsBackOnlyAsTheJudgeDecided(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	second, _ := w.step(9100)
	w.refuses(Refused, "it was not decided to roll back version "+second, agg(), "RollbackModel", rec("rollback.1", Object{
		"model": "digits", "to": first, "expected_seq": 2, "request": "", "decision": second, "reason_code": "regression_auto", "quarantine": []any{},
	}))
	bad, _ := w.step(5000)
	for _, c := range []struct {
		code, sentence string
		change         Object
	}{
		{NotFound, "there is no version", Object{"decision": digest("unknown")}},
		{Refused, "it was decided to go back to " + second, Object{"to": first}},
		{Conflict, "the pointer's newest move is 2, not 1", Object{"expected_seq": 1}},
		{Refused, "has the reason regression_auto", Object{"reason_code": "other"}},
		{Refused, "is older than the one to go back to", Object{"quarantine": []any{first}}},
		{Refused, "cannot be quarantined", Object{"quarantine": []any{second}}},
	} {
		w.refuses(c.code, c.sentence, agg(), "RollbackModel", w.automatic(bad, c.change))
	}
	w.refuses(Forbidden, "an operator cites a request", olga(), "RollbackModel", w.automatic(bad, nil))
	w.must(agg(), "RollbackModel", w.automatic(bad, Object{"quarantine": []any{bad}}))
	if !w.view().status(bad).quarantined || w.head().to != second {
		t.Errorf("%+v", w.head())
	}
}

func TestADecisionOverAnOlderVersionIsNoLongerOneToActOn(t *testing.T) {
	w := newWorld(t, nil)
	w.step(9000)
	bad, _ := w.step(5000)
	w.sealRound()
	newer := w.register()
	w.refuses(Conflict, "version "+newer+" is newer", agg(), "RollbackModel", w.automatic(bad, nil))
}

func TestPatienceDoesNotGoBackToAVersionThatPeopleQuarantined(t *testing.T) {
	w := newWorld(t, nil)
	best, _ := w.step(9100)
	w.step(9030)
	w.must(olga(), "Quarantine", quarantineRecord(best))
	w.step(9030)
	bad, decision := w.step(9030)
	if decision != "rollback" || w.at("decision/"+bad).text("target") != best {
		t.Fatalf("%v", w.at("decision/"+bad))
	}
	w.refuses(Refused, "is quarantined", agg(), "RollbackModel", w.automatic(bad, nil))
	w.rollBack(w.genesis)
}

func TestGlassMayBeBrokenByOnePersonAndIsReviewedByAnother(t *testing.T) {
	w := newWorld(t, nil)
	w.step(9000)
	emergency := Object{"break_glass": true, "reason_code": "security_incident"}
	request := w.request(w.genesis, emergency)
	w.must(olga(), "RollbackModel", w.asked(request, nil))
	outcome := w.at("rollback/" + request).object("outcome")
	if outcome.number("review_due_at") != w.now.Unix()+24*3600 || w.head().to != w.genesis {
		t.Errorf("%v", outcome)
	}
	w.step(9000)
	w.refuses(Refused, "was not reviewed yet", olga(), "RequestRollback", w.requestRecord(w.genesis, emergency))

	review := func(request string) string {
		return rec("break-glass-review.1", Object{"model": "digits", "request": request, "verdict": "justified", "text_hash": ""})
	}
	w.refuses(Forbidden, "another person", person("OrgA", "olga", approver), "ReviewBreakGlass", review(request))
	w.refuses(NotFound, "there is no rollback request", paul(), "ReviewBreakGlass", review(digest("unknown")))
	w.wait(25 * time.Hour)
	if got := w.must(paul(), "ReviewBreakGlass", review(request)); !got.flag("overdue") {
		t.Errorf("%v", got)
	}
	w.refuses(Conflict, "does not wait for a review", person("OrgB", "petra", approver), "ReviewBreakGlass",
		rec("break-glass-review.1", Object{"model": "digits", "request": request, "verdict": "unjustified", "text_hash": ""}))

	// Executed by another operator: neither of the two reviews.
	request = w.request(w.genesis, emergency)
	w.must(otto(), "RollbackModel", w.asked(request, nil))
	w.refuses(Forbidden, "another person", person("OrgB", "otto", approver), "ReviewBreakGlass", review(request))
}

func TestGlassThatWasBrokenWithAnApprovalNeedsNoReview(t *testing.T) {
	w := newWorld(t, nil)
	w.step(9000)
	request := w.request(w.genesis, Object{"break_glass": true, "reason_code": "security_incident"})
	w.must(paul(), "ApproveRollback", approval(request))
	w.must(olga(), "RollbackModel", w.asked(request, nil))
	if w.view().unreviewed() != "" {
		t.Error("a review is due")
	}
}

func TestADrillMovesAShadowAndStopsNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.step(9000)
	before, judge := w.head(), w.view().judgeState()
	drill := Object{"drill": true, "reason_code": "drill"}
	request := w.request(w.genesis, drill)
	w.refuses(Conflict, "is open already", otto(), "RequestRollback", w.requestRecord(w.genesis, drill.with("incident", "INC-2")))
	w.refuses(Conflict, "the request is open", olga(), "RollbackModel", w.asked(request, nil))
	w.must(paul(), "ApproveRollback", approval(request))
	if got := w.must(olga(), "RollbackModel", w.asked(request, nil)); !got.flag("drill") || got.number("seq") != 1 {
		t.Errorf("%v", got)
	}
	if w.head() != before || w.view().epoch() != 0 || w.view().judgeState() != judge {
		t.Errorf("the drill moved %+v", w.head())
	}
	request = w.request(w.genesis, drill.with("incident", "INC-4"))
	w.step(9100) // while a drill is open
	w.must(paul(), "ApproveRollback", approval(request))
	w.must(olga(), "RollbackModel", w.asked(request, nil))
	if w.at("shadow/digits/head").number("seq") != 2 {
		t.Errorf("%v", w.at("shadow/digits/head"))
	}
	rejected := w.request(w.genesis, drill)
	w.must(paul(), "RejectRollback", rejection(rejected))
	w.request(w.genesis, drill.with("incident", "INC-3"))
}

func stopRecord(schema string, seq int64) string {
	return rec(schema, Object{"model": "digits", "expected_seq": seq, "reason_code": "data_quality", "text_hash": ""})
}

func TestAFrozenModelOnlyGoesBack(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	w.step(9100)
	w.sealRound()
	waiting := w.versionRecord(nil)
	w.refuses(Conflict, "newest move of any kind is 2, not 1", olga(), "Freeze", stopRecord("freeze.1", 1))
	w.refuses(Conflict, "digits is not frozen", olga(), "Resume", stopRecord("resume.1", 2))
	w.must(agg(), "Freeze", stopRecord("freeze.1", 2))
	w.refuses(Conflict, "digits is frozen already", olga(), "Freeze", stopRecord("freeze.1", 3))
	w.refuses(Refused, "digits is frozen", agg(), "OpenRound", w.roundRecord(nil))
	w.refuses(Refused, "digits is frozen", agg(), "RegisterModelUpdate", waiting)
	w.refuses(Refused, "digits is frozen", agg(), "Promote", w.promotion(first, nil))
	w.rollBack(first)
	if p := w.head(); !p.frozen || p.to != first || p.seq != 4 || p.move != 4 {
		t.Errorf("%+v", p)
	}
	w.refuses(Forbidden, "this needs the role operator", agg(), "Resume", stopRecord("resume.1", 4))
	w.must(olga(), "Resume", stopRecord("resume.1", 4))
	if p := w.head(); p.frozen || p.seq != 5 || p.move != 4 {
		t.Errorf("%+v", p)
	}
	w.step(9050)
}

func TestTheLiveVersionCannotBeQuarantined(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	second, _ := w.step(9100)
	w.refuses(Refused, "is live: roll back first", olga(), "Quarantine", quarantineRecord(second))
	w.refuses(NotFound, "there is no version", olga(), "Quarantine", quarantineRecord(digest("unknown")))
	w.must(olga(), "Quarantine", quarantineRecord(first))
	again := rec("quarantine.1", Object{"model": "digits", "version": first, "reason_code": "other", "text_hash": ""})
	w.refuses(Conflict, "quarantined already", olga(), "Quarantine", again)
	request := w.request(w.genesis, nil)
	w.must(paul(), "ApproveRollback", approval(request))
	w.must(olga(), "Quarantine", quarantineRecord(w.genesis))
	w.refuses(Refused, "is quarantined", olga(), "RollbackModel", w.asked(request, nil))
}

func TestAnExecutedRequestIsOver(t *testing.T) {
	w := newWorld(t, nil)
	w.step(9000)
	request := w.request(w.genesis, nil)
	w.must(paul(), "ApproveRollback", approval(request))
	w.must(olga(), "RollbackModel", w.asked(request, nil))
	w.refuses(Conflict, "the request is executed", paul(), "RejectRollback", rejection(request))
	w.step(9000)
	w.refuses(Conflict, "the request is executed", olga(), "RollbackModel", w.asked(request, Object{"expected_seq": 2}))
}
