package embedded

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

const (
	blockContext = "custody.block.1"
	headerSize   = 8 + 32 + 32
)

type digest = [sha256.Size]byte

type header struct {
	number   uint64
	previous digest
	data     digest
}

func (h header) encode() []byte {
	dst := binary.BigEndian.AppendUint64(make([]byte, 0, headerSize), h.number)
	dst = append(dst, h.previous[:]...)
	return append(dst, h.data[:]...)
}

func (h header) hash() digest {
	return sha256.Sum256(append([]byte(blockContext), h.encode()...))
}

func decodeHeader(data []byte) (header, error) {
	if len(data) != headerSize {
		return header{}, fmt.Errorf("header has %d bytes, not %d", len(data), headerSize)
	}
	h := header{number: binary.BigEndian.Uint64(data)}
	copy(h.previous[:], data[8:])
	copy(h.data[:], data[40:])
	return h, nil
}

// block keeps its transactions as the bytes that were hashed; transaction.go reads them.
type block struct {
	header       header
	transactions [][]byte
	signature    []byte
}

func (b block) encode() []byte {
	return fields(b.header.encode(), fields(b.transactions...), b.signature)
}

func decodeBlock(data []byte) (block, error) {
	parts, err := whole(data).split(3)
	if err != nil {
		return block{}, fmt.Errorf("read block: %w", err)
	}
	b := block{signature: parts[2].bytes()}
	if b.header, err = decodeHeader(parts[0].bytes()); err != nil {
		return block{}, err
	}
	err = parts[1].each(func(_ int, tx span) error {
		b.transactions = append(b.transactions, tx.bytes())
		return nil
	})
	if err != nil {
		return block{}, fmt.Errorf("read the transactions of block %d: %w", b.header.number, err)
	}
	return b, nil
}

// dataHash is the hash of the transactions' hashes, so that one transaction can be proved without the others' bytes.
func dataHash(transactions [][]byte) digest {
	hash := sha256.New()
	for _, tx := range transactions {
		sum := sha256.Sum256(tx)
		hash.Write(sum[:])
	}
	return digest(hash.Sum(nil))
}

func sealBlock(number uint64, previous digest, transactions [][]byte, key ed25519.PrivateKey) block {
	b := block{header: header{number, previous, dataHash(transactions)}, transactions: transactions}
	hash := b.header.hash()
	b.signature = ed25519.Sign(key, hash[:])
	return b
}

// verify checks what a block says of itself: that its header covers its transactions and that the ledger signed it.
func (b block) verify(key ed25519.PublicKey) error {
	if dataHash(b.transactions) != b.header.data {
		return fmt.Errorf("block %d: its transactions do not hash to its data hash", b.header.number)
	}
	hash := b.header.hash()
	if !ed25519.Verify(key, hash[:], b.signature) {
		return fmt.Errorf("block %d: the ledger's signature does not verify", b.header.number)
	}
	return nil
}
