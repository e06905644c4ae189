package embedded

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"custody/chaincode/contract"
	"custody/fabric_network/rest"
)

// window is how far a transaction's claimed time may lie from the ledger's clock.
const window = 15 * time.Minute

var errTooLarge = &rest.Error{Code: rest.TooLarge, Text: fmt.Sprintf("the transaction writes more than %d MiB", maxEffects>>20)}

func (l *Ledger) Chain(context.Context) (rest.Chain, error) {
	height, head := l.log.newest()
	return rest.Chain{Kind: kind, Genesis: l.Genesis(), Height: height, Head: hex.EncodeToString(head[:]), Rules: contract.Rules}, nil
}

// Evaluate runs a function without keeping what it writes. Everything that it reads belongs to one height.
func (l *Ledger) Evaluate(_ context.Context, call rest.Call) (rest.Answer, error) {
	var answer rest.Answer
	p := proposal{genesis: l.genesis.hash, function: call.Function, arguments: call.Arguments, claimedAt: uint64(l.settings.Clock().UnixMilli())}
	err := l.index.view(func(v indexView) error {
		answer.Block = v.height
		found, err := simulate(l.executor.rules, committedView{l.values, v}, p, txid{})
		answer.Result = found.result
		return err
	})
	return answer, err
}

type committedView struct {
	values *values
	index  indexView
}

func (v committedView) get(key string) ([]byte, version, bool, error) {
	return v.values.get(v.index, key)
}

func (l *Ledger) Prepare(_ context.Context, certificate []byte, call rest.Call) (rest.Envelope, error) {
	who, err := l.creators.holder(certificate)
	if err == nil {
		err = who.validAt(l.settings.Clock())
	}
	if err != nil {
		return rest.Envelope{}, &rest.Error{Code: rest.Forbidden, Text: err.Error()}
	}
	p := proposal{genesis: l.genesis.hash, creator: who.bytes, function: call.Function, arguments: call.Arguments, claimedAt: uint64(l.settings.Clock().UnixMilli())}
	rand.Read(p.nonce[:])
	payload := p.encode()
	return rest.Envelope{TxID: txidOf(payload).String(), Payload: payload}, nil
}

// Sign makes the envelope ready: here, there is one thing to sign. The signature is checked at Submit.
func (l *Ledger) Sign(_ context.Context, e rest.Envelope, signature []byte) (rest.Envelope, error) {
	return rest.Envelope{TxID: e.TxID, Bytes: fields(e.Payload, signature)}, nil
}

func (l *Ledger) Submit(ctx context.Context, e rest.Envelope) (rest.Outcome, error) {
	s, err := l.check(e)
	if err != nil {
		return rest.Outcome{}, err
	}
	return l.await(ctx, l.executor.submit(s))
}

func (l *Ledger) await(ctx context.Context, s *submission) (rest.Outcome, error) {
	select {
	case <-s.done:
	case <-ctx.Done():
		return rest.Outcome{}, &rest.Error{Code: rest.Unknown, Text: "the transaction is still under way", TxID: s.id.String()}
	}
	if err := told(s); err != nil {
		return rest.Outcome{}, err
	}
	return rest.Outcome{TxID: s.id.String(), Block: s.place.block, Result: s.result}, nil
}

// told says what became of a submission: a refusal is final, trouble left no trace, and errUnsettled may have.
func told(s *submission) error {
	var refusal *contract.Error
	var known *rest.Error
	switch {
	case s.err == nil:
		return nil
	case errors.As(s.err, &refusal):
		return &rest.Error{Code: rest.Code(refusal.Code), Text: refusal.Text, TxID: s.id.String()}
	case errors.As(s.err, &known):
		return s.err
	case errors.Is(s.err, errUnsettled):
		return &rest.Error{Code: rest.Unknown, Text: s.err.Error(), TxID: s.id.String()}
	}
	return &rest.Error{Code: rest.Unavailable, Text: "nothing was recorded: " + s.err.Error(), TxID: s.id.String()}
}

