package embedded

import (
	"errors"
	"fmt"
	"slices"

	"custody/chaincode/contract"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// Rules is the contract that runs on a ledger.
type Rules interface {
	Invoke(stub contract.Stub) ([]byte, error)
}

// stateView is the state as a transaction finds it; found is false when the key is absent.
type stateView interface {
	get(key string) (value []byte, at version, found bool, err error)
}

// simulation runs one transaction against a view and collects its effects. It is the contract's stub.
type simulation struct {
	view     stateView
	proposal proposal
	txid     txid
	reads    []read
	seen     map[string][]byte
	writes   map[string][]byte
	event    string
	payload  []byte
	failure  error // the ledger's own trouble, which the contract must not turn into a refusal
}

// simulate answers the effects, or the contract's refusal. A panic in the rules ends this transaction, not the ledger.
func simulate(rules Rules, view stateView, p proposal, id txid) (found effects, err error) {
	s := &simulation{view: view, proposal: p, txid: id, seen: map[string][]byte{}, writes: map[string][]byte{}}
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("run %s: the contract panicked: %v", p.function, fault)
		}
	}()
	result, err := rules.Invoke(s)
	if s.failure != nil {
		return effects{}, fmt.Errorf("run %s: %w", p.function, s.failure)
	}
	if err != nil {
		return effects{}, err
	}
	return effects{s.reads, sortWrites(s.writes), result, s.event, s.payload}, nil
}

// GetState does not show what the same transaction has put, as on Fabric.
func (s *simulation) GetState(key string) ([]byte, error) {
	if value, again := s.seen[key]; again {
		return slices.Clone(value), nil
	}
	value, at, found, err := s.view.get(key)
	if err != nil {
		s.failure = err
		return nil, err
	}
	r := read{key: key}
	if found {
		r.version = &at
	}
	s.reads = append(s.reads, r)
	s.seen[key] = value
	return slices.Clone(value), nil
}

func (s *simulation) PutState(key string, value []byte) error {
	if key == "" || len(value) == 0 {
		return errors.New("a state needs a key and a value")
	}
	s.writes[key] = slices.Clone(value)
	return nil
}

func (s *simulation) SetEvent(name string, payload []byte) error {
	if name == "" {
		return errors.New("an event needs a name")
	}
	s.event, s.payload = name, slices.Clone(payload)
	return nil
}

func (s *simulation) GetTxID() string             { return s.txid.String() }
func (s *simulation) GetCreator() ([]byte, error) { return slices.Clone(s.proposal.creator), nil }

func (s *simulation) GetTxTimestamp() (*timestamppb.Timestamp, error) {
	return timestamppb.New(s.proposal.time()), nil
}

func (s *simulation) GetFunctionAndParameters() (string, []string) {
	return s.proposal.function, slices.Clone(s.proposal.arguments)
}
