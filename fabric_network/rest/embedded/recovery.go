package embedded

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// damage is a frame that cannot be read. It may be the torn end of a write that nobody was told of.
type damage struct {
	number uint64
	at     int64
	reason string
}

func (d *damage) Error() string {
	return fmt.Sprintf("block %d at byte %d is damaged: %s", d.number, d.at, d.reason)
}

// tear is the unacknowledged rest of a write that a crash interrupted.
type tear struct {
	number uint64
	at     int64
	size   int64
}

// recoverLog walks every frame (length, CRC, number, hash chain). A torn tail is cut and reported; anything else that is
// wrong refuses, naming the block. promised is the newest block known to be acknowledged, nil when nothing legible says so.
func recoverLog(d disk, promised *uint64) (*blockLog, *tear, error) {
	size, err := d.Size()
	if err != nil {
		return nil, nil, fmt.Errorf("measure the log: %w", err)
	}
	log := &blockLog{disk: d, starts: []int64{0}}
	log.settled.Store(true)
	walk := newWalk(d, size)
	err = walk.each(func(number uint64, block []byte) error {
		log.starts, log.head = append(log.starts, walk.at), walk.previous
		return nil
	})
	var bad *damage
	if errors.As(err, &bad) {
		return log.cutTear(bad, size, promised)
	}
	if err != nil {
		return nil, nil, err
	}
	return log, nil, log.keepsPromise(promised)
}

func (l *blockLog) keepsPromise(promised *uint64) error {
	if promised != nil && l.blocks() <= *promised {
		return fmt.Errorf("block %d was acknowledged and is missing: the log ends before it", l.blocks())
	}
	return nil
}

func (l *blockLog) cutTear(bad *damage, size int64, promised *uint64) (*blockLog, *tear, error) {
	if err := l.mayBeTorn(bad, size, promised); err != nil {
		return nil, nil, fmt.Errorf("%w (%w)", bad, err)
	}
	l.settled.Store(false)
	if err := l.settle(); err != nil {
		return nil, nil, err
	}
	return l, &tear{bad.number, bad.at, size - bad.at}, l.keepsPromise(promised)
}

// mayBeTorn explains why a bad frame cannot be what one interrupted write left, or answers nil. Blocks are written one
// at a time and synced before the next, so a tear is at most one frame, the last, and never an acknowledged one.
func (l *blockLog) mayBeTorn(bad *damage, size int64, promised *uint64) error {
	rest := size - bad.at
	switch {
	case promised == nil:
		return errors.New("nothing legible says that it was not acknowledged")
	case bad.number <= *promised:
		return errors.New("it was acknowledged")
	case rest > maxBlock+frameOverhead:
		return errors.New("more follows it than one write can leave")
	}
	data, err := l.read(bad.at, int(rest))
	if err != nil {
		return err
	}
	if frameIn(data, bad.number+1) {
		return fmt.Errorf("block %d follows it whole", bad.number+1)
	}
	return nil
}

// frameIn looks for a whole frame of that number anywhere in data: the length of a damaged frame cannot be trusted to skip it.
func frameIn(data []byte, number uint64) bool {
	opening := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, headerSize), number)
	for from := 4; from < len(data); {
		found := bytes.Index(data[from:], opening)
		if found < 0 {
			return false
		}
		from += found
		size := uint64(binary.BigEndian.Uint32(data[from-4:]))
		if rest := data[from:]; size+4 <= uint64(len(rest)) &&
			crc32.Checksum(rest[:size], castagnoli) == binary.BigEndian.Uint32(rest[size:]) {
			return true
		}
		from++
	}
	return false
}

// walk reads a log from its first byte and trusts nothing in it.
type walk struct {
	in       *bufio.Reader
	size     int64
	at       int64
	number   uint64
	previous digest
	buffer   []byte
}

func newWalk(in io.ReaderAt, size int64) *walk {
	return &walk{in: bufio.NewReaderSize(io.NewSectionReader(in, 0, size), 1<<20), size: size}
}

// each visits every block; the bytes are only good during the visit. walk.at and walk.previous then speak of its end.
func (w *walk) each(visit func(number uint64, block []byte) error) error {
	for w.at < w.size {
		block, err := w.frame()
		if err != nil {
			return err
		}
		if err := w.follow(block); err != nil {
			return err
		}
		if err := visit(w.number-1, block); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) bad(reason string) error { return &damage{w.number, w.at, reason} }

func (w *walk) frame() ([]byte, error) {
	var length [4]byte
	if w.size-w.at < frameOverhead {
		return nil, w.bad("it is cut off")
	}
	if _, err := io.ReadFull(w.in, length[:]); err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	size := int64(binary.BigEndian.Uint32(length[:]))
	if size < minBlock || size > maxBlock {
		return nil, w.bad("its length is impossible")
	}
	if size > w.size-w.at-frameOverhead {
		return nil, w.bad("it is cut off")
	}
	return w.checked(int(size))
}

func (w *walk) checked(size int) ([]byte, error) {
	if cap(w.buffer) < size+4 {
		w.buffer = make([]byte, size+4)
	}
	data := w.buffer[:size+4]
	if _, err := io.ReadFull(w.in, data); err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	if crc32.Checksum(data[:size], castagnoli) != binary.BigEndian.Uint32(data[size:]) {
		return nil, w.bad("its checksum does not match")
	}
	return data[:size], nil
}

// follow checks that a block with a good checksum continues the chain. One that does not was not torn but put there.
func (w *walk) follow(block []byte) error {
	s := whole(block)
	field, err := s.next()
	if err != nil {
		return fmt.Errorf("block %d: %w", w.number, err)
	}
	h, err := decodeHeader(field.bytes())
	if err != nil {
		return fmt.Errorf("block %d: %w", w.number, err)
	}
	if h.number != w.number {
		return fmt.Errorf("block %d says that it is block %d", w.number, h.number)
	}
	if h.previous != w.previous {
		return fmt.Errorf("block %d does not continue block %d: the hash chain is broken", w.number, int64(w.number)-1)
	}
	w.number, w.at, w.previous = w.number+1, w.at+int64(len(block)+frameOverhead), h.hash()
	return nil
}
