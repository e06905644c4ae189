package embedded

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

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