// check does everything that needs no order, in the caller's goroutine.
func (l *Ledger) check(e rest.Envelope) (*submission, error) {
	parts, err := whole(e.Bytes).split(2)
	if err != nil {
		return nil, &rest.Error{Code: rest.BadRecord, Text: "the envelope is malformed"}
	}
	s := &submission{bytes: parts[0].bytes(), signature: parts[1].bytes(), done: make(chan struct{})}
	s.id = txidOf(s.bytes)
	if s.proposal, err = decodeProposal(s.bytes); err != nil {
		return nil, &rest.Error{Code: rest.BadRecord, Text: err.Error()}
	}
	if s.proposal.genesis != l.genesis.hash {
		return nil, &rest.Error{Code: rest.Refused, Text: "the proposal is for another ledger"}
	}
	who, err := l.creators.identify(s.proposal.creator)
	if err != nil {
		return nil, &rest.Error{Code: rest.Forbidden, Text: err.Error()}
	}
	if err := who.verify(digest(s.id), s.signature); err != nil {
		return nil, &rest.Error{Code: rest.Unauthenticated, Text: err.Error()}
	}
	return s, l.timely(s, who)
}

// timely refuses what came too late or too early, unless it is on the ledger already and only asked about again.
func (l *Ledger) timely(s *submission, who creator) error {
	now := l.settings.Clock()
	err := who.validAt(now)
	code := rest.Forbidden
	if off := now.Sub(s.proposal.time()).Abs(); err == nil && off > window {
		err, code = fmt.Errorf("its claimed time is %s away from the ledger's clock; %s is the most", off.Round(time.Second), window), rest.Expired
	}
	if err == nil {
		return nil
	}
	if _, found, lookup := l.find(s.id); lookup == nil && found {
		return nil
	}
	return &rest.Error{Code: code, Text: err.Error(), TxID: s.id.String()}
}

func (l *Ledger) find(id txid) (place entry, found bool, err error) {
	err = l.index.view(func(v indexView) error {
		place, found, err = v.transaction(id)
		return err
	})
	return place, found, err
}

func (l *Ledger) Transaction(_ context.Context, text string) (rest.Status, error) {
	id, err := parseTxid(text)
	if err != nil {
		return rest.Status{}, &rest.Error{Code: rest.BadRecord, Text: err.Error()}
	}
	place, found, err := l.find(id)
	if err != nil {
		return rest.Status{}, err
	}
	if _, under := l.executor.underway.Load(id); under && !found {
		return rest.Status{}, &rest.Error{Code: rest.Unknown, TxID: text}
	}
	if !found && !l.log.settled.Load() {
		return rest.Status{}, &rest.Error{Code: rest.Unavailable, Text: "the end of the log is in doubt: " + errUnsettled.Error(), TxID: text}
	}
	if !found {
		return rest.Status{}, &rest.Error{Code: rest.NotFound, Text: "no block holds transaction " + text}
	}
	tx, err := l.values.transaction(place)
	if err != nil {
		return rest.Status{}, err
	}
	p, err := decodeProposal(tx.proposal)
	return rest.Status{TxID: text, Block: place.version.block, Tx: place.version.tx, Code: "VALID", Function: p.function}, err
}

func (l *Ledger) Block(_ context.Context, number uint64) ([]byte, error) {
	data, err := l.log.block(number)
	if err == nil && data == nil {
		return nil, &rest.Error{Code: rest.NotFound, Text: fmt.Sprintf("there is no block %d yet", number)}
	}
	return data, err
}

// Ready tells whether the disk takes writes, by what it did with the last one.
func (l *Ledger) Ready(context.Context) error {
	if trouble := l.executor.trouble.Load(); trouble != nil {
		return &rest.Error{Code: rest.Unavailable, Text: *trouble}
	}
	return nil
}
