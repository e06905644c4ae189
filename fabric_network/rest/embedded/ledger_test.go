package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"custody/fabric_network/rest"
	"custody/fabric_network/rest/authority"
)

func TestALedgerKeepsWhatItWasTold(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, settings(dir))
	first := mustSubmit(t, l, "Put", "a", "1")
	second := mustSubmit(t, l, "Put", "a", "2")
	if first.Block != 1 || second.Block != 2 || string(second.Result) != `"2"` {
		t.Errorf("outcomes: %+v, %+v", first, second)
	}
	closeLedger(t, l)
	l = mustOpen(t, settings(dir))
	defer closeLedger(t, l)
	if got := get(l, "a"); got != "2" {
		t.Errorf("after a restart: %q", got)
	}
	status, err := l.Transaction(context.Background(), first.TxID)
	if err != nil || status != (rest.Status{TxID: first.TxID, Block: 1, Code: "VALID", Function: "Put"}) {
		t.Errorf("status: %+v, %v", status, err)
	}
}

func TestARefusalLeavesNoTrace(t *testing.T) {
	l := mustOpen(t, settings(t.TempDir()))
	defer closeLedger(t, l)
	mustSubmit(t, l, "Create", "a", "1")
	for _, call := range [][]string{{"Create", "a", "2"}, {"Nonsense", "a"}, {"Panic", "a"}} {
		if _, err := submit(l, call[0], call[1:]...); err == nil {
			t.Errorf("%q succeeded", call)
		}
	}
	if chain, _ := l.Chain(context.Background()); chain.Height != 1 || get(l, "a") != "1" {
		t.Errorf("height %d, a = %q", chain.Height, get(l, "a"))
	}
}

