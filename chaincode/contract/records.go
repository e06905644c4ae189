package contract

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

const (
	largest   = 1<<53 - 1 // what every JSON reader holds exactly
	deepest   = 16        // levels of a record
	anyDepth  = 64        // states and events wrap records
	narrow    = 16 * 1024
	wide      = 512 * 1024
	itemLimit = 2 * 1024
)

// Object is a JSON object. Its values are Object, []any, string, bool and int64; Encode takes int as well.
//
// What reads a field panics when it is not there or of another kind: a record was held against its schema, and a
// state was written by the contract, so that would be a mistake of the program.
type Object map[string]any

func (o Object) text(key string) string        { return o[key].(string) }
func (o Object) number(key string) int64       { return o[key].(int64) }
func (o Object) flag(key string) bool          { return o[key].(bool) }
func (o Object) object(key string) Object      { return o[key].(Object) }
func (o Object) list(key string) []any         { return o[key].([]any) }
func (o Object) texts(key string) []string     { return each[string](o.list(key)) }
func (o Object) objects(key string) []Object   { return each[Object](o.list(key)) }
func (o Object) with(key string, v any) Object { return o.and(Object{key: v}) }

// and returns a copy of o in which more replaces and adds.
func (o Object) and(more Object) Object {
	both := Object{}
	maps.Copy(both, o)
	maps.Copy(both, more)
	return both
}

func each[T any](values []any) []T {
	all := make([]T, len(values))
	for i, value := range values {
		all[i] = value.(T)
	}
	return all
}

// ID of a record: the hex SHA-256 of its bytes.
func ID(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Parse reads a record's canonical bytes. What would not encode to the very same bytes is refused.
func Parse(data []byte, limit int) (Object, error) {
	if len(data) > limit {
		return nil, fmt.Errorf("%d bytes are over the limit of %d", len(data), limit)
	}
	return parse(data, deepest)
}

func parse(data []byte, depth int) (Object, error) {
	s := &scanner{data: data, depth: depth}
	if s.peek() != '{' {
		return nil, s.wrong("a record is an object and starts with {")
	}
	value, err := s.object(1)
	if err != nil {
		return nil, err
	}
	if s.at < len(data) {
		return nil, s.wrong("something follows the record")
	}
	return value, sameBytes(data, Encode(value))
}

func sameBytes(given, canonical []byte) error {
	if bytes.Equal(given, canonical) {
		return nil
	}
	at := 0
	for at < min(len(given), len(canonical)) && given[at] == canonical[at] {
		at++
	}
	return fmt.Errorf("byte %d: not the canonical way to write this value", at)
}

// scanner reads JSON itself: encoding/json would take the last of two equal keys, match keys in any case,
// turn large integers into floats and lone surrogates into U+FFFD, all without a word.
type scanner struct {
	data      []byte
	at, depth int
}

func (s *scanner) wrong(format string, values ...any) error {
	return fmt.Errorf("byte %d: %s", s.at, fmt.Sprintf(format, values...))
}

func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

func (s *scanner) take(b byte) bool {
	if s.peek() != b || s.at >= len(s.data) {
		return false
	}
	s.at++
	return true
}

func (s *scanner) value(level int) (any, error) {
	switch c := s.peek(); {
	case c == '{':
		return s.object(level)
	case c == '[':
		return s.array(level)
	case c == '"':
		return s.text()
	case c == '-' || c >= '0' && c <= '9':
		return s.integer()
	case s.word("true"):
		return true, nil
	case s.word("false"):
		return false, nil
	case s.word("null"):
		return nil, s.wrong("null is no value of a record")
	}
	return nil, s.noValue()
}

func (s *scanner) noValue() error {
	switch c := s.peek(); {
	case s.at >= len(s.data):
		return s.wrong("the record is cut off")
	case strings.IndexByte(" \t\r\n", c) >= 0:
		return s.wrong("a record has no spaces")
	default:
		return s.wrong("%q starts no value", c)
	}
}

func (s *scanner) word(word string) bool {
	if !bytes.HasPrefix(s.data[s.at:], []byte(word)) {
		return false
	}
	s.at += len(word)
	return true
}

func (s *scanner) object(level int) (Object, error) {
	if level > s.depth {
		return nil, s.wrong("more than %d levels deep", s.depth)
	}
	s.at++
	found, last := Object{}, ""
	for !s.take('}') {
		if len(found) > 0 && !s.take(',') {
			return nil, s.wrong("a comma or } is missing")
		}
		key, err := s.key(last)
		if err != nil {
			return nil, err
		}
		if found[key], err = s.value(level + 1); err != nil {
			return nil, err
		}
		last = key
	}
	return found, nil
}

func (s *scanner) key(last string) (string, error) {
	start := s.at
	if s.peek() != '"' {
		return "", s.wrong("a key in double quotes is missing")
	}
	key, err := s.text()
	if err != nil {
		return "", err
	}
	switch {
	case !isKey(key):
		s.at = start
		return "", s.wrong("%q is no key: keys are 1 to 64 of A-Z a-z 0-9 . _ -", key)
	case key == last:
		return "", s.wrong("the key %q stands twice", key)
	case key < last:
		return "", s.wrong("the key %q stands after %q: keys are sorted", key, last)
	case !s.take(':'):
		return "", s.wrong("a colon is missing")
	}
	return key, nil
}

func (s *scanner) array(level int) ([]any, error) {
	if level > s.depth {
		return nil, s.wrong("more than %d levels deep", s.depth)
	}
	s.at++
	found := []any{}
	for !s.take(']') {
		if len(found) > 0 && !s.take(',') {
			return nil, s.wrong("a comma or ] is missing")
		}
		value, err := s.value(level + 1)
		if err != nil {
			return nil, err
		}
		found = append(found, value)
	}
	return found, nil
}

func (s *scanner) integer() (int64, error) {
	start, negative := s.at, s.take('-')
	digits := s.at
	var n int64
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		if n = n*10 + int64(c-'0'); n > largest {
			return 0, s.wrong("an integer must be below 2^53")
		}
		s.at++
	}
	switch c := s.peek(); {
	case c == '.' || c == 'e' || c == 'E':
		return 0, s.wrong("no floats: integers in basis points, millionths or milliseconds only")
	case s.at == digits:
		return 0, s.wrong("a digit is missing")
	case s.data[digits] == '0' && (negative || s.at > digits+1):
		s.at = start
		return 0, s.wrong("no -0 and no leading zeros")
	}
	if negative {
		return -n, nil
	}
	return n, nil
}

