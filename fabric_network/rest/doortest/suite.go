package doortest

import (
	"bufio"
	"context"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Suite holds a backend to what a door promises. It needs the real contract.
func Suite(t *testing.T, open func(t *testing.T) Ledger) {
	d := Serve(t, open(t), nil)
	for _, c := range []struct {
		name string
		test func(*testing.T, *Door)
	}{
		{"people create a model and everyone reads it", peopleCreateAModel},
		{"a token signs for its service and for nobody else", tokens},
		{"no credential of a service does what people decide", servicesCannotDecide},
		{"errors say what the caller can do", errorsTell},
		{"an Idempotency-Key finds the first answer again", idempotency},
		{"signatures come in every form that tools write", signatureForms},
		{"a signing session serves once", sessionsServeOnce},
		{"a code enrols once", codesEnrolOnce},
		{"events resume anywhere and none is told twice", eventsResume},
		{"events follow the head", eventsFollow},
		{"many writers at once all get their own answer", manyWriters},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner := *d
			inner.t = t
			c.test(t, &inner)
		})
	}
}

func peopleCreateAModel(t *testing.T, d *Door) {
	m := newModel(t, d)
	created := m.signs(m.admin, "RegisterParticipant", m.join()...)
	if created.Code != "VALID" || !strings.Contains(string(created.Result), `"id"`) {
		t.Errorf("registered: %+v", created)
	}
	m.signs(m.operator, "Freeze", second(m.freeze("Freeze", 0)))
	m.signs(m.operator, "Resume", second(m.freeze("Resume", 1)))
	for path, contains := range map[string]string{
		"/api/v1/model/" + m.name:                                        `"schema":"model.1"`,
		"/api/v1/model/" + m.name + "/pointer":                           `"seq":2`,
		"/api/v1/model/" + m.name + "/pointer/1":                         `"kind":"freeze"`,
		"/api/v1/model/" + m.name + "/participants/site-a":               `"status":"active"`,
		"/api/v1/model/" + m.name + "/versions/0":                        m.genesis,
		"/api/v1/version/" + m.genesis:                                   `"kind":"genesis"`,
		"/api/v1/version/" + m.genesis + "/integrity?sha256=" + hash(""): `"weights":false`,
		"/api/v1/model/provenance/" + m.genesis + "?depth=5":             `"versions":[`,
		"/api/v1/state/policy/" + m.name + "/head":                       `"number":1`,
	} {
		var read struct {
			Block  uint64
			Result json.RawMessage
		}
		d.Get(path).Into(t, &read)
		if !strings.Contains(string(read.Result), contains) || read.Block < created.Block {
			t.Errorf("%s: at %d: %s", path, read.Block, read.Result)
		}
	}
	var status struct {
		TxID, Code, Function string
		Block                uint64
	}
	d.Get("/api/v1/transactions/"+created.TxID).Into(t, &status)
	if status.TxID != created.TxID || status.Block != created.Block || status.Function != "RegisterParticipant" || status.Code != "VALID" {
		t.Errorf("status: %+v", status)
	}
	if a := d.Get(fmt.Sprintf("/api/v1/blocks/%d", created.Block)); a.Status != http.StatusOK || !strings.Contains(string(a.Body), m.name) {
		t.Errorf("block %d: %d", created.Block, a.Status)
	}
}

func second(_, record string) string { return record }

func tokens(t *testing.T, d *Door) {
	record := body([]string{Root(fresh("log"), 1)})
	for name, c := range map[string]struct {
		token  string
		status int
	}{
		"nobody":       {"", http.StatusUnauthorized},
		"a guess":      {strings.Repeat("0", 64), http.StatusUnauthorized},
		"the reader":   {d.ledger.Tokens["reader"], http.StatusForbidden},
		"the gateway":  {d.ledger.Tokens["aggregator"], http.StatusOK},
		"half a token": {d.ledger.Tokens["aggregator"][:32], http.StatusUnauthorized},
	} {
		if a := d.Do(Request{Method: "POST", Path: "/api/v1/log/anchor", Token: c.token, Body: record}); a.Status != c.status {
			t.Errorf("%s writes: %d %s", name, a.Status, a.Body)
		}
	}
	for _, path := range []string{"/api/v1/chain", "/api/v1/blocks/0", "/api/v1/events", "/metrics"} {
		if a := d.Do(Request{Method: "GET", Path: path}); a.Status != http.StatusUnauthorized || a.Code() != "UNAUTHENTICATED" {
			t.Errorf("%s without a token: %d", path, a.Status)
		}
	}
	for _, path := range []string{"/health", "/ready"} {
		if a := d.Do(Request{Method: "GET", Path: path}); a.Status != http.StatusOK {
			t.Errorf("%s without a token: %d %s", path, a.Status, a.Body)
		}
	}
}

