package contract

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestARoundOpensOnWhatIsLiveWithThoseWhoAreActive(t *testing.T) {
	w := newWorld(t, nil)
	w.must(olga(), "SetParticipantStatus", w.exclude("site-c", nil))
	active := Object{"participants": []any{"site-a", "site-b"}}
	for _, c := range []struct {
		code, sentence string
		change         Object
	}{
		{Conflict, "the next round of digits is number 1, not 2", Object{"number": 2}},
		{Conflict, "digits is in epoch 0, not 1", Object{"epoch": 1}},
		{Conflict, "the pointer is at version", Object{"base": digest("another")}},
		{Conflict, "policy 1 is in force, not 2", Object{"policy": 2}},
		{Refused, "the deadline has passed", Object{"deadline_at": w.now.Unix()}},
		{Refused, "site-c is excluded", Object{"participants": []any{"site-a", "site-c"}}},
		{NotFound, "no participant site-x", Object{"participants": []any{"site-x"}}},
		{Refused, "a round needs a participant", Object{"participants": []any{}}},
		{BadRecord, "is not sorted", Object{"participants": []any{"site-b", "site-a"}}},
		{BadRecord, "has an item twice", Object{"participants": []any{"site-a", "site-a"}}},
	} {
		w.refuses(c.code, c.sentence, agg(), "OpenRound", w.roundRecord(active.and(c.change)))
	}
	w.must(agg(), "OpenRound", w.roundRecord(active))
	w.refuses(Conflict, "round 1 of digits is still open", agg(), "OpenRound", w.roundRecord(active))
}

func TestARoundIsClosedWithWhatItHolds(t *testing.T) {
	w := newWorld(t, Object{"round_quorum": 6000})
	w.openRound()
	w.anchors(w.signed(w.manifest("site-a", nil)), "accepted")
	stale := w.closing("sealed", nil)
	w.refuses(Refused, "below the quorum", agg(), "CloseRound", stale)
	w.anchors(w.signed(w.manifest("site-b", nil)), "accepted")
	w.refuses(Conflict, "round 1 holds 2 updates", agg(), "CloseRound", stale)
	w.refuses(NotFound, "there is no round 9", agg(), "CloseRound", w.closing("sealed", Object{"round": 9}))
	w.must(agg(), "CloseRound", w.closing("sealed", nil))
	w.refuses(Conflict, "round 1 is sealed already", agg(), "CloseRound", w.closing("failed", nil))
	w.anchors(w.signed(w.manifest("site-c", nil)), "refused late")
}

func TestARoundWithoutAnUpdateCanOnlyFail(t *testing.T) {
	w := newWorld(t, Object{"round_quorum": 0})
	w.openRound()
	w.refuses(Refused, "below the quorum", agg(), "CloseRound", w.closing("sealed", nil))
	w.must(agg(), "CloseRound", w.closing("failed", Object{"reason_code": "deadline"}))
	w.openRound()
}

func TestARoundOfAnOlderEpochCanOnlyFail(t *testing.T) {
	w := newWorld(t, Object{"round_quorum": 5000})
	w.step(9000)
	w.openRound()
	w.anchors(w.signed(w.manifest("site-a", nil), w.manifest("site-b", nil)), "accepted", "accepted")
	w.rollBack(w.genesis)
	w.anchors(w.signed(w.manifest("site-c", nil)), "refused late")
	w.refuses(Conflict, "still open", agg(), "OpenRound", w.roundRecord(nil))
	w.refuses(Refused, "of an epoch before the last rollback", agg(), "CloseRound", w.closing("sealed", nil))
	w.must(agg(), "CloseRound", w.closing("failed", nil))
	w.openRound()
}

func TestUpdatesAreAcceptedOnceAndRefusedWithAReason(t *testing.T) {
	w := newWorld(t, nil)
	w.join("site-d")
	w.openRound() // without site-d
	first := w.manifest("site-a", nil)
	w.anchors(w.signed(first), "accepted")
	w.must(olga(), "SetParticipantStatus", w.exclude("site-c", nil))
	for why, c := range map[string]struct{ manifest, result string }{
		"the same bytes in another batch":     {first, "accepted"},
		"a second one by the same site":       {w.manifest("site-a", Object{"blob": testBlob("another", "bf16.1")}), "refused replayed"},
		"the blob of another's":               {w.manifest("site-b", Object{"blob": testBlob("site-a 1", "bf16.1")}), "refused replayed"},
		"the blob of a version":               {w.manifest("site-b", Object{"blob": testBlob("digits genesis", "whole.1")}), "refused replayed"},
		"one who was not asked":               {w.manifest("site-d", nil), "refused foreign"},
		"on another base":                     {w.manifest("site-b", Object{"base": digest("another")}), "refused foreign"},
		"of another epoch":                    {w.manifest("site-b", Object{"epoch": 1}), "refused foreign"},
		"of a round that is not":              {w.manifest("site-b", Object{"round": 7}), "refused foreign"},
		"with another's shard":                {w.manifest("site-b", Object{"shard": digest("shard site-a")}), "refused foreign"},
		"with a shard that is not":            {w.manifest("site-b", Object{"shard": digest("none")}), "refused foreign"},
		"with more examples than the shard's": {w.manifest("site-b", Object{"examples": 101}), "refused overstated"},
		"by one who was excluded":             {w.manifest("site-c", nil), "refused excluded"},
	} {
		t.Run(why, func(t *testing.T) {
			w.t = t
			w.anchors(w.signed(c.manifest), c.result)
			recorded := w.at("refusal/" + digest(c.manifest))
			if refused := strings.HasPrefix(c.result, "refused"); refused != (recorded != nil) {
				t.Errorf("the ledger holds %v", recorded)
			}
			// Alone or with others, now or later: the first result stays.
			w.anchors(w.signed(c.manifest, first), c.result, "accepted")
		})
	}
	w.t = t
	w.anchors(w.signed(w.manifest("site-b", nil)), "accepted")
	if got := w.at("round/digits/1").object("outcome").number("count"); got != 2 {
		t.Errorf("the round counts %d", got)
	}
}

