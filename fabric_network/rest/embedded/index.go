package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
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

var (
	stateBucket       = []byte("state")
	transactionBucket = []byte("transactions")
	checkpointBucket  = []byte("checkpoint")
	checkpointKey     = []byte("newest")
)

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

// checkpoint says how far the index's file is, and sums up its entries so that damage in it is noticed.
type checkpoint struct {
	genesis digest
	number  uint64
	head    digest
	entries uint64
	sum     uint64
}

func (c checkpoint) encode() []byte {
	dst := binary.BigEndian.AppendUint64(slices.Clone(c.genesis[:]), c.number)
	dst = binary.BigEndian.AppendUint64(append(dst, c.head[:]...), c.entries)
	return binary.BigEndian.AppendUint64(dst, c.sum)
}

func decodeCheckpoint(data []byte) (checkpoint, error) {
	if len(data) != 88 {
		return checkpoint{}, errors.New("it has no checkpoint")
	}
	c := checkpoint{number: binary.BigEndian.Uint64(data[32:]), entries: binary.BigEndian.Uint64(data[72:]), sum: binary.BigEndian.Uint64(data[80:])}
	copy(c.genesis[:], data)
	copy(c.head[:], data[40:])
	return c, nil
}

func entrySum(bucket, key, value []byte) uint64 {
	hash := fnv.New64a()
	hash.Write(bucket)
	hash.Write(key)
	hash.Write(value)
	return hash.Sum64()
}

// index finds the newest value of a key and the place of a transaction. Its file lags behind by what lies in two layers
// in memory: fresh, and flushing while that one is being written.
type index struct {
	db         *bolt.DB
	checkpoint checkpoint // of the file; only write touches it

	mutex    sync.RWMutex
	fresh    *layer
	flushing *layer
	height   uint64 // newest block
}

// openIndex opens an index's file and walks it once. The error says why it cannot be used; it can be rebuilt then.
func openIndex(path string) (found *index, err error) {
	// A damaged file can make bbolt panic, or its mapping fault; both are reasons to rebuild and none to fall over.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	var db *bolt.DB
	defer func() {
		if fault := recover(); fault != nil {
			found, err = nil, fmt.Errorf("it is damaged: %v", fault)
		}
		if err != nil && db != nil {
			db.Close()
		}
	}()
	db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, InitialMmapSize: 64 << 20, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	checkpoint, err := verifyIndex(db)
	return &index{db: db, checkpoint: checkpoint, fresh: newLayer(), height: checkpoint.number}, err
}

func createIndex(path string, genesis digest) (*index, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, InitialMmapSize: 64 << 20, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return nil, fmt.Errorf("create the index: %w", err)
	}
	i := &index{db: db, checkpoint: checkpoint{genesis: genesis, head: genesis}, fresh: newLayer()}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{stateBucket, transactionBucket, checkpointBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return tx.Bucket(checkpointBucket).Put(checkpointKey, i.checkpoint.encode())
	})
	return i, err
}

// verifyIndex adds up every entry of an index's file and compares with what its checkpoint says.
func verifyIndex(db *bolt.DB) (checkpoint, error) {
	var said checkpoint
	err := db.View(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(checkpointBucket)
		if bucket == nil {
			return errors.New("it has no checkpoint")
		}
		var err error
		if said, err = decodeCheckpoint(bucket.Get(checkpointKey)); err != nil {
			return err
		}
		return sumUp(tx, said)
	})
	return said, err
}

func sumUp(tx *bolt.Tx, said checkpoint) error {
	var entries, sum uint64
	for _, name := range [][]byte{stateBucket, transactionBucket} {
		bucket := tx.Bucket(name)
		if bucket == nil {
			return fmt.Errorf("it has no bucket %s", name)
		}
		cursor := bucket.Cursor()
		for key, value := cursor.First(); key != nil && entries <= said.entries; key, value = cursor.Next() {
			entries, sum = entries+1, sum+entrySum(name, key, value)
		}
	}
	if entries != said.entries || sum != said.sum {
		return fmt.Errorf("it is damaged: its %d entries do not add up to what its checkpoint says", entries)
	}
	return nil
}

