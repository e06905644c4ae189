package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"sync/atomic"
)

const (
	frameOverhead = 8 // length before, CRC after
	maxBlock      = 32 << 20
	minBlock      = 3*4 + headerSize // also keeps zeros, whose checksum is zero, from being a frame
)

// errUnsettled says that a failed block could not be cut off again: whether it will be there after a crash is unknown.
var errUnsettled = errors.New("the block could neither be made durable nor removed")

// blockLog is blocks.log: frames one after the other, of which only whole and durable ones can be read.
type blockLog struct {
	disk    disk
	settled atomic.Bool // false while bytes of a failed block may lie after the end

	mutex  sync.RWMutex
	starts []int64 // where frame n starts; one more than there are blocks, the last being the end
	head   digest  // hash of the newest block
}

func (l *blockLog) blocks() uint64 {
	l.mutex.RLock()
	defer l.mutex.RUnlock()
	return uint64(len(l.starts) - 1)
}

func (l *blockLog) newest() (number uint64, head digest) {
	l.mutex.RLock()
	defer l.mutex.RUnlock()
	return uint64(len(l.starts) - 2), l.head
}

func (l *blockLog) end() int64 {
	l.mutex.RLock()
	defer l.mutex.RUnlock()
	return l.starts[len(l.starts)-1]
}

func frame(block []byte) []byte {
	dst := binary.BigEndian.AppendUint32(make([]byte, 0, len(block)+frameOverhead), uint32(len(block)))
	dst = append(dst, block...)
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(block, castagnoli))
}

// append makes a block durable and answers where its bytes lie. When it fails, the block is gone, or errUnsettled.
func (l *blockLog) append(b block) (data []byte, at int64, err error) {
	if err := l.settle(); err != nil {
		return nil, 0, err
	}
	data, at = b.encode(), l.end()
	if len(data) > maxBlock {
		return nil, 0, fmt.Errorf("block %d of %d bytes is over %d", b.header.number, len(data), maxBlock)
	}
	if err := l.writeDurably(frame(data), at); err != nil {
		l.settled.Store(false)
		if l.settle() != nil {
			return nil, 0, fmt.Errorf("%w; %w", err, errUnsettled)
		}
		return nil, 0, err
	}
	l.grow(at+int64(len(data)+frameOverhead), b.header.hash())
	return data, at + 4, nil
}

func (l *blockLog) writeDurably(frame []byte, at int64) error {
	if _, err := l.disk.WriteAt(frame, at); err != nil {
		return fmt.Errorf("write a block: %w", err)
	}
	if err := l.disk.Sync(); err != nil {
		return fmt.Errorf("sync a block: %w", err)
	}
	return nil
}

func (l *blockLog) grow(end int64, head digest) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.starts = append(l.starts, end)
	l.head = head
}

// settle cuts what a failed write may have left. The sync is what makes "nothing was recorded" true after a crash, too.
func (l *blockLog) settle() error {
	if l.settled.Load() {
		return nil
	}
	if err := errors.Join(l.disk.Truncate(l.end()), l.disk.Sync()); err != nil {
		return fmt.Errorf("cut a block that failed: %w", err)
	}
	l.settled.Store(true)
	return nil
}

func (l *blockLog) read(at int64, size int) ([]byte, error) {
	data := make([]byte, size)
	if _, err := l.disk.ReadAt(data, at); err != nil {
		return nil, fmt.Errorf("read %d bytes of the log at %d: %w", size, at, err)
	}
	return data, nil
}

// frames reads whole frames from block first on, about limit bytes of them and at least one; none at the end.
func (l *blockLog) frames(first uint64, limit int64) (data []byte, at int64, err error) {
	at, end := l.reach(first, limit)
	if at == end {
		return nil, at, nil
	}
	data, err = l.read(at, int(end-at))
	return data, at, err
}

func (l *blockLog) reach(first uint64, limit int64) (at, end int64) {
	l.mutex.RLock()
	defer l.mutex.RUnlock()
	last := uint64(len(l.starts) - 1)
	if first >= last {
		return l.starts[last], l.starts[last]
	}
	at = l.starts[first]
	for next := first + 1; next <= last && (next == first+1 || l.starts[next]-at <= limit); next++ {
		end = l.starts[next]
	}
	return at, end
}

// block reads one block's bytes, nil when it does not exist.
func (l *blockLog) block(number uint64) ([]byte, error) {
	data, _, err := l.frames(number, 0)
	if err != nil || data == nil {
		return nil, err
	}
	return openFrame(data, number)
}

func openFrame(frame []byte, number uint64) ([]byte, error) {
	block := frame[4 : len(frame)-4]
	if crc32.Checksum(block, castagnoli) != binary.BigEndian.Uint32(frame[len(frame)-4:]) {
		return nil, fmt.Errorf("block %d is damaged: its checksum does not match", number)
	}
	return block, nil
}

// cutFrame takes the first block off whole frames that were checked before.
func cutFrame(frames []byte) (block, rest []byte) {
	size := binary.BigEndian.Uint32(frames)
	return frames[4 : 4+size], frames[size+frameOverhead:]
}
