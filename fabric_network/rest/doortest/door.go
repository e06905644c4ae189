// Package doortest holds what every door must do, whatever ledger stands behind it. A backend's tests call Suite.
package doortest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"custody/fabric_network/rest"
)

// Ledger is a backend with what a door in front of it needs. Other tests may have written to it before.
type Ledger struct {
	Backend    rest.Backend
	Identities []rest.Identity
	Tokens     map[string]string // by the identity's name: "aggregator" signs, "reader" reads
	Enroller   rest.Enroller
	MSP        string                         // of those who enrol, and of the aggregator
	Code       func(role, name string) string // makes an enrolment code
}

// Door is a served door with a client.
type Door struct {
	t      testing.TB
	ledger Ledger
	url    string
	Chain  rest.Chain
}

// Serve puts a door in front of a ledger; change may set more of it, or be nil.
func Serve(t testing.TB, ledger Ledger, change func(*rest.Settings)) *Door {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	s := rest.Settings{
		Backend: ledger.Backend, Identities: ledger.Identities, Enroller: ledger.Enroller,
		Metrics: rest.NewMetrics(), Logger: logger, Clock: time.Now,
	}
	if change != nil {
		change(&s)
	}
	if s.Kept == nil {
		kept, err := rest.OpenKept(filepath.Join(t.TempDir(), "kept.db"), s.Clock, logger)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { kept.Close() })
		s.Kept = kept
	}
	door := rest.New(s)
	server := httptest.NewServer(door)
	t.Cleanup(func() { door.HangUp(); server.Close() })
	d := &Door{t: t, ledger: ledger, url: server.URL}
	d.Get("/api/v1/chain").Into(t, &d.Chain)
	return d
}

// Address is where the door listens.
func (d *Door) Address() string { return strings.TrimPrefix(d.url, "http://") }

// Answer is what a door said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Into reads the answer, which has to be a success.
func (a Answer) Into(t testing.TB, value any) {
	t.Helper()
	if a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if err := json.Unmarshal(a.Body, value); err != nil {
		t.Fatalf("%v: %s", err, a.Body)
	}
}

// Code is the code of an error, and empty for a success.
func (a Answer) Code() string {
	var said struct{ Code string }
	json.Unmarshal(a.Body, &said)
	if said.Code == "VALID" {
		return ""
	}
	return said.Code
}

// Outcome is the answer to a write that was committed.
type Outcome struct {
	TxID   string          `json:"txid"`
	Block  uint64          `json:"block"`
	Code   string          `json:"code"`
	Result json.RawMessage `json:"result"`
}

// Request is one request; the zero value of a field leaves it out.
type Request struct {
	Method, Path, Token, Key string
	Body                     any // bytes are sent as they are
}

// Do sends a request.
func (d *Door) Do(r Request) Answer {
	d.t.Helper()
	body, raw := r.Body.([]byte)
	if !raw && r.Body != nil {
		var err error
		if body, err = json.Marshal(r.Body); err != nil {
			d.t.Fatal(err)
		}
	}
	request, err := http.NewRequest(r.Method, d.url+r.Path, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if r.Token != "" {
		request.Header.Set("Authorization", "Bearer "+r.Token)
	}
	if r.Key != "" {
		request.Header.Set("Idempotency-Key", r.Key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return Answer{response.StatusCode, response.Header, data}
}

// Get reads with the reader's token.
func (d *Door) Get(path string) Answer {
	d.t.Helper()
	return d.Do(Request{Method: "GET", Path: path, Token: d.ledger.Tokens["reader"]})
}

// Write writes with the aggregator's token.
func (d *Door) Write(path, key string, arguments ...string) Answer {
	d.t.Helper()
	return d.Do(Request{Method: "POST", Path: path, Token: d.ledger.Tokens["aggregator"], Key: key, Body: body(arguments)})
}

func body(arguments []string) map[string][]string { return map[string][]string{"arguments": arguments} }

// Person is somebody who has enrolled and signs for themselves.
type Person struct {
	Certificate string
	Key         *ecdsa.PrivateKey
}

// CertificateRequest asks for a certificate for a key, and says nothing else.
func CertificateRequest(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "whatever"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// NewKey is a P-256 key.
func NewKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Enrol makes a person.
func (d *Door) Enrol(role, name string) Person {
	d.t.Helper()
	p := Person{Key: NewKey(d.t)}
	answer := d.Do(Request{Method: "POST", Path: "/api/v1/enroll", Body: map[string]string{
		"code": d.ledger.Code(role, name), "csr": CertificateRequest(d.t, p.Key),
	}})
	var given struct{ Certificate, CA string }
	answer.Into(d.t, &given)
	p.Certificate = given.Certificate
	return p
}

// Session is what a person has to sign.
type Session struct {
	ID      string `json:"id"`
	Payload []byte `json:"payload"`
}

// Open asks for something to sign.
func (d *Door) Open(p Person, function string, arguments ...string) Answer {
	d.t.Helper()
	return d.Do(Request{Method: "POST", Path: "/api/v1/signing", Body: map[string]any{
		"function": function, "arguments": arguments, "certificate": p.Certificate,
	}})
}

// HandIn gives a signature to a session.
func (d *Door) HandIn(session string, signature []byte) Answer {
	d.t.Helper()
	return d.Do(Request{Method: "POST", Path: "/api/v1/signing/" + session, Body: map[string][]byte{"signature": signature}})
}

// Sign lets a person make a write, whatever number of signatures the ledger wants for it.
func (d *Door) Sign(p Person, function string, arguments ...string) Answer {
	d.t.Helper()
	answer := d.Open(p, function, arguments...)
	for answer.Status == http.StatusOK {
		var session Session
		if json.Unmarshal(answer.Body, &session); session.ID == "" {
			break
		}
		answer = d.HandIn(session.ID, p.sign(d.t, session.Payload))
	}
	return answer
}

func (p Person) sign(t testing.TB, payload []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(payload)
	signature, err := ecdsa.SignASN1(rand.Reader, p.Key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}
