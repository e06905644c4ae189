package rest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	sessionLifetime = 5 * time.Minute
	sessionBytes    = 16 << 20 // of all open sessions together
)

// session is one person's transaction on its way to be signed.
type session struct {
	function string
	ends     time.Time
	size     int
	mutex    sync.Mutex
	now      Envelope
	signed   *[sha256.Size]byte // the signature that served, once one did
	outcome  Outcome
	err      error
}

type sessions struct {
	clock func() time.Time
	mutex sync.Mutex
	open  map[string]*session
	size  int
}

func newSessions(clock func() time.Time) *sessions {
	return &sessions{clock: clock, open: map[string]*session{}}
}

func (s *sessions) add(function string, envelope Envelope) (string, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.sweep()
	added := &session{function: function, ends: s.clock().Add(sessionLifetime), now: envelope, size: len(envelope.Payload) + len(envelope.Bytes)}
	if s.size+added.size > sessionBytes {
		return "", &Error{Code: Busy, Text: "too many signing sessions are open"}
	}
	var random [32]byte
	rand.Read(random[:])
	id := hex.EncodeToString(random[:])
	s.open[id], s.size = added, s.size+added.size
	return id, nil
}

func (s *sessions) sweep() {
	for id, open := range s.open {
		if s.clock().After(open.ends) {
			delete(s.open, id)
			s.size -= open.size
		}
	}
}

func (s *sessions) find(id string) (*session, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.sweep()
	found := s.open[id]
	if found == nil {
		return nil, &Error{Code: NotFound, Text: "there is no such signing session; they end after five minutes"}
	}
	return found, nil
}

// openSigning answers what a person has to sign for a write.
func (d *Door) openSigning(w http.ResponseWriter, r *http.Request, _ variables) error {
	var request struct {
		Function    string   `json:"function"`
		Arguments   []string `json:"arguments"`
		Certificate string   `json:"certificate"`
	}
	if err := readBody(r, &request); err != nil {
		return err
	}
	if !writable(request.Function) {
		return &Error{Code: BadRecord, Text: "there is no function to sign for called " + request.Function}
	}
	call := Call{request.Function, request.Arguments}
	envelope, err := d.backend.Prepare(r.Context(), []byte(request.Certificate), call)
	if err != nil {
		return err
	}
	id, err := d.signing.add(call.Function, envelope)
	if err != nil {
		return err
	}
	return writeToSign(w, id, envelope)
}

func writable(function string) bool {
	return slices.ContainsFunc(commands, func(r route) bool { return r.function == function })
}

func writeToSign(w http.ResponseWriter, id string, e Envelope) error {
	body, err := json.Marshal(struct {
		ID      string `json:"id"`
		Payload []byte `json:"payload"`
		TxID    string `json:"txid"`
	}{id, e.Payload, e.TxID})
	if err != nil {
		return err
	}
	return writeJSON(w, body)
}

// sign takes a signature. A session serves once; the signature that it served gets the same answer again.
func (d *Door) sign(w http.ResponseWriter, r *http.Request, vars variables) error {
	var request struct {
		Signature string `json:"signature"`
	}
	if err := readBody(r, &request); err != nil {
		return err
	}
	given, err := base64.StdEncoding.DecodeString(request.Signature)
	if err != nil {
		return &Error{Code: BadRecord, Text: "a signature is base64"}
	}
	open, err := d.signing.find(vars["id"])
	if err != nil {
		return err
	}
	open.mutex.Lock()
	defer open.mutex.Unlock()
	if open.signed == nil {
		err = d.takeSignature(r, open, given)
	} else if *open.signed != sha256.Sum256(given) {
		err = &Error{Code: Conflict, Text: "this signing session has served another signature"}
	} else {
		err = open.err
	}
	switch {
	case err != nil:
		return err
	case open.signed == nil:
		return writeToSign(w, vars["id"], open.now)
	}
	return writeOutcome(w, open.outcome)
}

func (d *Door) takeSignature(r *http.Request, open *session, given []byte) error {
	signature, err := lowS(given)
	if err != nil {
		return &Error{Code: Unauthenticated, Text: err.Error()}
	}
	ctx, cancel := context.WithTimeout(r.Context(), commitWait)
	defer cancel()
	next, err := d.backend.Sign(ctx, open.now, signature)
	if err != nil {
		return err
	}
	if len(next.Payload) > 0 {
		open.now = next
		return nil
	}
	started := time.Now()
	outcome, err := d.backend.Submit(ctx, next)
	d.report(open.function, "a person", outcome, time.Since(started), err)
	if err == nil || problemOf(err).Code.stands() {
		sum := sha256.Sum256(given)
		open.signed, open.outcome, open.err = &sum, outcome, err
	}
	return err
}

func (d *Door) enroll(w http.ResponseWriter, r *http.Request, _ variables) error {
	var request struct {
		Code string `json:"code"`
		CSR  string `json:"csr"`
	}
	if err := readBody(r, &request); err != nil {
		return err
	}
	if d.enroller == nil {
		return &Error{Code: NotFound, Text: "people do not enrol at this door"}
	}
	certificate, ca, err := d.enroller.Enroll(request.Code, []byte(request.CSR))
	if err != nil {
		return err
	}
	body, err := json.Marshal(struct {
		Certificate string `json:"certificate"`
		CA          string `json:"ca"`
	}{string(certificate), string(ca)})
	if err != nil {
		return err
	}
	d.logger.Info("enrolled a person")
	return writeJSON(w, body)
}