func TestTransactionsSeeEveryOneBeforeThem(t *testing.T) {
	l := mustOpen(t, settings(t.TempDir()))
	defer closeLedger(t, l)
	const counters, each = 16, 50
	var group sync.WaitGroup
	for range counters {
		group.Go(func() {
			for range each {
				if _, err := submit(l, "Count", "n"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := get(l, "n"); got != fmt.Sprint(counters*each) {
		t.Errorf("counted to %s", got)
	}
	if chain, _ := l.Chain(context.Background()); chain.Height >= counters*each {
		t.Errorf("%d transactions made %d blocks: nothing was grouped", counters*each, chain.Height)
	}
}

func TestOnlyOneCreates(t *testing.T) {
	l := mustOpen(t, settings(t.TempDir()))
	defer closeLedger(t, l)
	var won sync.Map
	var group sync.WaitGroup
	for n := range 32 {
		group.Go(func() {
			_, err := submit(l, "Create", "seat", fmt.Sprint(n))
			if err == nil {
				won.Store(n, true)
			} else if codeOf(err) != rest.Conflict {
				t.Error(err)
			}
		})
	}
	group.Wait()
	winners := 0
	won.Range(func(n, _ any) bool {
		winners++
		if fmt.Sprint(n) != get(l, "seat") {
			t.Errorf("%v won and %s sits", n, get(l, "seat"))
		}
		return true
	})
	if winners != 1 {
		t.Errorf("%d winners", winners)
	}
}

func TestTheSameEnvelopeFindsTheFirstOutcome(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, settings(dir))
	e, err := envelope(l, "Count", "n")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if o, err := l.Submit(context.Background(), e); err != nil || o.Block != 1 || string(o.Result) != `"1"` {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
	group.Wait()
	closeLedger(t, l)
	late := settings(dir)
	late.Clock = func() time.Time { return time.Now().Add(time.Hour) }
	l = mustOpen(t, late)
	defer closeLedger(t, l)
	if o, err := l.Submit(context.Background(), e); err != nil || o.Block != 1 {
		t.Errorf("an hour later: %+v, %v", o, err)
	}
}

func TestWhoMaySubmit(t *testing.T) {
	l := mustOpen(t, settings(t.TempDir()))
	defer closeLedger(t, l)
	other := mustOpen(t, settings(t.TempDir()))
	defer closeLedger(t, other)
	good, err := envelope(l, "Put", "a", "1")
	if err != nil {
		t.Fatal(err)
	}
	parts, _ := whole(good.Bytes).split(2)
	p, _ := decodeProposal(parts[0].bytes())
	resign := func(change func(p *proposal)) []byte {
		changed := p
		change(&changed)
		return fields(changed.encode(), signAs(aggregator(l).Key, changed.encode()))
	}
	foreign := authority.PEM(aggregator(other).Certificate)
	for name, c := range map[string]struct {
		envelope []byte
		code     rest.Code
	}{
		"garbage":               {[]byte("garbage"), rest.BadRecord},
		"no proposal":           {fields([]byte("garbage"), nil), rest.BadRecord},
		"another's signature":   {fields(parts[0].bytes(), signAs(aggregator(other).Key, parts[0].bytes())), rest.Unauthenticated},
		"a changed argument":    {fields(bytesOf(p, func(p *proposal) { p.arguments = []string{"a", "2"} }), parts[1].bytes()), rest.Unauthenticated},
		"another ledger":        {resign(func(p *proposal) { p.genesis = other.genesis.hash }), rest.Refused},
		"another's certificate": {resign(func(p *proposal) { p.creator = encodeCreator("Org1MSP", foreign) }), rest.Forbidden},
		"another organisation":  {resign(func(p *proposal) { p.creator = encodeCreator("Org2MSP", authority.PEM(aggregator(l).Certificate)) }), rest.Forbidden},
		"no organisation":       {resign(func(p *proposal) { p.creator = encodeCreator("Org9MSP", foreign) }), rest.Forbidden},
		"a CA":                  {resign(func(p *proposal) { p.creator = encodeCreator("Org1MSP", authority.PEM(l.genesis.organisations[0].ca)) }), rest.Forbidden},
		"sixteen minutes ago":   {resign(func(p *proposal) { p.claimedAt -= uint64(16 * time.Minute / time.Millisecond) }), rest.Expired},
		"in sixteen minutes":    {resign(func(p *proposal) { p.claimedAt += uint64(16 * time.Minute / time.Millisecond) }), rest.Expired},
		"the end of time":       {resign(func(p *proposal) { p.claimedAt = 1<<64 - 1 }), rest.Expired},
		"a high S":              {fields(parts[0].bytes(), highS(parts[1].bytes())), rest.Unauthenticated},
	} {
		_, err := l.Submit(context.Background(), rest.Envelope{Bytes: c.envelope})
		var said *rest.Error
		if !errors.As(err, &said) || said.Code != c.code {
			t.Errorf("%s: %v, not %s", name, err, c.code)
		}
	}
	if _, err := l.Submit(context.Background(), good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func bytesOf(p proposal, change func(*proposal)) []byte {
	change(&p)
	return p.encode()
}

func TestACertificateEnds(t *testing.T) {
	now := time.Now()
	s := settings(t.TempDir())
	s.Clock = func() time.Time { return now }
	l := mustOpen(t, s)
	defer closeLedger(t, l)
	now = now.Add(366 * 24 * time.Hour)
	var said *rest.Error
	if _, err := submit(l, "Put", "a", "1"); !errors.As(err, &said) || said.Code != rest.Forbidden {
		t.Errorf("a year later: %v", err)
	}
}

func TestEventsResumeAnywhere(t *testing.T) {
	l := mustOpen(t, settings(t.TempDir()))
	defer closeLedger(t, l)
	for n := range 5 {
		mustSubmit(t, l, "Put", "a", fmt.Sprint(n))
	}
	mustSubmit(t, l, "Put", "b", `"<`)
	lines := func(from rest.Position) []string {
		var out strings.Builder
		if err := l.Events(context.Background(), from, false, func(lines []byte) error { out.Write(lines); return nil }); err != nil {
			t.Error(err)
		}
		return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	}
	all := lines(rest.Position{})
	if len(all) != 6 || !strings.HasPrefix(all[0], `{"block":1,"tx":0,"txid":"`) || !strings.HasSuffix(all[0], `","name":"Noted.v1","payload":{"a":"0"}}`) {
		t.Errorf("all: %s", all)
	}
	for at, want := range map[rest.Position]int{{Block: 1}: 6, {Block: 4, Tx: 0}: 3, {Block: 4, Tx: 1}: 2} {
		if got := lines(at); len(got) != want || got[0] != all[6-want] {
			t.Errorf("from %v: %d lines", at, len(got))
		}
	}
}

func TestEventsFollow(t *testing.T) {
	l := mustOpen(t, settings(t.TempDir()))
	ctx, cancel := context.WithCancel(context.Background())
	came, ended := make(chan string), make(chan error)
	go func() {
		ended <- l.Events(ctx, rest.Position{Block: 1}, true, func(lines []byte) error { came <- string(lines); return nil })
	}()
	for n := range 3 {
		mustSubmit(t, l, "Put", "a", fmt.Sprint(n))
		if lines := <-came; !strings.Contains(lines, fmt.Sprintf(`{"a":"%d"}`, n)) {
			t.Errorf("event %d: %s", n, lines)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	closeLedger(t, l)
}

func TestTwoProcessesCannotServeOneLedger(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, settings(dir))
	if _, err := Open(settings(dir)); err == nil || !strings.Contains(err.Error(), "another process serves") {
		t.Errorf("the second: %v", err)
	}
	closeLedger(t, l)
	closeLedger(t, mustOpen(t, settings(dir)))
}

func TestAnInterruptedFoundingIsRepeated(t *testing.T) {
	for name, left := range map[string]func(dir string) error{
		"only keys": func(dir string) error { return os.Remove(filepath.Join(dir, logName)) },
		"a log without a name": func(dir string) error {
			return os.Rename(filepath.Join(dir, logName), filepath.Join(dir, logName+".new"))
		},
		"some keys are missing": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, logName)), os.Remove(filepath.Join(dir, "identities", "validator.pem")))
		},
	} {
		dir := t.TempDir()
		closeLedger(t, mustOpen(t, settings(dir)))
		if err := left(dir); err != nil {
			t.Fatal(err)
		}
		if name != "a log without a name" {
			os.Remove(filepath.Join(dir, acknowledgedName))
		}
		l, err := Open(settings(dir))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		mustSubmit(t, l, "Put", "a", "1")
		closeLedger(t, l)
	}
}

func TestLostPartsAreNotMadeAnew(t *testing.T) {
	for name, lost := range map[string][]string{
		"the log":          {logName},
		"all keys":         {"identities"},
		"the ledger's key": {"identities/ledger.key"},
	} {
		dir := filled(t, 2)
		for _, path := range lost {
			if err := os.RemoveAll(filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(settings(dir)); err == nil {
			t.Errorf("without %s it opened", name)
		}
		if entries, _ := os.ReadDir(filepath.Join(dir, "identities")); name == "all keys" && len(entries) > 0 {
			t.Error("keys were made anew")
		}
	}
}

func TestSecretsThatOthersCanReadAreRefused(t *testing.T) {
	dir := filled(t, 1)
	if err := os.Chmod(filepath.Join(dir, "identities", "aggregator.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(settings(dir)); err == nil || !strings.Contains(err.Error(), "can be read by others") {
		t.Errorf("opened with %v", err)
	}
}

func TestTheKeyOfAnotherLedgerIsRefused(t *testing.T) {
	dir, other := filled(t, 1), filled(t, 1)
	if err := os.Rename(filepath.Join(other, "identities", "ledger.key"), filepath.Join(dir, "identities", "ledger.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(settings(dir)); err == nil || !strings.Contains(err.Error(), "not the key that block 0 names") {
		t.Errorf("opened with %v", err)
	}
}
