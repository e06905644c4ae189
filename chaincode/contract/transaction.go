package contract

import (
	"fmt"
	"strings"
)

// transaction is what one call reads and will write. Functions decide over it; only commit touches the ledger.
//
// A ledger does not show a transaction its own writes: they are collected here, seen by get, and put once at the end.
type transaction struct {
	stub      Stub
	genesis   string
	txid      string
	claimedAt int64 // milliseconds; a claim of the client, within minutes of the truth
	caller    Identity
	writes    map[string][]byte
	seen      map[string]Object
}

func begin(stub Stub, genesis string) *transaction {
	return &transaction{stub: stub, genesis: genesis, txid: stub.GetTxID(), writes: map[string][]byte{}, seen: map[string]Object{}}
}

// identify reads who signed the transaction, and when they say that was.
func (t *transaction) identify() error {
	creator, err := t.stub.GetCreator()
	if err != nil {
		return fmt.Errorf("read the creator: %w", err)
	}
	if t.caller, err = Caller(creator); err != nil {
		return refuse(Forbidden, "%s", err)
	}
	claimed, err := t.stub.GetTxTimestamp()
	if err != nil {
		return fmt.Errorf("read the transaction's time: %w", err)
	}
	t.claimedAt = claimed.AsTime().UnixMilli()
	return demand(t.claimedAt >= 0 && t.claimedAt <= largest, BadRecord, "the transaction's time is out of range")
}

// unreadable is the ledger's own trouble. It ends the call at once: to go on without the state would be to decide on it.
type unreadable struct{ error }

// get reads a state; nil when there is none.
func (t *transaction) get(key string) Object {
	if o, ok := t.seen[key]; ok {
		return o
	}
	o, err := t.load(key)
	if err != nil {
		panic(unreadable{fmt.Errorf("read %s: %w", key, err)})
	}
	t.seen[key] = o
	return o
}

func (t *transaction) load(key string) (Object, error) {
	value, own := t.writes[key]
	if !own {
		var err error
		if value, err = t.stub.GetState(key); err != nil || len(value) == 0 {
			return nil, err
		}
	}
	return parse(value, anyDepth)
}

func (t *transaction) has(key string) bool { return t.get(key) != nil }

func (t *transaction) set(key string, value Object) {
	t.writes[key] = Encode(value)
	delete(t.seen, key)
}

// keep writes the state that a record made, with what the contract derived from it (nil when nothing was).
func (t *transaction) keep(key string, r Record, outcome Object) {
	state := Object{
		"actor": t.caller.actor(), "claimed_at": t.claimedAt, "id": r.ID, "record": r.Object, "rules": Rules, "txid": t.txid,
	}
	if outcome != nil {
		state["outcome"] = outcome
	}
	t.set(key, state)
}

// amend changes the outcome of a record's state; the record and who made it stay.
func (t *transaction) amend(key string, change Object) {
	state := t.get(key)
	t.set(key, state.with("outcome", state.object("outcome").and(change)))
}

// commit is the one place that acts: everything decided, in the order of the keys, and one event that says it all.
func (t *transaction) commit(event string) error {
	if len(t.writes) == 0 {
		return nil
	}
	for _, key := range sortedKeys(t.writes) {
		if err := t.stub.PutState(key, t.writes[key]); err != nil {
			return fmt.Errorf("put %s: %w", key, err)
		}
	}
	if err := t.stub.SetEvent(event+".v1", t.payload()); err != nil {
		return fmt.Errorf("set the event: %w", err)
	}
	return nil
}

// payload is the whole state written, so that an index reads nothing back. First answers are no state of anything.
func (t *transaction) payload() []byte {
	b := []byte(`{"writes":{`)
	for _, key := range sortedKeys(t.writes) {
		if strings.HasPrefix(key, "record/") {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(appendText(b, key), ':')
		b = append(b, t.writes[key]...)
	}
	return append(b, "}}"...)
}

func path(parts ...any) string {
	words := make([]string, len(parts))
	for i, part := range parts {
		words[i] = fmt.Sprint(part)
	}
	return strings.Join(words, "/")
}
