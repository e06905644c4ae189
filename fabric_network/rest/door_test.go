package rest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"custody/fabric_network/rest"
	"custody/fabric_network/rest/doortest"
)

const anchor = "/api/v1/log/anchor"

func status(t *testing.T, what string, a doortest.Answer, status int, code string) {
	t.Helper()
	if a.Status != status || a.Code() != code {
		t.Errorf("%s: %d %s, not %d %s", what, a.Status, a.Body, status, code)
	}
}

func TestAWriteIsSignedAsOftenAsTheLedgerWants(t *testing.T) {
	d := serveSlate(t, newSlate(), nil)
	a := d.Write(anchor, "", "x")
	status(t, "a write", a, 200, "")
	if !strings.HasSuffix(string(a.Body), `"block":1,"code":"VALID","result":{"id":"<&>"}}`+"\n") {
		t.Errorf("the result is not passed through as it is: %s", a.Body)
	}
}

func TestABusyDoorSaysSoAndWhenToComeBack(t *testing.T) {
	s := newSlate()
	entered, leave := make(chan struct{}), make(chan struct{})
	s.meets(func(context.Context, string) error { entered <- struct{}{}; <-leave; return nil })
	d := serveSlate(t, s, func(s *rest.Settings) { s.InFlight = 2 })
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() { status(t, "one of two", d.Write(anchor, "", "x"), 200, "") })
	}
	<-entered
	<-entered
	a := d.Write(anchor, "", "x")
	status(t, "the third", a, 429, "BUSY")
	if a.Header.Get("Retry-After") != "1" {
		t.Error("it does not say when to come back")
	}
	status(t, "health while busy", d.Do(doortest.Request{Method: "GET", Path: "/health"}), 200, "")
	close(leave)
	group.Wait()
	status(t, "afterwards", d.Get("/api/v1/chain"), 200, "")
}

func TestStrangersWhoDawdleKeepNoServiceWaiting(t *testing.T) {
	d := serveSlate(t, newSlate(), func(s *rest.Settings) { s.InFlight = 2 })
	for range 2 {
		slow, err := net.Dial("tcp", d.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Close()
		if _, err := slow.Write([]byte("POST /api/v1/signing HTTP/1.1\r\nHost: door\r\nContent-Length: 100\r\n\r\n{")); err != nil {
			t.Fatal(err)
		}
	}
	stranger := doortest.Request{Method: "POST", Path: "/api/v1/signing", Body: []byte("{}")}
	for d.Do(stranger).Status != http.StatusTooManyRequests {
		time.Sleep(time.Millisecond) // until both have been let in
	}
	status(t, "a service", d.Write(anchor, "", "x"), 200, "")
}

func TestAnUnknownOutcomeIsAnAnswerOfItsOwn(t *testing.T) {
	s := newSlate()
	s.meets(func(_ context.Context, txid string) error { return &rest.Error{Code: rest.Unknown, TxID: txid} })
	a := serveSlate(t, s, nil).Write(anchor, "", "x")
	status(t, "a write", a, 202, "UNKNOWN")
	if !strings.Contains(string(a.Body), `"txid":"`+s.tried[0]) {
		t.Errorf("it does not say which: %s", a.Body)
	}
}

func TestAFaultIsToldToTheLogAndNotToTheCaller(t *testing.T) {
	var log bytes.Buffer
	d := serveSlate(t, newSlate(), func(s *rest.Settings) { s.Logger = slog.New(slog.NewJSONHandler(&log, nil)) })
	a := d.Get("/api/v1/transactions/" + strings.Repeat("ab", 32))
	status(t, "a fault", a, 500, "INTERNAL")
	if strings.Contains(string(a.Body), "/secret") || !strings.Contains(log.String(), "/secret") {
		t.Errorf("told %s, logged %s", a.Body, log.String())
	}
}

func TestReadinessIsTheBackends(t *testing.T) {
	d := serveSlate(t, newSlate(), nil)
	status(t, "ready", d.Do(doortest.Request{Method: "GET", Path: "/ready"}), 503, "UNAVAILABLE")
	status(t, "receipts", d.Get("/api/v1/transactions/"+strings.Repeat("ab", 32)+"/receipts"), 404, "NOT_FOUND")
	status(t, "enrolment", d.Do(doortest.Request{Method: "POST", Path: "/api/v1/enroll", Body: []byte(`{}`)}), 404, "NOT_FOUND")
}

func TestTheLogNamesTransactionsAndNoSecret(t *testing.T) {
	var log bytes.Buffer
	s := newSlate()
	d := serveSlate(t, s, func(s *rest.Settings) { s.Logger = slog.New(slog.NewJSONHandler(&log, nil)) })
	d.Write(anchor, "the key", "the argument")
	if !strings.Contains(log.String(), s.blocks[0]) {
		t.Errorf("no txid: %s", log.String())
	}
	for _, secret := range []string{writerToken, "the key", "the argument"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, log.String())
		}
	}
}