func TestABadSignatureLeavesAResultOnly(t *testing.T) {
	w := newWorld(t, nil)
	w.openRound()
	manifest := w.manifest("site-a", nil)
	batch := func(manifest, signature string) string {
		return rec("anchor-batch.1", Object{"items": []any{Object{"manifest": manifest, "signature": signature}}})
	}
	w.anchors(batch(manifest, sign(w.signers["site-b"], "update.1", genesisHash, manifest)), "invalid signature")
	w.anchors(batch(manifest, sign(w.signers["site-a"], "update.1", digest("another ledger"), manifest)), "invalid signature")
	unknown := w.manifest("site-a", Object{"participant": "site-x"})
	w.anchors(batch(unknown, sign(w.signers["site-a"], "update.1", genesisHash, unknown)), "invalid participant")
	elsewhere := w.manifest("site-a", Object{"model": "faces"})
	w.anchors(batch(elsewhere, sign(w.signers["site-a"], "update.1", genesisHash, elsewhere)), "invalid model")
	for key := range w.state {
		if strings.HasPrefix(key, "refusal/") || strings.HasPrefix(key, "update/") {
			t.Errorf("%s was written", key)
		}
	}
	w.anchors(w.signed(manifest), "accepted")
}

func TestABatchSeesItsOwnEarlierItems(t *testing.T) {
	w := newWorld(t, nil)
	w.openRound()
	a, other := w.manifest("site-a", nil), w.manifest("site-a", Object{"blob": testBlob("other", "bf16.1")})
	b := w.manifest("site-b", Object{"blob": testBlob("other", "bf16.1")})
	w.anchors(w.signed(a, other, a, b), "accepted", "refused replayed", "accepted", "accepted")
	want := chained(chained(emptyChain, digest(a)), digest(b))
	if got := w.at("round/digits/1").object("outcome"); got.text("chain") != want || got.number("count") != 2 {
		t.Errorf("the round holds %v, not %s", got, want)
	}
}

func TestOneBadSignatureAmongAHundredCostsOnlyItsItem(t *testing.T) {
	w := bare(t, nil)
	var names []any
	for i := range 100 {
		w.join(fmt.Sprintf("site-%03d", i))
		names = append(names, fmt.Sprintf("site-%03d", i))
	}
	w.must(agg(), "OpenRound", w.roundRecord(Object{"participants": names}))
	var manifests, want []string
	for _, name := range names {
		manifests, want = append(manifests, w.manifest(name.(string), nil)), append(want, "accepted")
	}
	w.signers["site-042"], want[42] = signer("mallory"), "invalid signature"
	w.anchors(w.signed(manifests...), want...)
	if got := w.at("round/digits/1").object("outcome").number("count"); got != 99 {
		t.Errorf("the round counts %d", got)
	}
}

func TestAMalformedBatchFailsWhole(t *testing.T) {
	w := newWorld(t, nil)
	w.openRound()
	good := w.manifest("site-a", nil)
	item := func(manifest string) Object {
		return Object{"manifest": manifest, "signature": sign(w.signers["site-a"], "update.1", genesisHash, manifest)}
	}
	for _, c := range []struct {
		sentence string
		items    []any
	}{
		{"item 1: byte 0", []any{item(good), item("x")}},
		{"item 1: byte", []any{item(good), item(strings.Replace(good, `"examples":100`, `"examples":1e2`, 1))}},
		{`item 1: the schema must be "update.1"`, []any{item(good), item(rec("ack.1", Object{"model": "digits"}))}},
		{"item 0: 2", []any{item(rec("update.1", Object{"model": strings.Repeat("m", itemLimit)}))}},
		{"items has 0 items", []any{}},
		{"items[1].signature", []any{item(good), item(good).with("signature", "00")}},
	} {
		w.refuses(BadRecord, c.sentence, guest(), "AnchorUpdates", rec("anchor-batch.1", Object{"items": c.items}))
	}
	w.anchors(w.signed(good), "accepted")
}

func TestABatchMayServeSeveralModels(t *testing.T) {
	w := newWorld(t, nil)
	w.openRound()
	arguments := modelRecords("faces", nil)
	w.must(anna(), "RegisterModel", arguments...)
	w.wait(time.Minute)
	key := signer("faces site-a")
	r := strings.Replace(participantRecord("site-a", key), `"digits"`, `"faces"`, 1)
	w.must(anna(), "RegisterParticipant", r, sign(key, "participant.1", genesisHash, r))
	w.must(anna(), "RegisterDataset", strings.Replace(w.shard("site-a"), `"digits"`, `"faces"`, 1))
	w.must(agg(), "OpenRound", rec("round.1", Object{
		"model": "faces", "number": 1, "epoch": 0, "base": digest(arguments[1]), "participants": []any{"site-a"}, "policy": 1,
		"hyperparameters": Object{}, "deadline_at": w.now.Unix() + 60,
	}))
	digits := w.manifest("site-a", nil)
	faces := w.manifest("site-a", Object{"model": "faces", "base": digest(arguments[1]), "blob": testBlob("faces a", "bf16.1")})
	w.anchors(rec("anchor-batch.1", Object{"items": []any{
		Object{"manifest": digits, "signature": sign(w.signers["site-a"], "update.1", genesisHash, digits)},
		Object{"manifest": faces, "signature": sign(key, "update.1", genesisHash, faces)},
	}}), "accepted", "accepted")
}
