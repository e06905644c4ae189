package rest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// write commits a call in the name of the identity whose token the request carries.
func (d *Door) write(w http.ResponseWriter, r *http.Request, _ variables) error {
	in := incomingOf(r)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return readFailed(err)
	}
	call := Call{Function: in.route.function}
	if call.Arguments, err = parseArguments(body); err != nil {
		return err
	}
	prepare := func(ctx context.Context) (Envelope, error) { return d.signed(ctx, in.identity, call) }
	started := time.Now()
	outcome, err := d.commit(r, in.identity.Name, sha256.Sum256(append([]byte(call.Function+"\n"), body...)), prepare)
	d.report(call.Function, in.identity.Name, outcome, time.Since(started), err)
	if err != nil {
		return err
	}
	return writeOutcome(w, outcome)
}

func readFailed(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return &Error{Code: BadRecord, Text: "the request's body ended early"}
}

func parseArguments(body []byte) ([]string, error) {
	var request struct {
		Arguments []string `json:"arguments"`
	}
	if err := parseBody(body, &request); err != nil {
		return nil, err
	}
	return request.Arguments, nil
}

// signed makes an envelope and signs whatever the backend wants signed.
func (d *Door) signed(ctx context.Context, identity Identity, call Call) (Envelope, error) {
	envelope, err := d.backend.Prepare(ctx, identity.Certificate, call)
	for err == nil && len(envelope.Payload) > 0 {
		var signature []byte
		if signature, err = identity.sign(envelope.Payload); err != nil {
			return Envelope{}, fmt.Errorf("sign as %s: %w", identity.Name, err)
		}
		envelope, err = d.backend.Sign(ctx, envelope, signature)
	}
	return envelope, err
}

// commit submits what prepare makes. With an Idempotency-Key the envelope is kept before it is submitted: whoever comes
// again with the key, after a crash of either side, gets the outcome of that envelope and of no other.
func (d *Door) commit(r *http.Request, scope string, request [sha256.Size]byte, prepare func(context.Context) (Envelope, error)) (Outcome, error) {
	ctx, cancel := context.WithTimeout(r.Context(), commitWait)
	defer cancel()
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		return d.commitOnce(ctx, scope, key, request, prepare)
	}
	return insist(ctx, func() (Outcome, error) {
		envelope, err := prepare(ctx)
		if err != nil {
			return Outcome{}, err
		}
		return d.backend.Submit(ctx, envelope)
	})
}

const (
	attempts = 6
	pause    = 10 * time.Millisecond // before the second attempt; twice as long before each one after it
)

// insist tries anew, with another envelope, when one can no longer be committed: on Fabric another transaction may have
// changed what it read. The pauses differ, so that those who met once do not meet again.
func insist(ctx context.Context, try func() (Outcome, error)) (outcome Outcome, err error) {
	for n := range attempts {
		if outcome, err = try(); err == nil || problemOf(err).Code != Expired {
			return outcome, err
		}
		select {
		case <-time.After(rand.N(pause << n)):
		case <-ctx.Done():
			return outcome, err
		}
	}
	return outcome, err
}

func (d *Door) report(function, name string, outcome Outcome, took time.Duration, err error) {
	d.metrics.Observe("submit", function, took)
	if err != nil {
		told := problemOf(err)
		d.logger.Info("not committed", "function", function, "by", name, "txid", told.TxID, "code", told.Code, "detail", told.Text, "ms", took.Milliseconds())
		return
	}
	d.logger.Info("committed", "function", function, "by", name, "txid", outcome.TxID, "block", outcome.Block, "ms", took.Milliseconds())
}

// writeOutcome passes the contract's result through byte by byte.
func writeOutcome(w http.ResponseWriter, o Outcome) error {
	body := append([]byte(`{"txid":"`), o.TxID...)
	body = strconv.AppendUint(append(body, `","block":`...), o.Block, 10)
	body = append(append(body, `,"code":"VALID","result":`...), orNull(o.Result)...)
	return writeJSON(w, append(body, '}'))
}

func orNull(result json.RawMessage) []byte {
	if len(result) == 0 {
		return []byte("null")
	}
	return result
}
