package contract

import (
	"crypto/ed25519"
	"strings"
	"testing"
)

func TestAParticipantProvesThatItHoldsItsKey(t *testing.T) {
	w := newWorld(t, nil)
	key := signer("site-d")
	r := participantRecord("site-d", key)
	for why, signature := range map[string]string{
		"by another key":         sign(signer("other"), "participant.1", genesisHash, r),
		"for another ledger":     sign(key, "participant.1", digest("another block 0"), r),
		"under another schema":   sign(key, "participant-key.1", genesisHash, r),
		"over another's record":  sign(key, "participant.1", genesisHash, participantRecord("site-e", key)),
		"nothing but zeros, say": strings.Repeat("0", 128),
	} {
		_, err := w.invoke(anna(), "RegisterParticipant", r, signature)
		if err == nil || !strings.Contains(err.Error(), "the signature is not by the key") {
			t.Errorf("%s: %v", why, err)
		}
	}
	w.must(anna(), "RegisterParticipant", r, sign(key, "participant.1", genesisHash, r))
}

func TestANameAndAKeyBelongToOneParticipantForEver(t *testing.T) {
	w := newWorld(t, nil)
	again := participantRecord("site-a", signer("new"))
	w.refuses(Conflict, "there is a participant site-a already", anna(), "RegisterParticipant", again, sign(signer("new"), "participant.1", genesisHash, again))
	other := participantRecord("site-d", signer("site-a"))
	w.refuses(Conflict, "belongs to site-a for ever", anna(), "RegisterParticipant", other, sign(signer("site-a"), "participant.1", genesisHash, other))
}

func TestAnExcludedKeyNeverReturnsUnderAnotherName(t *testing.T) {
	w := newWorld(t, nil)
	w.must(olga(), "SetParticipantStatus", w.exclude("site-c", nil))
	other := participantRecord("site-d", signer("site-c"))
	w.refuses(Refused, "was excluded with site-c", anna(), "RegisterParticipant", other, sign(signer("site-c"), "participant.1", genesisHash, other))
	rotated := rotation("site-a", 1, signer("site-c"))
	w.refuses(Refused, "was excluded with site-c", anna(), "RotateParticipantKey", rotated, sign(signer("site-c"), "participant-key.1", genesisHash, rotated))
}

func TestKeysOfLowOrderAreNobodys(t *testing.T) {
	w := newWorld(t, nil)
	for _, y := range lowOrder {
		for _, public := range []string{y, y[:62] + negative(y[62:])} {
			r := rec("participant.1", Object{"model": "digits", "participant": "site-d", "organisation": "OrgA", "ed25519": public, "x25519": sealKey("d")})
			w.refuses(Refused, "of low order", anna(), "RegisterParticipant", r, "01"+strings.Repeat("0", 126))
		}
	}
	r := rec("participant.1", Object{
		"model": "digits", "participant": "site-d", "organisation": "OrgA", "ed25519": public(signer("d")), "x25519": strings.Repeat("0", 64),
	})
	w.refuses(Refused, "X25519", anna(), "RegisterParticipant", r, sign(signer("d"), "participant.1", genesisHash, r))
}

// negative sets the bit that stands for the sign of x.
func negative(last string) string { return string("89abcdef"[last[0]-'0']) + last[1:] }

func rotation(name string, number int, key ed25519.PrivateKey) string {
	return rec("participant-key.1", Object{
		"model": "digits", "participant": name, "number": number, "ed25519": public(key), "x25519": sealKey(name + " new"),
	})
}

func TestAKeyIsReplacedByOneThatTheParticipantHolds(t *testing.T) {
	w := newWorld(t, nil)
	fresh := signer("site-a, second")
	r := rotation("site-a", 1, fresh)
	w.refuses(Refused, "the signature is not by the key", anna(), "RotateParticipantKey", r, sign(signer("site-a"), "participant-key.1", genesisHash, r))
	late := rotation("site-a", 2, fresh)
	w.refuses(Conflict, "the next event of site-a is number 1, not 2", anna(), "RotateParticipantKey", late, sign(fresh, "participant-key.1", genesisHash, late))
	w.must(anna(), "RotateParticipantKey", r, sign(fresh, "participant-key.1", genesisHash, r))

	w.openRound()
	w.anchors(w.signed(w.manifest("site-a", nil)), "invalid signature")
	w.signers["site-a"] = fresh
	w.anchors(w.signed(w.manifest("site-a", nil)), "accepted")

	back := rotation("site-a", 2, signer("site-a"))
	w.refuses(Conflict, "belongs to site-a for ever", anna(), "RotateParticipantKey", back, sign(signer("site-a"), "participant-key.1", genesisHash, back))
	w.must(anna(), "SetParticipantStatus", w.exclude("site-a", nil))
	again := rotation("site-a", 3, signer("third"))
	w.refuses(Refused, "site-a is excluded: its keys stay", anna(), "RotateParticipantKey", again, sign(signer("third"), "participant-key.1", genesisHash, again))
	unknown := rotation("site-x", 1, signer("x"))
	w.refuses(NotFound, "no participant site-x", anna(), "RotateParticipantKey", unknown, sign(signer("x"), "participant-key.1", genesisHash, unknown))
}