func TestAWriteThatLostARaceIsTriedAnew(t *testing.T) {
	s := newSlate()
	left := 3
	s.meets(func(context.Context, string) error {
		if left--; left >= 0 {
			return &rest.Error{Code: rest.Expired, Text: "another came first"}
		}
		return nil
	})
	d := serveSlate(t, s, nil)
	status(t, "the fourth attempt", d.Write(anchor, "", "x"), 200, "")
	if committed, tried := s.count(); committed != 1 || tried != 4 {
		t.Errorf("%d committed of %d tried", committed, tried)
	}
	left = 100
	status(t, "without end", d.Write(anchor, "", "x"), 422, "EXPIRED")
}

func TestAKeptEnvelopeIsSubmittedAgainAfterACrash(t *testing.T) {
	s := newSlate()
	path := filepath.Join(t.TempDir(), "kept.db")
	open := func() (*rest.Kept, *doortest.Door) {
		kept, err := rest.OpenKept(path, time.Now, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return kept, serveSlate(t, s, func(s *rest.Settings) { s.Kept = kept })
	}
	kept, d := open()
	s.meets(func(context.Context, string) error { return errors.New("the machine stops here") })
	status(t, "before the crash", d.Write(anchor, "key", "x"), 500, "INTERNAL")
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	s.meets(nil)
	kept, d = open()
	status(t, "another body", d.Write(anchor, "key", "y"), 422, "REFUSED")
	a := d.Write(anchor, "key", "x")
	status(t, "after the crash", a, 200, "")
	if len(s.tried) != 2 || s.tried[0] != s.tried[1] {
		t.Errorf("not the same envelope: %v", s.tried)
	}
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	kept, d = open()
	defer kept.Close()
	if again := d.Write(anchor, "key", "x"); string(again.Body) != string(a.Body) || len(s.tried) != 2 {
		t.Errorf("another restart later: %s, tried %d times", again.Body, len(s.tried))
	}
}

func TestAKeptEnvelopeThatCanNoLongerBeCommittedIsReplaced(t *testing.T) {
	s := newSlate()
	d := serveSlate(t, s, nil)
	s.meets(func(context.Context, string) error { return errors.New("the machine stops here") })
	d.Write(anchor, "key", "x")
	s.meets(func(_ context.Context, txid string) error {
		if txid == s.tried[0] {
			return &rest.Error{Code: rest.Expired, Text: "too old"}
		}
		return nil
	})
	status(t, "a day later", d.Write(anchor, "key", "x"), 200, "")
	if committed, tried := s.count(); committed != 1 || tried != 3 {
		t.Errorf("%d committed of %d tried", committed, tried)
	}
}

func TestKeysAreForgottenAfterADay(t *testing.T) {
	now := time.Now()
	path := filepath.Join(t.TempDir(), "kept.db")
	s := newSlate()
	for _, want := range []int{1, 1, 2} {
		kept, err := rest.OpenKept(path, func() time.Time { return now }, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		status(t, "a write", serveSlate(t, s, func(s *rest.Settings) { s.Kept = kept }).Write(anchor, "key", "x"), 200, "")
		if committed, _ := s.count(); committed != want {
			t.Errorf("%d committed, not %d", committed, want)
		}
		if err := kept.Close(); err != nil {
			t.Fatal(err)
		}
		now = now.Add(13 * time.Hour)
	}
}

func TestASigningSessionEnds(t *testing.T) {
	now := time.Now()
	d := serveSlate(t, newSlate(), func(s *rest.Settings) { s.Clock = func() time.Time { return now } })
	p := doortest.Person{Key: doortest.NewKey(t)}
	status(t, "two signatures", d.Sign(p, "Freeze", "x"), 200, "")
	var session doortest.Session
	d.Open(p, "Freeze", "x").Into(t, &session)
	now = now.Add(6 * time.Minute)
	status(t, "six minutes later", d.HandIn(session.ID, nil), 404, "NOT_FOUND")
}

func TestSigningSessionsCannotFillTheMemory(t *testing.T) {
	now := time.Now()
	d := serveSlate(t, newSlate(), func(s *rest.Settings) { s.Clock = func() time.Time { return now } })
	p := doortest.Person{Key: doortest.NewKey(t)}
	large, opened := strings.Repeat("x", 900<<10), 0
	for a := (doortest.Answer{Status: 200}); a.Status == 200 && opened < 100; opened++ {
		a = d.Open(p, "Freeze", large)
		if a.Status != 200 {
			status(t, "one too many", a, 429, "BUSY")
		}
	}
	if opened == 100 {
		t.Error("a hundred sessions of a megabyte were opened")
	}
	now = now.Add(6 * time.Minute)
	status(t, "after they ended", d.Open(p, "Freeze", large), 200, "")
}

func TestMetricsAreInTheFormatOfPrometheus(t *testing.T) {
	d := serveSlate(t, newSlate(), nil)
	d.Write(anchor, "", "x")
	d.Get("/api/v1/blocks/1")
	d.Get("/api/v1/nothing")
	text := string(d.Get("/metrics").Body)
	for _, line := range []string{
		"custody_ledger_height 1\n",
		`custody_ledger_step_seconds_count{step="submit",function="AnchorRoot"} 1` + "\n",
		`custody_door_request_seconds_count{route="POST /api/v1/log/anchor",status="200"} 1` + "\n",
		`custody_door_request_seconds_count{route="GET /api/v1/blocks/{n}",status="200"} 1` + "\n",
		`custody_door_request_seconds_count{route="none",status="404"} 1` + "\n",
		`le="+Inf"} 1` + "\n",
		"# TYPE custody_ledger_step_seconds histogram\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("there is no %q in\n%s", line, text)
		}
	}
}

func TestShuttingDownAnswersWhatIsUnderWayAndEndsStreams(t *testing.T) {
	s := newSlate()
	entered, leave := make(chan struct{}), make(chan struct{})
	s.meets(func(context.Context, string) error { close(entered); <-leave; return nil })
	kept, err := rest.OpenKept(filepath.Join(t.TempDir(), "kept.db"), time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	door := rest.New(rest.Settings{Backend: s, Identities: identities(t), Kept: kept, Metrics: rest.NewMetrics(), Logger: slog.New(slog.DiscardHandler), Clock: time.Now})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- rest.Serve(stop, listener, door, slog.New(slog.DiscardHandler)) }()
	url := "http://" + listener.Addr().String()
	stream := send(t, "GET", url+"/api/v1/events", readerToken, "")
	lines := bufio.NewScanner(stream.Body)
	if lines.Scan(); !strings.Contains(lines.Text(), "Noted.v1") {
		t.Fatalf("the stream: %q", lines.Text())
	}
	answered := make(chan int)
	go func() { answered <- send(t, "POST", url+anchor, writerToken, `{"arguments":["x"]}`).StatusCode }()
	<-entered
	cancel()
	for lines.Scan() {
	}
	close(leave)
	if status := <-answered; status != 200 {
		t.Errorf("what was under way: %d", status)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func send(t *testing.T, method, url, token, body string) *http.Response {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}
