package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errShort = errors.New("a field runs past its end")

func appendField(dst, field []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(field)))
	return append(dst, field...)
}

func fields(parts ...[]byte) []byte {
	size := 0
	for _, part := range parts {
		size += 4 + len(part)
	}
	dst := make([]byte, 0, size)
	for _, part := range parts {
		dst = appendField(dst, part)
	}
	return dst
}

// span is a part of data, data[at:end]. Its positions stay those of data however deep it was found, so that a
// value inside a block can be read again from the log by its position alone.
type span struct {
	data    []byte
	at, end int
}

func whole(data []byte) span { return span{data, 0, len(data)} }

func (s span) bytes() []byte { return s.data[s.at:s.end:s.end] }
func (s span) size() int     { return s.end - s.at }

// next cuts the first field off s.
func (s *span) next() (span, error) {
	if s.size() < 4 {
		return span{}, errShort
	}
	size := binary.BigEndian.Uint32(s.data[s.at:])
	if uint64(size) > uint64(s.size()-4) {
		return span{}, errShort
	}
	field := span{s.data, s.at + 4, s.at + 4 + int(size)}
	s.at = field.end
	return field, nil
}

// split reads s as exactly n fields with nothing after them.
func (s span) split(n int) ([]span, error) {
	parts := make([]span, n)
	for i := range parts {
		var err error
		if parts[i], err = s.next(); err != nil {
			return nil, err
		}
	}
	if s.size() != 0 {
		return nil, fmt.Errorf("%d bytes follow field %d", s.size(), n)
	}
	return parts, nil
}

// each visits the fields of s one after the other.
func (s span) each(visit func(i int, field span) error) error {
	for i := 0; s.size() > 0; i++ {
		field, err := s.next()
		if err != nil {
			return err
		}
		if err := visit(i, field); err != nil {
			return err
		}
	}
	return nil
}