// servicesCannotDecide tries every credential that a service has on every step of a rollback that two people decide.
func servicesCannotDecide(t *testing.T, d *Door) {
	m := newModel(t, d)
	m.candidate()
	request := m.rollbackRequest()
	steps := []struct {
		who            Person
		function, path string
		record         string
	}{
		{m.operator, "RequestRollback", "/api/v1/rollback/request", request},
		{m.approver, "ApproveRollback", "/api/v1/rollback/approve", m.approval(request)},
		{m.operator, "RollbackModel", "/api/v1/model/rollback", m.rollback(request)},
	}
	for _, step := range steps {
		for name, token := range d.ledger.Tokens {
			a := d.Do(Request{Method: "POST", Path: step.path, Token: token, Body: body([]string{step.record})})
			if a.Status != http.StatusForbidden {
				t.Errorf("the token of %s on %s: %d %s", name, step.path, a.Status, a.Body)
			}
		}
		for _, identity := range d.ledger.Identities {
			if identity.Key == nil {
				continue
			}
			if a := d.Sign(Person{string(identity.Certificate), identity.Key}, step.function, step.record); a.Status != http.StatusForbidden {
				t.Errorf("%s signs %s: %d %s", identity.Name, step.function, a.Status, a.Body)
			}
		}
		if step.function == "ApproveRollback" {
			if a := d.Sign(m.operator, step.function, step.record); a.Status != http.StatusForbidden {
				t.Errorf("who asked approves: %d %s", a.Status, a.Body)
			}
		}
		m.signs(step.who, step.function, step.record)
	}
}

func errorsTell(t *testing.T, d *Door) {
	aggregator, taken := d.ledger.Tokens["aggregator"], fresh("log")
	if a := d.Write("/api/v1/log/anchor", "", Root(taken, 1)); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	anchor := func(body any) Request {
		return Request{Method: "POST", Path: "/api/v1/log/anchor", Token: aggregator, Body: body}
	}
	read := func(path string) Request {
		return Request{Method: "GET", Path: path, Token: d.ledger.Tokens["reader"]}
	}
	for name, c := range map[string]struct {
		request Request
		status  int
		code    string
	}{
		"no JSON":               {anchor([]byte("{")), 400, "BAD_RECORD"},
		"another field":         {anchor([]byte(`{"arguments":[],"more":1}`)), 400, "BAD_RECORD"},
		"two bodies":            {anchor([]byte(`{"arguments":[]}{}`)), 400, "BAD_RECORD"},
		"no argument":           {anchor(body(nil)), 400, "BAD_RECORD"},
		"a malformed record":    {anchor(body([]string{`{"schema": "root.1"}`})), 400, "BAD_RECORD"},
		"a body over 1 MiB":     {anchor([]byte(`{"arguments":["` + strings.Repeat("x", 1<<20) + `"]}`)), 413, "TOO_LARGE"},
		"a number that is gone": {anchor(body([]string{Root(taken, 3)})), 409, "CONFLICT"},
		"no such model":         {read("/api/v1/model/" + fresh("model")), 404, "NOT_FOUND"},
		"no such transaction":   {read("/api/v1/transactions/" + hash("none")), 404, "NOT_FOUND"},
		"no such block":         {read("/api/v1/blocks/999999999"), 404, "NOT_FOUND"},
		"no such route":         {read("/api/v1/nothing"), 404, "NOT_FOUND"},
		"no such session":       {Request{Method: "POST", Path: "/api/v1/signing/" + hash("none"), Body: object{"signature": ""}}, 404, "NOT_FOUND"},
		"a reader's method":     {Request{Method: "DELETE", Path: "/api/v1/chain", Token: aggregator}, 405, "NOT_ALLOWED"},
		"no position":           {read("/api/v1/events?from=x"), 400, "BAD_RECORD"},
		"another's position":    {read("/api/v1/events?from=999999999,0"), 422, "REFUSED"},
		"an unknown function":   {Request{Method: "POST", Path: "/api/v1/signing", Body: object{"function": "GetModel", "arguments": []string{}, "certificate": ""}}, 400, "BAD_RECORD"},
		"no certificate":        {Request{Method: "POST", Path: "/api/v1/signing", Body: object{"function": "Freeze", "arguments": []string{}, "certificate": ""}}, 403, "FORBIDDEN"},
	} {
		a := d.Do(c.request)
		var problem struct {
			Type, Title, Detail string
			Status              int
		}
		if err := json.Unmarshal(a.Body, &problem); err != nil {
			t.Errorf("%s: %v: %s", name, err, a.Body)
		}
		whole := problem.Status == c.status && problem.Title != "" && problem.Detail != "" &&
			problem.Type == "urn:custody:error:"+strings.ToLower(c.code) && a.Header.Get("Content-Type") == "application/problem+json"
		if a.Status != c.status || a.Code() != c.code || !whole {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

func idempotency(t *testing.T, d *Door) {
	log, key := fresh("log"), fresh("key")
	first := d.Write("/api/v1/log/anchor", key, Root(log, 1))
	if first.Status != http.StatusOK {
		t.Fatalf("%d %s", first.Status, first.Body)
	}
	if again := d.Write("/api/v1/log/anchor", key, Root(log, 1)); string(again.Body) != string(first.Body) {
		t.Errorf("again: %s, not %s", again.Body, first.Body)
	}
	if other := d.Write("/api/v1/log/anchor", key, Root(log, 2)); other.Status != 422 {
		t.Errorf("with another body: %d %s", other.Status, other.Body)
	}
	refused := d.Write("/api/v1/log/anchor", key+"-late", Root(log, 3))
	d.Write("/api/v1/log/anchor", "", Root(log, 2)).Into(t, new(Outcome))
	if again := d.Write("/api/v1/log/anchor", key+"-late", Root(log, 3)); refused.Status != 409 || string(again.Body) != string(refused.Body) {
		t.Errorf("a refusal again: %s, not %s", again.Body, refused.Body)
	}
	answers := make([]string, 8)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = string(d.Write("/api/v1/log/anchor", key+"-many", Root(log, 3)).Body) })
	}
	group.Wait()
	if unique := slices.Compact(answers); len(unique) != 1 || !strings.Contains(unique[0], `"VALID"`) {
		t.Errorf("eight at once: %q", unique)
	}
}