func (i *index) add(data []byte, at int64) error {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	err := i.fresh.add(data, at)
	i.height = i.fresh.number
	return err
}

// pending is how many entries wait to be written to the file.
func (i *index) pending() int {
	i.mutex.RLock()
	defer i.mutex.RUnlock()
	n := i.fresh.size()
	if i.flushing != nil {
		n += i.flushing.size()
	}
	return n
}

// write brings the file up to what is in memory. A layer that could not be written stays, and is tried again.
func (i *index) write() error {
	layer := i.turn()
	if layer == nil {
		return nil
	}
	next := i.checkpoint
	next.number, next.head = layer.number, layer.head
	err := i.db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{transactionBucket, stateBucket} {
			if err := next.put(tx.Bucket(name), name, layer.bucket(name)); err != nil {
				return err
			}
		}
		return tx.Bucket(checkpointBucket).Put(checkpointKey, next.encode())
	})
	if err != nil {
		return fmt.Errorf("write the index: %w", err)
	}
	i.checkpoint = next
	i.mutex.Lock()
	i.flushing = nil
	i.mutex.Unlock()
	return nil
}

func (i *index) turn() *layer {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if i.flushing == nil && i.fresh.number > i.checkpoint.number {
		i.flushing, i.fresh = i.fresh, newLayer()
	}
	return i.flushing
}

// put writes entries in the order of their keys, which is what a B+tree is quick at.
func (c *checkpoint) put(bucket *bolt.Bucket, name []byte, entries map[string]change) error {
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		value := entries[key].encode()
		if old := bucket.Get([]byte(key)); old != nil {
			c.entries, c.sum = c.entries-1, c.sum-entrySum(name, []byte(key), old)
		}
		c.entries, c.sum = c.entries+1, c.sum+entrySum(name, []byte(key), value)
		if err := bucket.Put([]byte(key), value); err != nil {
			return err
		}
	}
	return nil
}

// unsynced makes much of the file without syncing each step. When it is cut short, the next start notices and begins again.
func (i *index) unsynced(fill func() error) error {
	i.db.NoSync = true
	defer func() { i.db.NoSync = false }()
	if err := fill(); err != nil {
		return err
	}
	if err := i.db.Sync(); err != nil {
		return fmt.Errorf("sync the index: %w", err)
	}
	return nil
}

func (i *index) close() error { return i.db.Close() }

// view looks at the index as it is now: everything that visit finds belongs to one height, while blocks go on arriving.
func (i *index) view(visit func(v indexView) error) error {
	v, err := i.snapshot()
	if err != nil {
		return fmt.Errorf("read the index: %w", err)
	}
	defer v.tx.Rollback()
	return visit(v)
}

func (i *index) snapshot() (indexView, error) {
	i.mutex.RLock()
	defer i.mutex.RUnlock()
	tx, err := i.db.Begin(false)
	return indexView{i, tx, i.height, []*layer{i.fresh, i.flushing}}, err
}

type indexView struct {
	index  *index
	tx     *bolt.Tx
	height uint64
	layers []*layer // newest first
}

func (v indexView) state(key string) (entry, bool, error) { return v.find(stateBucket, key) }

func (v indexView) transaction(id txid) (entry, bool, error) {
	return v.find(transactionBucket, string(id[:]))
}

func (v indexView) find(bucket []byte, key string) (entry, bool, error) {
	if found, ok := v.inMemory(bucket, key); ok {
		return found, true, nil
	}
	data := v.tx.Bucket(bucket).Get([]byte(key))
	if data == nil {
		return entry{}, false, nil
	}
	found, err := decodeEntry(data)
	return found, err == nil, err
}

func (v indexView) inMemory(bucket []byte, key string) (entry, bool) {
	v.index.mutex.RLock()
	defer v.index.mutex.RUnlock()
	for _, layer := range v.layers {
		if layer == nil {
			continue
		}
		if found, ok := layer.find(bucket, key, v.height); ok {
			return found, true
		}
	}
	return entry{}, false
}
