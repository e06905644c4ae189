package contract

import (
	"strings"
	"testing"
)

func (w *world) ack(name string, seq int64, weights string) string {
	return rec("ack.1", Object{"model": "digits", "seq": seq, "participant": name, "weights": weights})
}

func (w *world) acks(schema string, pairs ...string) string {
	var items []any
	for i := 0; i < len(pairs); i += 2 {
		items = append(items, Object{"ack": pairs[i+1], "signature": sign(w.signers[pairs[i]], schema, genesisHash, pairs[i+1])})
	}
	return rec("ack-batch.1", Object{"items": items})
}

func TestSitesAcknowledgeWhatTheyWentBackTo(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	w.step(9100)
	w.rollBack(first)
	w.step(9050) // acknowledgements may come after a later promotion
	weights := w.at("version/" + first).object("record").text("weights")
	a, b := w.ack("site-a", 3, weights), w.ack("site-b", 3, weights)
	results := w.must(guest(), "AckRollback", w.acks("ack.1",
		"site-a", a, "site-a", a, "site-c", b, "site-b", w.ack("site-b", 3, digest("other")), "site-b", w.ack("site-b", 2, weights),
		"site-b", w.ack("site-b", 99, weights), "site-a", w.ack("site-x", 3, weights), "site-b", b)).objects("results")
	want := []string{
		"accepted", "accepted", "invalid signature", "refused other weights", "refused no rollback", "refused no rollback",
		"invalid participant", "accepted",
	}
	for i, result := range results {
		if got := strings.TrimSpace(result.text("result") + " " + result.text("reason")); got != want[i] {
			t.Errorf("item %d: %s, not %s", i, got, want[i])
		}
	}
	if w.at("ack/digits/3/site-a") == nil || w.at("ack/digits/3/site-b") == nil {
		t.Error("an acknowledgement is not on the ledger")
	}
	w.refuses(BadRecord, "item 1: ", guest(), "AckRollback", w.acks("ack.1", "site-a", a, "site-a", "x"))
	elsewhere := strings.Replace(a, `"digits"`, `"faces"`, 1)
	if got := w.must(guest(), "AckRollback", w.acks("ack.1", "site-a", elsewhere)).objects("results")[0]; got.text("reason") != "model" {
		t.Errorf("%v", got)
	}
	if got := w.must(guest(), "AckRollback", w.acks("update.1", "site-a", a)).objects("results")[0]; got.text("reason") != "signature" {
		t.Errorf("a signature under another schema: %v", got)
	}
}

func TestALogBelongsToItsFirstWriterAndOnlyGrows(t *testing.T) {
	w := newWorld(t, nil)
	root := func(number, entries int) string {
		return rec("root.1", Object{"log": "access", "number": number, "root": digest("root"), "entries": entries})
	}
	w.refuses(Forbidden, "this needs the role aggregator", olga(), "AnchorRoot", root(1, 10))
	w.refuses(Conflict, "the next root of access is number 1, not 2", agg(), "AnchorRoot", root(2, 10))
	w.must(agg(), "AnchorRoot", root(1, 10))
	w.refuses(Forbidden, "the log access is OrgA's", person("OrgB", "aggregator", aggregator), "AnchorRoot", root(2, 11))
	w.refuses(Refused, "logs only grow", agg(), "AnchorRoot", root(2, 9))
	w.must(agg(), "AnchorRoot", root(2, 10))
}

func (w *world) erasure(blob, participant string) string {
	return rec("erasure.1", Object{"model": "digits", "blob": blob, "participant": participant, "wraps": 3, "reason_code": "other"})
}

func holdRecord(version string, held bool, text string) string {
	return rec("hold.1", Object{"model": "digits", "version": version, "held": held, "reason_code": "regulator_order", "text_hash": text})
}

