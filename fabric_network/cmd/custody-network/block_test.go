package main

import (
	"crypto/sha256"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func encoded(number uint64, previous []byte, envelopes ...string) []byte {
	var data, all []byte
	for _, envelope := range envelopes {
		data = protowire.AppendBytes(protowire.AppendTag(data, 1, protowire.BytesType), []byte(envelope))
		all = append(all, envelope...)
	}
	hash := sha256.Sum256(all)
	var h []byte
	if number > 0 {
		h = protowire.AppendVarint(protowire.AppendTag(h, 1, protowire.VarintType), number)
	}
	if len(previous) > 0 {
		h = protowire.AppendBytes(protowire.AppendTag(h, 2, protowire.BytesType), previous)
	}
	h = protowire.AppendBytes(protowire.AppendTag(h, 3, protowire.BytesType), hash[:])
	block := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), h)
	block = protowire.AppendBytes(protowire.AppendTag(block, 2, protowire.BytesType), data)
	return protowire.AppendBytes(protowire.AppendTag(block, 3, protowire.BytesType), []byte("metadata"))
}

func TestTheGenesisHashIsThatOfTheHeaderInDER(t *testing.T) {
	data := sha256.Sum256([]byte("onetwo"))
	header := slices.Concat([]byte{0x30, 39, 0x02, 1, 0, 0x04, 0, 0x04, 32}, data[:])
	got, err := genesisHash(encoded(0, nil, "one", "two"))
	if want := sha256.Sum256(header); err != nil || got != want {
		t.Fatalf("got %x, %v; want %x", got, err, want)
	}
}

func TestWhatIsNoFirstBlockHasNoGenesisHash(t *testing.T) {
	changed := encoded(0, nil, "one")
	changed[slices.Index(changed, 'o')] ^= 1
	for name, block := range map[string][]byte{
		"nothing":           nil,
		"a later block":     encoded(7, make([]byte, 32), "one"),
		"a cut block":       encoded(0, nil, "one")[:20],
		"other data":        changed,
		"a block after one": encoded(0, make([]byte, 32), "one"),
	} {
		if hash, err := genesisHash(block); err == nil {
			t.Errorf("%s: got %x", name, hash)
		}
	}
}
