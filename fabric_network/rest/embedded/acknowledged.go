package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const markSize = 12

// acknowledged remembers the newest block whose transactions somebody may have been told of. It is written after the
// block's fsync and not synced itself: it can be behind, never ahead. Two marks are written in turn, so that one that
// was torn leaves the one before it.
type acknowledged struct{ disk disk }

func (a acknowledged) write(number uint64) error {
	data := binary.BigEndian.AppendUint64(make([]byte, 0, markSize), number)
	data = binary.BigEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
	if _, err := a.disk.WriteAt(data, int64(number%2)*markSize); err != nil {
		return fmt.Errorf("write the acknowledged mark: %w", err)
	}
	return nil
}

// read answers nil when there is no legible mark.
func (a acknowledged) read() (newest *uint64) {
	data := make([]byte, 2*markSize)
	n, _ := a.disk.ReadAt(data, 0)
	for rest := data[:n]; len(rest) >= markSize; rest = rest[markSize:] {
		number := binary.BigEndian.Uint64(rest)
		if crc32.Checksum(rest[:8], castagnoli) == binary.BigEndian.Uint32(rest[8:]) && (newest == nil || number > *newest) {
			newest = &number
		}
	}
	return newest
}
