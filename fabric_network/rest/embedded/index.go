package embedded

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

var (
	stateBucket       = []byte("state")
	transactionBucket = []byte("transactions")
	checkpointBucket  = []byte("checkpoint")
	checkpointKey     = []byte("newest")
)

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