var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (s *scanner) text() (string, error) {
	s.at++
	var b strings.Builder
	for {
		c := s.peek()
		switch {
		case s.at >= len(s.data):
			return "", s.wrong("the record is cut off inside a string")
		case c < 0x20 || c > 0x7e:
			return "", s.wrong("byte 0x%02x must be escaped: records are printable ASCII", c)
		}
		s.at++
		switch c {
		case '"':
			return b.String(), nil
		case '\\':
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		default:
			b.WriteByte(c)
		}
	}
}

func (s *scanner) escape() (rune, error) {
	c := s.peek()
	if r, ok := escapes[c]; ok {
		s.at++
		return r, nil
	}
	if c != 'u' {
		return 0, s.wrong("an unknown escape")
	}
	high, err := s.unit()
	if err != nil || !utf16.IsSurrogate(high) {
		return high, err
	}
	if !bytes.HasPrefix(s.data[s.at:], []byte(`\u`)) {
		return 0, s.wrong("a lone surrogate")
	}
	s.at++
	low, err := s.unit()
	if err != nil {
		return 0, err
	}
	pair := utf16.DecodeRune(high, low)
	if pair == '�' {
		return 0, s.wrong("a lone surrogate")
	}
	return pair, nil
}

func (s *scanner) unit() (rune, error) {
	s.at++
	var raw [2]byte
	if s.at+4 > len(s.data) {
		return 0, s.wrong(`\u needs four hex digits`)
	}
	if _, err := hex.Decode(raw[:], s.data[s.at:s.at+4]); err != nil {
		return 0, s.wrong(`\u needs four hex digits`)
	}
	s.at += 4
	return rune(raw[0])<<8 | rune(raw[1]), nil
}

// Encode writes a tree canonically. A value of another type is a mistake of the program, and panics.
func Encode(tree Object) []byte { return appendValue(nil, tree) }

func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case Object:
		return appendObject(b, v)
	case []any:
		return appendArray(b, v)
	case string:
		return appendText(b, v)
	case int64:
		return appendInteger(b, v)
	case int:
		return appendInteger(b, int64(v))
	case bool:
		return fmt.Appendf(b, "%t", v)
	}
	panic(fmt.Sprintf("%T has no place in a record", value))
}

func appendObject(b []byte, o Object) []byte {
	b = append(b, '{')
	for i, key := range sortedKeys(o) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, key)
		b = append(b, ':')
		b = appendValue(b, o[key])
	}
	return append(b, '}')
}

func appendArray(b []byte, values []any) []byte {
	b = append(b, '[')
	for i, value := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendValue(b, value)
	}
	return append(b, ']')
}

var errTooLarge = errors.New("an integer must be below 2^53")

func appendInteger(b []byte, n int64) []byte {
	if n < -largest || n > largest {
		panic(errTooLarge)
	}
	return fmt.Appendf(b, "%d", n)
}

var shorts = map[rune]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

func appendText(b []byte, text string) []byte {
	b = append(b, '"')
	for _, r := range text {
		short, named := shorts[r]
		switch {
		case named:
			b = append(b, '\\', short)
		case r >= 0x20 && r <= 0x7e:
			b = append(b, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return append(b, '"')
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// isKey is [A-Za-z0-9._-]{1,64}; spelled out, because every key of every record and state passes here.
func isKey(key string) bool {
	for _, r := range key {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && r != '.' && r != '_' && r != '-' {
			return false
		}
	}
	return len(key) >= 1 && len(key) <= 64
}
