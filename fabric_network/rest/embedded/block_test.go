package embedded

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"reflect"
	"testing"
)

func sampleProposal() proposal {
	return proposal{genesis: digest{1}, creator: []byte("somebody"), function: "Put", arguments: []string{"key", "", "wörter"}, nonce: [nonceSize]byte{9}, claimedAt: 1790000000000}
}

func sampleTransaction() transaction {
	return transaction{
		proposal: sampleProposal().encode(), signature: []byte("signed"),
		effects: effects{
			reads:  []read{{"a", &version{7, 3}}, {"b", nil}},
			writes: []write{{"a", []byte("1")}, {"c", []byte("2")}},
			result: []byte(`{"id":"x"}`), event: "Noted.v1", payload: []byte(`{}`),
		},
	}
}

func sampleBlock() block {
	_, key, _ := ed25519.GenerateKey(bytes.NewReader(make([]byte, 32)))
	return sealBlock(5, digest{2}, [][]byte{sampleTransaction().encode(), sampleTransaction().encode()}, key)
}

func TestWhatIsEncodedIsReadBackTheSame(t *testing.T) {
	p, err := decodeProposal(sampleProposal().encode())
	if err != nil || !reflect.DeepEqual(p, sampleProposal()) {
		t.Errorf("proposal: %+v, %v", p, err)
	}
	tx, err := decodeTransaction(sampleTransaction().encode())
	if err != nil || !reflect.DeepEqual(tx, sampleTransaction()) {
		t.Errorf("transaction: %+v, %v", tx, err)
	}
	b, err := decodeBlock(sampleBlock().encode())
	if err != nil || !reflect.DeepEqual(b, sampleBlock()) {
		t.Errorf("block: %+v, %v", b, err)
	}
}

func TestTheFormatIsTheOneThatIsWrittenDown(t *testing.T) {
	b := block{header: header{number: 258, previous: digest{0xaa}, data: digest{0xbb}}, transactions: [][]byte{{1, 2}, {}}, signature: []byte{3}}
	want := "00000048" + "0000000000000102" + "aa" + zeros(31) + "bb" + zeros(31) +
		"0000000a" + "00000002" + "0102" + "00000000" +
		"00000001" + "03"
	if got := hex.EncodeToString(b.encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := hex.EncodeToString(frame([]byte("123456789"))); got != "00000009"+"313233343536373839"+"e3069283" {
		t.Errorf("frame: %s", got)
	}
}

func zeros(n int) string { return hex.EncodeToString(make([]byte, n)) }

func TestMalformedBytesAreRefused(t *testing.T) {
	tx := sampleTransaction().encode()
	unsorted := sampleTransaction()
	unsorted.effects.writes[0].key = "d"
	for name, data := range map[string][]byte{
		"nothing":               {},
		"a cut end":             tx[:len(tx)-1],
		"something behind":      append(bytes.Clone(tx), 0),
		"a huge length":         append([]byte{0xff, 0xff, 0xff, 0xff}, tx[4:]...),
		"writes out of order":   unsorted.encode(),
		"a version of 11 bytes": fields(nil, nil, fields(fields(fields([]byte("k"), make([]byte, 11))), nil, nil, nil, nil)),
	} {
		if _, err := decodeTransaction(data); err == nil {
			t.Errorf("%s was read as a transaction", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sampleBlock().encode())
	f.Add(sampleTransaction().encode())
	f.Add(sampleProposal().encode())
	f.Add(encodeCreator("Org1MSP", []byte("pem")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, err := decodeBlock(data); err == nil && !bytes.Equal(b.encode(), data) {
			t.Error("a block is not encoded as it was read")
		}
		if tx, err := decodeTransaction(data); err == nil && !bytes.Equal(tx.encode(), data) {
			t.Error("a transaction is not encoded as it was read")
		}
		if p, err := decodeProposal(data); err == nil && !bytes.Equal(p.encode(), data) {
			t.Error("a proposal is not encoded as it was read")
		}
		if msp, certificate, err := decodeCreator(data); err == nil && !bytes.Equal(encodeCreator(msp, certificate), data) {
			t.Error("a creator is not encoded as it was read")
		}
		newLayer().add(data, 0)
		newWalk(bytes.NewReader(data), int64(len(data))).each(func(uint64, []byte) error { return nil })
	})
}