func TestAHoldKeepsTheKeysThatAVersionNeeds(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	second, _ := w.step(9100)
	w.step(9150)
	blobOf := func(version string) string {
		return w.at("version/" + version).object("record").object("blob").text("sha256")
	}
	updateBlob := func(label string) string { return testBlob(label, "bf16.1").text("sha256") }

	w.refuses(NotFound, "there is no version", olga(), "SetHold", holdRecord(digest("unknown"), true, ""))
	w.refuses(Conflict, "is not held", olga(), "SetHold", holdRecord(second, false, ""))
	w.must(olga(), "SetHold", holdRecord(second, true, ""))
	w.refuses(Conflict, "is held already", olga(), "SetHold", holdRecord(second, true, digest("text")))
	for _, step := range []string{second, first, w.genesis} {
		w.refuses(Refused, "a hold keeps the keys of version "+step, agg(), "RecordErasure", w.erasure(blobOf(step), ""))
	}
	w.refuses(Refused, "keeps the keys of its updates", agg(), "RecordErasure", w.erasure(updateBlob("site-a 2"), "site-a"))
	w.must(agg(), "RecordErasure", w.erasure(updateBlob("site-a 1"), "site-a"))

	w.must(olga(), "SetHold", holdRecord(first, true, ""))
	w.must(olga(), "SetHold", holdRecord(second, false, ""))
	w.refuses(Refused, "a hold keeps", agg(), "RecordErasure", w.erasure(blobOf(w.genesis), ""))
	w.must(agg(), "RecordErasure", w.erasure(blobOf(second), ""))

	// The first hold's bytes again, after it was released: not a success that holds nothing.
	w.refuses(Conflict, "this was hold 1 of the version, and hold 2 came after it", olga(), "SetHold", holdRecord(second, true, ""))
	w.must(olga(), "SetHold", holdRecord(second, true, digest("salt and text")))
}

func TestAHoldFindsTheUpdatesOfAReplay(t *testing.T) {
	w := newWorld(t, nil)
	w.step(9000)
	bad, _ := w.step(5000)
	w.must(agg(), "RollbackModel", w.automatic(bad, nil))
	w.must(agg(), "SetParticipantStatus", w.exclude("site-c", Object{"decision": bad}))
	replay := w.must(agg(), "RegisterModelUpdate", w.versionOf(2, "replay", nil)).text("id")
	w.must(olga(), "SetHold", holdRecord(replay, true, ""))
	w.refuses(Refused, "a hold on version "+replay, agg(), "RecordErasure", w.erasure(testBlob("site-a 2", "bf16.1").text("sha256"), "site-a"))
}

func TestAnErasureIsOfAnAnchoredBlobAndRecordedOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.step(9000)
	blob := testBlob("site-a 1", "bf16.1").text("sha256")
	w.refuses(NotFound, "there is no blob", agg(), "RecordErasure", w.erasure(digest("unknown"), ""))
	w.refuses(Refused, `the blob's participant is "site-a", not "site-b"`, agg(), "RecordErasure", w.erasure(blob, "site-b"))
	w.must(agg(), "RecordErasure", w.erasure(blob, "site-a"))
	again := rec("erasure.1", Object{"model": "digits", "blob": blob, "participant": "site-a", "wraps": 4, "reason_code": "other"})
	w.refuses(Conflict, "recorded already", agg(), "RecordErasure", again)
	w.must(anna(), "RegisterModel", modelRecords("faces", nil)...)
	w.refuses(NotFound, "there is no blob", agg(), "RecordErasure", strings.Replace(w.erasure(blob, "site-a"), "digits", "faces", 1))
}

func completion(version string) string {
	return rec("completion.1", Object{"model": "digits", "version": version, "reason_code": "completed", "summary": Object{"rounds": 1}})
}

func TestTrainingIsCompleteWithTheLiveVersion(t *testing.T) {
	w := newWorld(t, nil)
	first, _ := w.step(9000)
	w.refuses(NotFound, "there is no version", agg(), "CompleteTraining", completion(digest("unknown")))
	w.refuses(Refused, "the final version is the live one", agg(), "CompleteTraining", completion(w.genesis))
	w.openRound()
	w.refuses(Refused, "round 2 is open", agg(), "CompleteTraining", completion(first))
	w.must(agg(), "CloseRound", w.closing("failed", nil))
	request := w.request(w.genesis, nil)
	w.refuses(Refused, "people are deciding", agg(), "CompleteTraining", completion(first))
	w.must(olga(), "RejectRollback", rejection(request))
	w.must(agg(), "CompleteTraining", completion(first))
	w.refuses(Refused, "the training of digits is complete", agg(), "OpenRound", w.roundRecord(nil))
	again := rec("completion.1", Object{"model": "digits", "version": first, "reason_code": "other", "summary": Object{}})
	w.refuses(Conflict, "complete already", agg(), "CompleteTraining", again)
	w.rollBack(w.genesis) // what was found out later still counts
}
