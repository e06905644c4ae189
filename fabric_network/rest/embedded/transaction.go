package embedded

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	proposalContext = "custody.tx.1"
	nonceSize       = 24
)

// proposal is what a creator signs.
type proposal struct {
	genesis   digest
	creator   []byte
	function  string
	arguments []string
	nonce     [nonceSize]byte
	claimedAt uint64 // milliseconds since 1970
}

func (p proposal) encode() []byte {
	arguments := make([][]byte, len(p.arguments))
	for i, argument := range p.arguments {
		arguments[i] = []byte(argument)
	}
	return fields([]byte(proposalContext), p.genesis[:], p.creator, []byte(p.function), fields(arguments...),
		p.nonce[:], binary.BigEndian.AppendUint64(nil, p.claimedAt))
}

func decodeProposal(data []byte) (proposal, error) {
	parts, err := whole(data).split(7)
	if err != nil {
		return proposal{}, fmt.Errorf("read proposal: %w", err)
	}
	if string(parts[0].bytes()) != proposalContext {
		return proposal{}, errors.New("not a proposal of this ledger's kind")
	}
	if parts[1].size() != sha256.Size || parts[5].size() != nonceSize || parts[6].size() != 8 {
		return proposal{}, errors.New("genesis, nonce or time of the proposal has the wrong length")
	}
	p := proposal{creator: parts[2].bytes(), function: string(parts[3].bytes()), claimedAt: binary.BigEndian.Uint64(parts[6].bytes())}
	copy(p.genesis[:], parts[1].bytes())
	copy(p.nonce[:], parts[5].bytes())
	err = parts[4].each(func(_ int, argument span) error {
		p.arguments = append(p.arguments, string(argument.bytes()))
		return nil
	})
	if err != nil {
		return proposal{}, fmt.Errorf("read the arguments of the proposal: %w", err)
	}
	return p, nil
}

func (p proposal) time() time.Time { return time.UnixMilli(int64(p.claimedAt)) }

type txid digest

func txidOf(proposal []byte) txid { return sha256.Sum256(proposal) }

func (t txid) String() string { return hex.EncodeToString(t[:]) }

func parseTxid(text string) (txid, error) {
	var id txid
	if len(text) != 2*len(id) || strings.ToLower(text) != text {
		return id, errors.New("a txid is 64 lower-case hex digits")
	}
	_, err := hex.Decode(id[:], []byte(text))
	return id, err
}

// version is the place of a transaction, and so of the values that it wrote.
type version struct {
	block uint64
	tx    uint32
}

func (v version) encode() []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, v.block), v.tx)
}

func decodeVersion(data []byte) (version, error) {
	if len(data) != 12 {
		return version{}, fmt.Errorf("a version has %d bytes, not 12", len(data))
	}
	return version{binary.BigEndian.Uint64(data), binary.BigEndian.Uint32(data[8:])}, nil
}

// read is a key that a transaction looked at; version is nil when it was absent.
type read struct {
	key     string
	version *version
}

type write struct {
	key   string
	value []byte
}

type effects struct {
	reads   []read
	writes  []write
	result  []byte
	event   string
	payload []byte
}

func (e effects) encode() []byte {
	reads := make([][]byte, len(e.reads))
	for i, r := range e.reads {
		var seen []byte
		if r.version != nil {
			seen = r.version.encode()
		}
		reads[i] = fields([]byte(r.key), seen)
	}
	writes := make([][]byte, len(e.writes))
	for i, w := range e.writes {
		writes[i] = fields([]byte(w.key), w.value)
	}
	return fields(fields(reads...), fields(writes...), e.result, []byte(e.event), e.payload)
}

func decodeEffects(s span) (effects, error) {
	parts, err := s.split(5)
	if err != nil {
		return effects{}, fmt.Errorf("read effects: %w", err)
	}
	e := effects{result: parts[2].bytes(), event: string(parts[3].bytes()), payload: parts[4].bytes()}
	err = errors.Join(
		eachPair(parts[0], func(key, seen span) error { return e.addRead(key, seen) }),
		eachPair(parts[1], func(key, value span) error { return e.addWrite(key, value) }))
	return e, err
}

func (e *effects) addRead(key, seen span) error {
	r := read{key: string(key.bytes())}
	if seen.size() > 0 {
		v, err := decodeVersion(seen.bytes())
		if err != nil {
			return err
		}
		r.version = &v
	}
	e.reads = append(e.reads, r)
	return nil
}

var errOrder = errors.New("writes are not in the order of their keys")

func (e *effects) addWrite(key, value span) error {
	w := write{string(key.bytes()), value.bytes()}
	if n := len(e.writes); n > 0 && e.writes[n-1].key >= w.key {
		return errOrder
	}
	e.writes = append(e.writes, w)
	return nil
}

func eachPair(s span, visit func(first, second span) error) error {
	return s.each(func(_ int, pair span) error {
		parts, err := pair.split(2)
		if err != nil {
			return err
		}
		return visit(parts[0], parts[1])
	})
}

// transaction keeps the proposal as the bytes that were signed.
type transaction struct {
	proposal  []byte
	signature []byte
	effects   effects
}

func (t transaction) encode() []byte {
	return fields(t.proposal, t.signature, t.effects.encode())
}

func decodeTransaction(data []byte) (transaction, error) {
	parts, err := whole(data).split(3)
	if err != nil {
		return transaction{}, fmt.Errorf("read transaction: %w", err)
	}
	t := transaction{proposal: parts[0].bytes(), signature: parts[1].bytes()}
	t.effects, err = decodeEffects(parts[2])
	return t, err
}

func sortWrites(writes map[string][]byte) []write {
	sorted := make([]write, 0, len(writes))
	for key, value := range writes {
		sorted = append(sorted, write{key, value})
	}
	slices.SortFunc(sorted, func(a, b write) int { return strings.Compare(a.key, b.key) })
	return sorted
}
