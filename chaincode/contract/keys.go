package contract

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"slices"
)

// Under a key of low order, one signature is good for many messages: who registers such a key could later deny, or
// be credited with, anything. Under a non-canonical encoding one key would have two names, and a barred key could come
// back as the other. Ed25519 itself, and Go's verification of it, takes both.

var (
	fieldPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

	// lowOrder are the y of the eight points whose order divides 8, in canonical hex; the sign of x is left out.
	lowOrder = []string{
		"0000000000000000000000000000000000000000000000000000000000000000", // order 4
		"0100000000000000000000000000000000000000000000000000000000000000", // order 1
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
	}
)

func signingKeyFits(public string) error {
	raw, err := hex.DecodeString(public)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return refuse(BadRecord, "%s is not an Ed25519 public key", public)
	}
	raw[31] &= 0x7f
	return first(
		demand(canonical(raw), Refused, "the Ed25519 key %s is not in canonical form", public),
		demand(!slices.Contains(lowOrder, hex.EncodeToString(raw)), Refused, "the Ed25519 key %s is of low order", public),
	)
}

// canonical tells whether a little-endian coordinate is below the prime.
func canonical(coordinate []byte) bool {
	bigEndian := slices.Clone(coordinate)
	slices.Reverse(bigEndian)
	return new(big.Int).SetBytes(bigEndian).Cmp(fieldPrime) < 0
}

// anySecret serves to find public keys with which every shared secret is zero.
var anySecret = slices.Repeat([]byte{9}, 32)

// sealingKeyFits refuses X25519 keys of low order, because what is sealed to them is open to all, and other
// encodings than the one that key ids are made of.
func sealingKeyFits(public string) error {
	raw, err := hex.DecodeString(public)
	if err != nil || len(raw) != 32 {
		return refuse(BadRecord, "%s is not an X25519 public key", public)
	}
	return first(
		demand(canonical(raw), Refused, "the X25519 key %s is not in canonical form", public),
		demand(!sharesZero(raw), Refused, "the X25519 key %s is of low order", public),
	)
}

func sharesZero(public []byte) bool {
	secret, err := ecdh.X25519().NewPrivateKey(anySecret)
	if err != nil {
		return true
	}
	key, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return true
	}
	_, err = secret.ECDH(key)
	return err != nil
}

// signedBy tells whether a participant's key signed these bytes for this ledger.
func signedBy(public, schema, genesis string, data []byte, signature string) bool {
	if signingKeyFits(public) != nil || aSignature(signature, "signature") != nil {
		return false
	}
	key, _ := hex.DecodeString(public)
	raw, _ := hex.DecodeString(signature)
	return ed25519.Verify(key, signingText(schema, genesis, data), raw)
}

func signingText(schema, genesis string, data []byte) []byte {
	return append([]byte(schema+"|"+genesis+"|"), data...)
}
