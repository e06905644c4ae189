package contract

import (
	"fmt"
	"testing"
)

func (w *world) updateID(round int64, name string) string {
	return w.at(fmt.Sprintf("update/digits/%d/%s", round, name)).text("id")
}

func (w *world) in(round int64, names ...string) []any {
	items := []any{}
	for _, name := range names {
		items = append(items, Object{"examples": 100, "participant": name, "update": w.updateID(round, name)})
	}
	return items
}

func (w *world) out(round int64, rule string, score int, names ...string) []any {
	items := []any{}
	for _, name := range names {
		items = append(items, Object{"participant": name, "rule": rule, "score": score, "update": w.updateID(round, name)})
	}
	return items
}

func TestAVersionAccountsForEverySealedUpdate(t *testing.T) {
	w := newWorld(t, nil)
	w.sealRound()
	all := []string{"site-a", "site-b", "site-c"}
	for _, c := range []struct {
		code, sentence string
		change         Object
	}{
		{Conflict, "the next version of digits is number 1, not 2", Object{"number": 2}},
		{Conflict, "digits is in epoch 0, not 1", Object{"epoch": 1}},
		{NotFound, "there is no round 2", Object{"round": 2}},
		{Conflict, "round 1 holds 3 updates", Object{"sealed": Object{"chain": emptyChain, "count": 3}}},
		{Refused, "the parent must be the round's base", Object{"parent": digest("unknown parent")}},
		{Refused, "the round's policy aggregates by fedavg.1, not median.1", Object{"rule": "median.1"}},
		{Refused, "stored without loss", Object{"blob": testBlob("lossy", "bf16.1")}},
		{Conflict, "anchored already", Object{"blob": testBlob("site-a 1", "xor.1")}},
		{Refused, "the version accounts for 2", Object{"included": w.in(1, "site-a", "site-b")}},
		{Refused, "site-a is included and excluded", Object{"included": w.in(1, "site-a", "site-b"), "excluded": w.out(1, "norm.1", 7, "site-a")}},
		{Refused, "at least one update", Object{"included": []any{}, "excluded": w.out(1, "norm.1", 7, all...)}},
		{Refused, "not 99", Object{"included": append(w.in(1, "site-a", "site-b"), w.in(1, "site-c")[0].(Object).with("examples", 99))}},
		{Refused, "sealed no update", Object{"included": append(w.in(1, "site-a", "site-b"), w.in(1, "site-a")[0].(Object).with("participant", "site-c"))}},
		{Refused, "sealed no update", Object{"included": append(w.in(1, "site-a", "site-b"), w.in(1, "site-c")[0].(Object).with("participant", "site-x"))}},
		{Refused, "is not the exclusion in force", Object{"included": w.in(1, "site-a", "site-b"), "excluded": w.out(1, excludedByLedger, 1, "site-c")}},
		{Refused, "nothing to replay", Object{"kind": "replay"}},
		{Refused, "one genesis version", Object{"kind": "genesis"}},
		{BadRecord, "not sorted", Object{"included": w.in(1, "site-b", "site-a", "site-c")}},
	} {
		w.refuses(c.code, c.sentence, agg(), "RegisterModelUpdate", w.versionRecord(c.change))
	}
	w.must(agg(), "RegisterModelUpdate", w.versionRecord(Object{"included": w.in(1, "site-a", "site-c"), "excluded": w.out(1, "norm.1", -7, "site-b")}))
	w.refuses(Conflict, "round 1 has its aggregate already", agg(), "RegisterModelUpdate", w.versionRecord(Object{"blob": testBlob("again", "xor.1")}))
}

func TestAnOpenOrFailedRoundMakesNoVersion(t *testing.T) {
	w := newWorld(t, nil)
	w.openRound()
	w.anchors(w.signed(w.manifest("site-a", nil)), "accepted")
	w.refuses(Refused, "round 1 is open, not sealed", agg(), "RegisterModelUpdate", w.versionRecord(nil))
	w.must(agg(), "CloseRound", w.closing("failed", nil))
	w.refuses(Refused, "round 1 is failed, not sealed", agg(), "RegisterModelUpdate", w.versionRecord(nil))
}

func TestOneExcludedSinceTheRoundWasSealedIsCitedByItsEvent(t *testing.T) {
	w := newWorld(t, nil)
	w.sealRound()
	w.must(olga(), "SetParticipantStatus", w.exclude("site-c", nil))
	with := func(score int) Object {
		return Object{"included": w.in(1, "site-a", "site-b"), "excluded": w.out(1, excludedByLedger, score, "site-c")}
	}
	w.refuses(Refused, "event 2 of site-c is not the exclusion in force", agg(), "RegisterModelUpdate", w.versionRecord(with(2)))
	w.must(agg(), "RegisterModelUpdate", w.versionRecord(with(1)))
}

func TestASealedRoundIsReplayedWithoutTheExcludedWhereTheRollbackWent(t *testing.T) {
	w := newWorld(t, nil)
	good, _ := w.step(9000)
	bad, _ := w.step(5000)
	w.must(agg(), "RollbackModel", w.automatic(bad, nil))
	w.must(agg(), "SetParticipantStatus", w.exclude("site-c", Object{"decision": bad}))

	record := func(change Object) string { return w.versionOf(2, "replay", change) }
	for _, c := range []struct {
		code, sentence string
		change         Object
	}{
		{Conflict, "round 2 has its aggregate already", Object{"kind": "aggregate"}},
		{Conflict, "digits is in epoch 1, not 0", Object{"epoch": 0}},
		{Refused, "site-c is excluded: a replay goes without", Object{"included": w.in(2, "site-a", "site-b", "site-c"), "excluded": []any{}}},
		{Refused, "a replay cites that by the rule", Object{"excluded": w.out(2, "norm.1", 7, "site-c")}},
		{Refused, "event 2 of site-c is not", Object{"excluded": w.out(2, excludedByLedger, 2, "site-c")}},
	} {
		w.refuses(c.code, c.sentence, agg(), "RegisterModelUpdate", record(c.change))
	}
	w.refuses(Refused, "a replay starts where the last rollback went", agg(), "RegisterModelUpdate", w.versionOf(1, "replay", nil))

	replay := w.must(agg(), "RegisterModelUpdate", record(nil)).text("id")
	w.refuses(Conflict, "round 2 has its replay already", agg(), "RegisterModelUpdate", record(Object{"blob": testBlob("again", "xor.1")}))
	if got := w.judged(replay, 9010); got.text("decision") != "promote" {
		t.Errorf("the judge says %v", got)
	}
	w.promote(replay)
	if v := w.at("version/" + replay).object("record"); v.text("parent") != good || w.head().to != replay {
		t.Errorf("the replay is %v", v)
	}
}

func TestARoundThatMadeNothingBeforeARollbackCanOnlyBeReplayed(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	w.step(9100)
	w.sealRound()
	w.rollBack(first)
	w.refuses(Refused, "it can only be replayed", agg(), "RegisterModelUpdate", w.versionRecord(nil))
}