func TestAStatusChangesOnlyAlongItsWays(t *testing.T) {
	ways := map[string]string{
		"active excluded": "", "active left": "", "left active": "", "left excluded": "", "excluded reinstated": "",
	}
	reach := map[string][]string{"active": nil, "left": {"left"}, "excluded": {"excluded"}}
	for from, steps := range reach {
		for _, to := range []string{"active", "excluded", "reinstated", "left"} {
			w := newWorld(t, nil)
			for _, step := range steps {
				w.must(olga(), "SetParticipantStatus", w.exclude("site-a", Object{"status": step}))
			}
			change := w.exclude("site-a", Object{"status": to})
			if _, allowed := ways[from+" "+to]; allowed {
				w.must(olga(), "SetParticipantStatus", change)
			} else {
				w.refuses(Refused, "a participant that is "+from+" cannot become "+to, olga(), "SetParticipantStatus", change)
			}
		}
	}
}

func TestAReinstatedParticipantIsActiveAgainWithItsKey(t *testing.T) {
	w := newWorld(t, nil)
	w.must(olga(), "SetParticipantStatus", w.exclude("site-a", nil))
	result := w.must(olga(), "SetParticipantStatus", w.exclude("site-a", Object{"status": "reinstated"}))
	if result.text("status") != "active" || w.at("key/digits/"+public(signer("site-a"))).flag("barred") {
		t.Errorf("%v", result)
	}
	w.sealRound()
	w.refuses(Conflict, "the next event of site-a is number 3, not 2", olga(), "SetParticipantStatus", w.exclude("site-a", Object{"number": 2}))
	w.refuses(NotFound, "no participant site-x", olga(), "SetParticipantStatus", w.exclude("site-a", Object{"participant": "site-x"}))
}

func TestTheAggregatorExcludesOnlyWhereTheLedgerDecidedToRollBack(t *testing.T) {
	w := newWorld(t, nil)
	good, _ := w.step(9000)
	w.openRound()
	w.anchors(w.signed(w.manifest("site-a", nil), w.manifest("site-b", nil), w.manifest("site-c", nil)), "accepted", "accepted", "accepted")
	w.must(agg(), "CloseRound", w.closing("sealed", nil))
	bad := w.register()
	w.judged(bad, 5000)
	w.join("site-d")
	for _, c := range []struct {
		sentence, code, name string
		change               Object
	}{
		{"must cite the version", Refused, "site-c", Object{"decision": ""}},
		{"must cite the hash of a diagnosis", Refused, "site-c", Object{"evidence": ""}},
		{"it was not decided to roll back version " + good, Refused, "site-c", Object{"decision": good}},
		{"there is no version", NotFound, "site-c", Object{"decision": digest("unknown")}},
		{"site-d had no part in version " + bad, Refused, "site-d", nil},
		{"the aggregator may exclude, not set left", Forbidden, "site-c", Object{"status": "left"}},
	} {
		w.refuses(c.code, c.sentence, agg(), "SetParticipantStatus", w.exclude(c.name, Object{"decision": bad}.and(c.change)))
	}
	w.must(agg(), "SetParticipantStatus", w.exclude("site-c", Object{"decision": bad}))
}

func TestTheAggregatorExcludesNobodyWhenThePolicyLeavesItToPeople(t *testing.T) {
	w := newWorld(t, Object{"enable_client_exclusion": false})
	w.step(9000)
	bad, _ := w.step(5000)
	w.refuses(Forbidden, "the policy leaves exclusion to people", agg(), "SetParticipantStatus", w.exclude("site-c", Object{"decision": bad}))
	w.must(otto(), "SetParticipantStatus", w.exclude("site-c", Object{"decision": bad}))
}
