package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const acknowledgedSize = 12

// acknowledged remembers the newest block whose transactions somebody may have been told of. It is written after the
// block's fsync and not synced itself: it can be behind, never ahead.
type acknowledged struct{ disk disk }

func (a acknowledged) write(number uint64) error {
	data := binary.BigEndian.AppendUint64(make([]byte, 0, acknowledgedSize), number)
	data = binary.BigEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
	if _, err := a.disk.WriteAt(data, 0); err != nil {
		return fmt.Errorf("write the acknowledged mark: %w", err)
	}
	return nil
}

// read answers nil when there is no legible mark.
func (a acknowledged) read() *uint64 {
	data := make([]byte, acknowledgedSize)
	if n, _ := a.disk.ReadAt(data, 0); n != acknowledgedSize {
		return nil
	}
	if crc32.Checksum(data[:8], castagnoli) != binary.BigEndian.Uint32(data[8:]) {
		return nil
	}
	number := binary.BigEndian.Uint64(data)
	return &number
}
