package embedded

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"hash/fnv"
	"maps"
	"slices"

	bolt "go.etcd.io/bbolt"
)

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
	dst = binary.BigEndian.AppendUint64(dst, c.sum)
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst, castagnoli))
}

const checkpointSize = 32 + 8 + 32 + 8 + 8 // and a CRC: the sum speaks of the entries only

func decodeCheckpoint(data []byte) (checkpoint, error) {
	if len(data) != checkpointSize+4 {
		return checkpoint{}, errors.New("it has no checkpoint")
	}
	if crc32.Checksum(data[:checkpointSize], castagnoli) != binary.BigEndian.Uint32(data[checkpointSize:]) {
		return checkpoint{}, errors.New("its checkpoint is damaged")
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
