package rest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
)

const idempotencyKeyLimit = 255

func (d *Door) commitOnce(ctx context.Context, scope, key string, request [sha256.Size]byte, prepare func(context.Context) (Envelope, error)) (Outcome, error) {
	if len(key) > idempotencyKeyLimit {
		return Outcome{}, &Error{Code: BadRecord, Text: "an Idempotency-Key has at most 255 bytes"}
	}
	sum := sha256.Sum256([]byte(scope + "\n" + key))
	slot := string(sum[:])
	release, err := d.kept.claims.take(ctx, slot)
	if err != nil {
		return Outcome{}, err
	}
	defer release()
	r, found, err := d.kept.find(slot)
	switch {
	case err != nil:
		return Outcome{}, fmt.Errorf("look for a kept envelope: %w", err)
	case found && string(r.Request) != string(request[:]):
		return Outcome{}, &Error{Code: Refused, Text: "this Idempotency-Key was used with another request"}
	case found && r.Final:
		return r.answer()
	case found:
		outcome, err := d.finish(ctx, slot, r)
		if err == nil || problemOf(err).Code != Expired {
			return outcome, err
		} // it can never be committed any more, so another one may take its place
	}
	return insist(ctx, func() (Outcome, error) {
		return d.begin(ctx, slot, row{Request: request[:], KeptAt: d.kept.clock()}, prepare)
	})
}

func (d *Door) begin(ctx context.Context, slot string, r row, prepare func(context.Context) (Envelope, error)) (outcome Outcome, err error) {
	if r.Envelope, err = prepare(ctx); err != nil {
		return d.settle(slot, r, Outcome{}, err) // the rules can have spoken before there was an envelope
	}
	if err := d.kept.keep(slot, r); err != nil {
		return Outcome{}, errors.Join(&Error{Code: Unavailable, Text: "nothing was recorded: the envelope could not be kept"}, err)
	}
	return d.finish(ctx, slot, r)
}

// finish submits a kept envelope.
func (d *Door) finish(ctx context.Context, slot string, r row) (Outcome, error) {
	outcome, err := d.backend.Submit(ctx, r.Envelope)
	return d.settle(slot, r, outcome, err)
}

// settle keeps an answer if it is one that stands.
func (d *Door) settle(slot string, r row, outcome Outcome, err error) (Outcome, error) {
	if err != nil {
		told := problemOf(err)
		if !told.Code.stands() {
			return outcome, err
		}
		r.Code, r.Text = told.Code, told.Text
	}
	r.Final, r.Block, r.Result, r.Envelope.Bytes = true, outcome.Block, outcome.Result, nil
	d.kept.note(slot, r)
	return outcome, err
}

// stands says that the same envelope would be told the same: the rules have spoken.
func (c Code) stands() bool {
	switch c {
	case BadRecord, Forbidden, NotFound, Conflict, Refused, TooLarge:
		return true
	}
	return false
}
