package contract

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
)

func TestACallerIsWhatItsCertificateSays(t *testing.T) {
	got, err := Caller(person("OrgA", "olga", operator))
	if want := (Identity{"OrgA", "olga", "ca.OrgA", operator}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = Caller(guest()); err != nil || got.Role != "" {
		t.Errorf("a certificate without attributes: %+v, %v", got, err)
	}
}

func TestWhatIsNoIdentityCallsNothing(t *testing.T) {
	w := newWorld(t, nil)
	garbled := bytes.Clone(anna())
	garbled[0] = 0xff
	for why, creator := range map[string][]byte{
		"nothing":                      nil,
		"no protobuf":                  garbled,
		"no PEM":                       identity("OrgA", []byte("certificate")),
		"a broken certificate":         identity("OrgA", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
		"no MSP":                       identity("", certificate("OrgA", "olga", operator)),
		"no common name":               person("OrgA", "", operator),
		"attributes that are no JSON":  person("OrgA", "mallory", `op"erator`),
		"cut off in the middle":        anna()[:40],
		"a number instead of a string": {0x08, 0x01},
	} {
		_, err := w.invoke(creator, "OpenRound", w.roundRecord(nil))
		if err == nil || !strings.HasPrefix(err.Error(), Forbidden+": ") {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// permitted are the roles that may call each function under a grant; RegisterModel and AnchorRoot ask the certificate
// alone, AnchorUpdates and AckRollback nothing at all. Written down here once more on purpose.
var permitted = map[string][]string{
	"RegisterParticipant": {admin}, "SetParticipantStatus": {admin, operator, aggregator}, "RotateParticipantKey": {admin},
	"RegisterDataset": {admin}, "ProposePolicy": {operator}, "ApprovePolicy": {approver}, "OpenRound": {aggregator},
	"CloseRound": {aggregator}, "RegisterModelUpdate": {aggregator}, "RecordValidation": {validator}, "Promote": {aggregator},
	"RequestRollback": {operator}, "ApproveRollback": {approver}, "RejectRollback": {operator, approver},
	"RollbackModel": {operator, aggregator}, "ReviewBreakGlass": {approver}, "Freeze": {operator, aggregator}, "Resume": {operator},
	"Quarantine": {operator}, "SetHold": {operator}, "RecordErasure": {aggregator}, "CompleteTraining": {aggregator},
}

func TestOnlyTheGrantedRoleOfTheGrantedOrganisationMayCall(t *testing.T) {
	w := newWorld(t, nil)
	samples := goldenSamples(t)
	start := w.state
	attempt := func(msp, role, function string, arguments []string) error {
		w.state = maps.Clone(start)
		_, err := w.invoke(person(msp, "x", role), function, arguments...)
		return err
	}
	for _, f := range functions {
		allowed, granted := permitted[f.Name]
		if !f.writes() || !granted {
			continue
		}
		arguments := []string{samples[f.arguments[0]]}
		for range f.arguments[1:] {
			arguments = append(arguments, strings.Repeat("0", 128))
		}
		for _, role := range []string{"", "member", admin, aggregator, approver, auditor, operator, validator} {
			may := strings.Contains(" "+strings.Join(allowed, " ")+" ", " "+role+" ") && role != ""
			err := attempt("OrgA", role, f.Name, arguments)
			if refusedForRole := err != nil && strings.Contains(err.Error(), "this needs the role"); refusedForRole == may {
				t.Errorf("%s as %q: %v", f.Name, role, err)
			}
			err = attempt("OrgZ", role, f.Name, arguments)
			if err == nil || !strings.HasPrefix(err.Error(), Forbidden) {
				t.Errorf("%s as %q of an organisation without grants: %v", f.Name, role, err)
			}
		}
	}
}

// goldenSamples are the golden records, of the model digits.
func goldenSamples(t testing.TB) map[string]string {
	var all struct{ Records []goldenRecord }
	golden(t, "records.json", &all)
	samples := map[string]string{}
	for _, g := range all.Records {
		r, err := Read(g.Schema, []byte(g.Bytes))
		if err != nil {
			t.Fatal(err)
		}
		samples[g.Schema] = string(Encode(r.with("model", "digits")))
	}
	return samples
}

func TestEveryFunctionWantsItsArguments(t *testing.T) {
	w := newWorld(t, nil)
	for _, f := range Functions() {
		w.refuses(BadRecord, "takes", agg(), f.Name, append(f.Arguments, "one more")...)
		if f.Writes {
			w.refuses(BadRecord, "starts with {", agg(), f.Name, f.Arguments...)
		}
	}
	w.refuses(NotFound, `there is no function "GrantMeEverything"`, agg(), "GrantMeEverything")
	w.refuses(BadRecord, "the argument signature is not", anna(), "RegisterParticipant", participantRecord("site-d", signer("d")), "AB")
	w.refuses(BadRecord, "over the limit", agg(), "Promote", strings.Repeat("x", narrow+1))
}

func TestATimeBeforeTimeIsNone(t *testing.T) {
	w := newWorld(t, nil)
	round := w.roundRecord(nil)
	for _, year := range []int{1969, 300_000} {
		w.now = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		w.refuses(BadRecord, "the transaction's time is out of range", agg(), "OpenRound", round)
	}
}

func TestALedgerThatCannotBeReadRefusesNothingAndWritesNothing(t *testing.T) {
	w := newWorld(t, nil)
	round := w.roundRecord(nil)
	w.broken = "epoch/digits"
	_, err := w.invoke(agg(), "OpenRound", round)
	if err == nil || err.Error() != "read epoch/digits: the disk is gone" {
		t.Errorf("%v", err)
	}
	w.broken = ""
	w.must(agg(), "OpenRound", round)
}

// FuzzInvoke looks for arguments that make the contract panic instead of refuse.
func FuzzInvoke(f *testing.F) {
	samples := goldenSamples(f)
	for i, function := range functions {
		if function.writes() {
			f.Add(uint8(i), samples[function.arguments[0]], strings.Repeat("0", 128))
		} else {
			f.Add(uint8(i), "digits", "1")
		}
	}
	w := newWorld(f, nil)
	w.step(9000)
	start := w.state
	f.Fuzz(func(t *testing.T, which uint8, first, second string) {
		function := functions[int(which)%len(functions)]
		arguments := append([]string{first, second}, "")[:len(function.arguments)]
		for _, role := range []string{admin, aggregator, approver, operator, validator} {
			fresh := *w.memory
			fresh.t, fresh.state = t, maps.Clone(start)
			_, err := fresh.invoke(person("OrgA", "x", role), function.Name, arguments...)
			if refusal := (*Error)(nil); err != nil && !errors.As(err, &refusal) {
				t.Errorf("%s: %v", function.Name, err)
			}
		}
	})
}
