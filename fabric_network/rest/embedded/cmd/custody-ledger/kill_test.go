package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"
)

func points(few, many int) int {
	if os.Getenv("CUSTODY_FULL") != "" {
		return many
	}
	return few
}

// writer anchors roots of its own log, one after the other. What it was not told, it asks again with the same key.
type writer struct {
	log    string
	next   int
	told   []answer
	failed error
}

func (w *writer) write(p *process, token string) {
	for {
		a := p.anchor(token, w.log, w.next, fmt.Sprintf("%s-%d", w.log, w.next))
		switch a.status {
		case http.StatusOK:
			w.told, w.next = append(w.told, a), w.next+1
		case 0, http.StatusServiceUnavailable:
			return
		default:
			w.failed = fmt.Errorf("%s number %d: %d %s", w.log, w.next, a.status, a.body)
			return
		}
	}
}

func TestKillingItLosesNothingThatWasAcknowledgedAndDoublesNothing(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	token := p.token("aggregator")
	writers := make([]*writer, 8)
	for i := range writers {
		writers[i] = &writer{log: fmt.Sprint("log", i), next: 1}
	}
	for round := range points(40, 500) {
		var group sync.WaitGroup
		for _, w := range writers {
			group.Go(func() { w.write(p, token) })
		}
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		p.kill()
		group.Wait()
		p = start(t, dir)
		for _, w := range writers {
			if w.failed != nil {
				t.Fatalf("round %d: %v", round, w.failed)
			}
			w.remembered(t, p, token)
		}
	}
	p.check()
	total := 0
	for _, w := range writers {
		total += len(w.told)
	}
	t.Logf("%d acknowledged transactions survived %d kills", total, points(40, 500))
	if total < 200 {
		t.Errorf("only %d were acknowledged: the test tests little", total)
	}
}

// remembered asks about the newest few that were acknowledged; the check at the end sees all.
func (w *writer) remembered(t *testing.T, p *process, token string) {
	t.Helper()
	for _, told := range w.told[max(0, len(w.told)-5):] {
		found := p.do("GET", "/api/v1/transactions/"+told.txid, token, "", nil)
		if found.status != http.StatusOK || found.block != told.block {
			t.Fatalf("acknowledged in block %d: %d %s", told.block, found.status, found.body)
		}
	}
}

func TestTerminatingItAnswersWhatIsUnderWay(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	token := p.token("aggregator")
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			w := &writer{log: fmt.Sprint("log", i), next: 1}
			w.write(p, token)
			if w.failed != nil {
				t.Error(w.failed)
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	if err := p.stop(); err != nil {
		t.Errorf("it ended with %v\n%s", err, p.said.String())
	}
	group.Wait()
	p.check()
}

func TestASecondProcessOnTheSameFolderRefuses(t *testing.T) {
	p := start(t, t.TempDir())
	second := startCommand(p.dir)
	out, err := second.CombinedOutput()
	if err == nil {
		t.Error("it serves")
	}
	t.Logf("%s", out)
}
