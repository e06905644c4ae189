package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// entry says where something lies in the log: the value of a key, or a transaction.
type entry struct {
	version version
	at      int64
	size    uint32
}

const entrySize = 12 + 8 + 4

func (e entry) encode() []byte {
	dst := binary.BigEndian.AppendUint64(e.version.encode(), uint64(e.at))
	return binary.BigEndian.AppendUint32(dst, e.size)
}

func decodeEntry(data []byte) (entry, error) {
	if len(data) != entrySize {
		return entry{}, fmt.Errorf("an entry of the index has %d bytes, not %d", len(data), entrySize)
	}
	v, err := decodeVersion(data[:12])
	return entry{v, int64(binary.BigEndian.Uint64(data[12:])), binary.BigEndian.Uint32(data[20:])}, err
}

// change is an entry with the one that it replaced in the same layer, for those who still look at an earlier height.
type change struct {
	entry
	before *change
}

// layer is what blocks have changed since the index's file was last written.
type layer struct {
	state        map[string]change
	transactions map[string]change // by the 32 bytes of the txid
	number       uint64            // newest block in it
	head         digest
}

func newLayer() *layer {
	return &layer{state: map[string]change{}, transactions: map[string]change{}}
}

func (l *layer) size() int { return len(l.state) + len(l.transactions) }

func (l *layer) bucket(name []byte) map[string]change {
	if bytes.Equal(name, stateBucket) {
		return l.state
	}
	return l.transactions
}

// add notes where a block's transactions and the values that they wrote lie; at is where the block's bytes start.
func (l *layer) add(data []byte, at int64) error {
	parts, err := whole(data).split(3)
	if err != nil {
		return err
	}
	h, err := decodeHeader(parts[0].bytes())
	if err != nil {
		return err
	}
	l.number, l.head = h.number, h.hash()
	if h.number == 0 {
		return nil // the configuration, which is no transaction
	}
	return parts[1].each(func(n int, tx span) error {
		return l.addTransaction(version{h.number, uint32(n)}, tx, at)
	})
}

func (l *layer) addTransaction(place version, tx span, at int64) error {
	parts, err := tx.split(3)
	if err != nil {
		return err
	}
	changes, err := parts[2].split(5)
	if err != nil {
		return err
	}
	id := txidOf(parts[0].bytes())
	l.transactions[string(id[:])] = change{entry: entry{place, at + int64(tx.at), uint32(tx.size())}}
	return eachPair(changes[1], func(key, value span) error {
		l.set(string(key.bytes()), entry{place, at + int64(value.at), uint32(value.size())})
		return nil
	})
}

func (l *layer) set(key string, to entry) {
	next := change{entry: to}
	if old, changed := l.state[key]; changed {
		next.before = &old
	}
	l.state[key] = next
}

// find is the newest entry of a key at a height.
func (l *layer) find(bucket []byte, key string, height uint64) (entry, bool) {
	found, ok := l.bucket(bucket)[key]
	for at := &found; ok && at != nil; at = at.before {
		if at.version.block <= height {
			return at.entry, true
		}
	}
	return entry{}, false
}
