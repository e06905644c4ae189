package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"os"

	"google.golang.org/protobuf/encoding/protowire"
)

// header is what a block's hash is taken of, in Fabric's own encoding.
type header struct {
	Number   *big.Int
	Previous []byte
	Data     []byte
}

var errBlock = errors.New("these are not the bytes of a block")

func printGenesis(arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("genesis takes the file of a block")
	}
	block, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	hash, err := genesisHash(block)
	if err != nil {
		return fmt.Errorf("%s: %w", arguments[0], err)
	}
	fmt.Printf("%x\n", hash)
	return nil
}

// genesisHash is the trust anchor of a channel: the hash of its block 0, whose header must fit its data.
func genesisHash(block []byte) ([32]byte, error) {
	h := header{Number: new(big.Int), Previous: []byte{}}
	var data []byte
	err := fields(block, func(number protowire.Number, value []byte) error {
		switch number {
		case 1:
			return fields(value, h.set)
		case 2:
			return fields(value, func(_ protowire.Number, envelope []byte) error {
				data = append(data, envelope...)
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return [32]byte{}, err
	}
	if expected := sha256.Sum256(data); !bytes.Equal(expected[:], h.Data) {
		return [32]byte{}, errors.New("the block's header does not fit its data")
	}
	if h.Number.Sign() != 0 || len(h.Previous) != 0 {
		return [32]byte{}, errors.New("this block is not the first of a channel")
	}
	der, err := asn1.Marshal(h)
	return sha256.Sum256(der), err
}

func (h *header) set(number protowire.Number, value []byte) error {
	switch number {
	case 1:
		n, _ := protowire.ConsumeVarint(value)
		h.Number.SetUint64(n)
	case 2:
		h.Previous = value
	case 3:
		h.Data = value
	}
	return nil
}

// fields hands over a message's fields: the content of those with a length, the varint of the others.
func fields(message []byte, take func(protowire.Number, []byte) error) error {
	for len(message) > 0 {
		number, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return errBlock
		}
		message = message[size:]
		size = protowire.ConsumeFieldValue(number, kind, message)
		if size < 0 {
			return errBlock
		}
		value := message[:size]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		if err := take(number, value); err != nil {
			return err
		}
		message = message[size:]
	}
	return nil
}