func signatureForms(t *testing.T, d *Door) {
	m := newModel(t, d)
	operator := m.operator
	seq := 0
	for name, form := range map[string]func(r, s *big.Int) []byte{
		"DER": func(r, s *big.Int) []byte { return der(r, s) },
		"raw": func(r, s *big.Int) []byte {
			return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		},
		"high S": func(r, s *big.Int) []byte {
			n := operator.Key.Params().N
			if s.Cmp(new(big.Int).Rsh(n, 1)) <= 0 {
				s.Sub(n, s)
			}
			return der(r, s)
		},
	} {
		function, record := m.freeze([]string{"Freeze", "Resume"}[seq%2], seq)
		answer := d.Open(operator, function, record)
		for answer.Status == http.StatusOK {
			var session Session
			if json.Unmarshal(answer.Body, &session); session.ID == "" {
				break
			}
			var rs struct{ R, S *big.Int }
			if _, err := asn1.Unmarshal(operator.sign(t, session.Payload), &rs); err != nil {
				t.Fatal(err)
			}
			answer = d.HandIn(session.ID, form(rs.R, rs.S))
		}
		if answer.Status != http.StatusOK {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
		seq++
	}
}

func der(r, s *big.Int) []byte {
	data, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		panic(err)
	}
	return data
}

func sessionsServeOnce(t *testing.T, d *Door) {
	record, version := modelRecords(fresh("model"), d.Chain.Genesis, d.ledger.MSP)
	admin := d.Enrol("admin", fresh("anna"))
	var session Session
	d.Open(admin, "RegisterModel", record, version).Into(t, &session)
	stranger := Person{admin.Certificate, NewKey(t)}
	if a := d.HandIn(session.ID, stranger.sign(t, session.Payload)); a.Status != http.StatusUnauthorized && a.Status != http.StatusForbidden {
		t.Errorf("a stranger's signature: %d %s", a.Status, a.Body)
	}
	for _, garbage := range [][]byte{nil, []byte("garbage"), make([]byte, 64)} {
		if a := d.HandIn(session.ID, garbage); a.Status != http.StatusUnauthorized {
			t.Errorf("%q as a signature: %d %s", garbage, a.Status, a.Body)
		}
	}
	answer, last := Answer{}, []byte(nil)
	for next := session; next.ID != ""; {
		last = admin.sign(t, next.Payload)
		answer = d.HandIn(next.ID, last)
		next = Session{}
		json.Unmarshal(answer.Body, &next)
	}
	answer.Into(t, new(Outcome))
	if again := d.HandIn(session.ID, last); string(again.Body) != string(answer.Body) {
		t.Errorf("the same signature again: %d %s", again.Status, again.Body)
	}
	if other := d.HandIn(session.ID, admin.sign(t, []byte("another"))); other.Status != http.StatusConflict {
		t.Errorf("another signature: %d %s", other.Status, other.Body)
	}
}

