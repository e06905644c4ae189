package embedded

import (
	"encoding/binary"
	"fmt"
)

// values reads what the index points at.
type values struct{ log *blockLog }

func (v *values) get(i indexView, key string) ([]byte, version, bool, error) {
	place, found, err := i.state(key)
	if err != nil || !found {
		return nil, version{}, false, err
	}
	value, err := v.value(key, place)
	return value, place.version, err == nil, err
}

// value reads a value with the key that lies before it in the block: an index that points elsewhere is noticed.
func (v *values) value(key string, place entry) ([]byte, error) {
	before := len(key) + 4
	data, err := v.log.read(place.at-int64(before), before+int(place.size))
	if err != nil {
		return nil, err
	}
	if string(data[:len(key)]) != key || binary.BigEndian.Uint32(data[len(key):]) != place.size {
		return nil, fmt.Errorf("the index points at a wrong place for %q; delete index.db and start again", key)
	}
	return data[before:], nil
}

func (v *values) transaction(place entry) (transaction, error) {
	data, err := v.log.read(place.at, int(place.size))
	if err != nil {
		return transaction{}, err
	}
	return decodeTransaction(data)
}
