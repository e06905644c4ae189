package rest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"custody/fabric_network/rest"
	"custody/fabric_network/rest/doortest"
)

// slate is a ledger of one process's memory: a block a transaction, no rules, two signatures a transaction as on Fabric.
type slate struct {
	mutex   sync.Mutex
	blocks  []string // txids
	place   map[string]int
	tried   []string                            // every txid that was submitted, as often as it was
	meeting func(context.Context, string) error // what happens to a transaction before it is committed
	reading func(context.Context) (rest.Answer, error)
}

func newSlate() *slate { return &slate{place: map[string]int{}} }

func (s *slate) Chain(context.Context) (rest.Chain, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return rest.Chain{Kind: "slate", Height: uint64(len(s.blocks))}, nil
}

func (s *slate) Evaluate(ctx context.Context, _ rest.Call) (rest.Answer, error) {
	if s.reading == nil {
		return rest.Answer{}, &rest.Error{Code: rest.NotFound, Text: "there is nothing on a slate"}
	}
	return s.reading(ctx)
}

func (s *slate) Prepare(_ context.Context, _ []byte, call rest.Call) (rest.Envelope, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	payload := fmt.Appendf(nil, "%s %q %d", call.Function, call.Arguments, len(s.tried))
	sum := sha256.Sum256(payload)
	return rest.Envelope{TxID: hex.EncodeToString(sum[:]), Payload: payload}, nil
}

// Sign wants the proposal signed, then the transaction.
func (s *slate) Sign(_ context.Context, e rest.Envelope, signature []byte) (rest.Envelope, error) {
	if e.Bytes == nil {
		return rest.Envelope{TxID: e.TxID, Payload: append([]byte("endorsed "), e.Payload...), Bytes: signature}, nil
	}
	return rest.Envelope{TxID: e.TxID, Bytes: signature}, nil
}

func (s *slate) Submit(ctx context.Context, e rest.Envelope) (rest.Outcome, error) {
	s.mutex.Lock()
	s.tried = append(s.tried, e.TxID)
	meeting := s.meeting
	s.mutex.Unlock()
	if meeting != nil {
		if err := meeting(ctx, e.TxID); err != nil {
			return rest.Outcome{}, err
		}
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.place[e.TxID] == 0 {
		s.blocks = append(s.blocks, e.TxID)
		s.place[e.TxID] = len(s.blocks)
	}
	return rest.Outcome{TxID: e.TxID, Block: uint64(s.place[e.TxID]), Result: json.RawMessage(`{"id":"<&>"}`)}, nil
}

func (s *slate) Transaction(context.Context, string) (rest.Status, error) {
	return rest.Status{}, errors.New("a fault with /secret/path in its text")
}

func (s *slate) Block(context.Context, uint64) ([]byte, error) { return []byte("block"), nil }

func (s *slate) Events(ctx context.Context, _ rest.Position, follow bool, deliver func([]byte) error) error {
	if err := deliver(rest.AppendEvent(nil, rest.Position{Block: 1}, "ab", "Noted.v1", []byte(`{}`))); err != nil || !follow {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *slate) Ready(context.Context) error {
	return &rest.Error{Code: rest.Unavailable, Text: "a slate is never ready"}
}

func (s *slate) count() (committed, tried int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.blocks), len(s.tried)
}

func (s *slate) meets(what func(context.Context, string) error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.meeting = what
}

const readerToken, writerToken = "the reader's token", "the aggregator's token"

func serveSlate(t *testing.T, s *slate, change func(*rest.Settings)) *doortest.Door {
	t.Helper()
	return doortest.Serve(t, doortest.Ledger{
		Backend: s, Tokens: map[string]string{"reader": readerToken, "aggregator": writerToken},
		Identities: identities(t),
	}, change)
}

func identities(t *testing.T) []rest.Identity {
	return []rest.Identity{
		{Name: "reader", Token: sha256.Sum256([]byte(readerToken))},
		{Name: "aggregator", Key: doortest.NewKey(t), Token: sha256.Sum256([]byte(writerToken))},
	}
}