func codesEnrolOnce(t *testing.T, d *Door) {
	key := NewKey(t)
	enrol := func(code, request string) Answer {
		return d.Do(Request{Method: "POST", Path: "/api/v1/enroll", Body: object{"code": code, "csr": request}})
	}
	code := d.ledger.Code("operator", fresh("olga"))
	if a := enrol(code, "no request"); a.Status != http.StatusBadRequest {
		t.Errorf("without a request: %d %s", a.Status, a.Body)
	}
	if a := enrol(strings.ToUpper(code), CertificateRequest(t, key)); a.Status != http.StatusForbidden {
		t.Errorf("with another code: %d %s", a.Status, a.Body)
	}
	var statuses [4]int
	var group sync.WaitGroup
	for i := range statuses {
		group.Go(func() { statuses[i] = enrol(code, CertificateRequest(t, key)).Status })
	}
	group.Wait()
	slices.Sort(statuses[:])
	if statuses != [4]int{200, 403, 403, 403} {
		t.Errorf("four at once: %v", statuses)
	}
}

// line is one line of the stream of events.
type line struct {
	Block   uint64          `json:"block"`
	Tx      uint32          `json:"tx"`
	TxID    string          `json:"txid"`
	Name    string          `json:"name"`
	Payload json.RawMessage `json:"payload"`
}

func (d *Door) eventsFrom(t *testing.T, from string) []line {
	t.Helper()
	answer := d.Get("/api/v1/events?follow=false&from=" + from)
	if answer.Status != http.StatusOK || answer.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	var lines []line
	for text := range strings.Lines(string(answer.Body)) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		lines = append(lines, l)
	}
	return lines
}

func eventsResume(t *testing.T, d *Door) {
	log := fresh("log")
	var written []string
	for n := range 5 {
		var o Outcome
		d.Write("/api/v1/log/anchor", "", Root(log, n+1)).Into(t, &o)
		written = append(written, o.TxID)
	}
	all := d.eventsFrom(t, "0,0")
	var told []string
	for i, l := range all {
		if strings.Contains(string(l.Payload), "root/"+log+"/") {
			told = append(told, l.TxID)
		}
		if rest := d.eventsFrom(t, fmt.Sprintf("%d,%d", l.Block, l.Tx)); len(all)-i <= 5 && (len(rest) < len(all)-i || rest[0].TxID != l.TxID) {
			t.Errorf("from %d,%d: %d lines, not %d", l.Block, l.Tx, len(rest), len(all)-i)
		}
	}
	if !slices.Equal(told, written) {
		t.Errorf("told of %v, not %v", told, written)
	}
	last := all[len(all)-1]
	if rest := d.eventsFrom(t, fmt.Sprintf("%d,%d", last.Block, last.Tx+1)); len(rest) != 0 {
		t.Errorf("after the last: %v", rest)
	}
}

func eventsFollow(t *testing.T, d *Door) {
	var chain struct{ Height uint64 }
	d.Get("/api/v1/chain").Into(t, &chain)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/api/v1/events?from=%d,0", d.url, chain.Height+1), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.ledger.Tokens["reader"])
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	log, lines := fresh("log"), bufio.NewScanner(response.Body)
	for n := range 3 {
		var o Outcome
		d.Write("/api/v1/log/anchor", "", Root(log, n+1)).Into(t, &o)
		for lines.Scan() && lines.Text() == "" {
		}
		if !strings.Contains(lines.Text(), o.TxID) || !strings.Contains(lines.Text(), `"name":"RootAnchored.v1"`) {
			t.Fatalf("event %d: %q %v", n, lines.Text(), lines.Err())
		}
	}
}

func manyWriters(t *testing.T, d *Door) {
	prefix := fresh("log")
	var group sync.WaitGroup
	for w := range 16 {
		group.Go(func() {
			for n := range 4 {
				record := Root(fmt.Sprint(prefix, w), n+1)
				var o Outcome
				answer := d.Write("/api/v1/log/anchor", "", record)
				if err := json.Unmarshal(answer.Body, &o); err != nil || o.Code != "VALID" || !strings.Contains(string(o.Result), hash(record)) {
					t.Errorf("%d %s", answer.Status, answer.Body)
				}
			}
		})
	}
	group.Wait()
}
