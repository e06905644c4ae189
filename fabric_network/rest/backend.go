// Package rest is the one HTTP door in front of a ledger: routes, errors, who may call, and signing. Which ledger stands
// behind it is a Backend. docs/ledger.md is the reference.
package rest

import (
	"context"
	"encoding/json"
)

// Call is a function of the contract with its arguments.
type Call struct {
	Function  string   `json:"function"`
	Arguments []string `json:"arguments"`
}

// Position is a place in the order of a ledger.
type Position struct {
	Block uint64
	Tx    uint32
}

// Chain says which ledger speaks. Height is the number of the newest block, Head its hash.
type Chain struct {
	Kind    string `json:"kind"`
	Genesis string `json:"genesis"`
	Height  uint64 `json:"height"`
	Head    string `json:"head"`
	Rules   int    `json:"rules"`
}

// Answer is what a read found, and the height at which it looked.
type Answer struct {
	Block  uint64
	Result json.RawMessage
}

// Envelope is a transaction on its way from proposal to commit.
type Envelope struct {
	TxID    string
	Payload []byte // what its creator signs next; empty when it is ready to be submitted
	Bytes   []byte // the backend's own; enough to go on after a crash
}

// Outcome is a committed transaction.
type Outcome struct {
	TxID   string
	Block  uint64
	Result json.RawMessage
}

// Status is where a transaction stands.
type Status struct {
	TxID     string `json:"txid"`
	Block    uint64 `json:"block"`
	Tx       uint32 `json:"tx"`
	Code     string `json:"code"`
	Function string `json:"function"`
}

// Backend is a ledger. Its errors are *Error where the caller can do something about them.
type Backend interface {
	Chain(ctx context.Context) (Chain, error)
	// Evaluate runs a read.
	Evaluate(ctx context.Context, call Call) (Answer, error)
	// Prepare makes a proposal for the holder of a certificate (PEM).
	Prepare(ctx context.Context, certificate []byte, call Call) (Envelope, error)
	// Sign takes the signature (DER, low-S) over the payload of an envelope, and answers with the next thing to sign or
	// with an envelope that is ready.
	Sign(ctx context.Context, envelope Envelope, signature []byte) (Envelope, error)
	// Submit answers once the transaction is committed. The same envelope again finds the same outcome. An outcome that
	// cannot be known yet is an *Error with code Unknown; one that can never be any more is Expired.
	Submit(ctx context.Context, envelope Envelope) (Outcome, error)
	Transaction(ctx context.Context, txid string) (Status, error)
	// Block is the bytes of one block as the ledger keeps them.
	Block(ctx context.Context, number uint64) ([]byte, error)
	// Events hands over whole NDJSON lines from a position on, inclusive, in order and none twice. With follow it goes on
	// until ctx ends.
	Events(ctx context.Context, from Position, follow bool, deliver func(lines []byte) error) error
	// Ready is nil when writes can be expected to succeed.
	Ready(ctx context.Context) error
}

// Notary is a ledger that several organisations can vouch for.
type Notary interface {
	// Receipts is what peers of several organisations signed about a transaction and its validity.
	Receipts(ctx context.Context, txid string) ([]byte, error)
}

// Enroller gives a person a certificate for a one-time code.
type Enroller interface {
	Enroll(code string, request []byte) (certificate, ca []byte, err error)
}
