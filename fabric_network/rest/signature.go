package rest

import (
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"math/big"
)

var (
	order     = elliptic.P256().Params().N
	halfOrder = new(big.Int).Rsh(order, 1)
)

type ecdsaSignature struct{ R, S *big.Int }

var errSignature = errors.New("a signature is ECDSA P-256 in DER or as the 64 bytes of r and s")

// lowS takes a signature as people's tools write it, DER or raw, and answers the one form that a ledger takes.
func lowS(signature []byte) ([]byte, error) {
	rs, err := parseSignature(signature)
	if err != nil {
		return nil, err
	}
	if rs.R.Sign() <= 0 || rs.S.Sign() <= 0 || rs.R.Cmp(order) >= 0 || rs.S.Cmp(order) >= 0 {
		return nil, errSignature
	}
	if rs.S.Cmp(halfOrder) > 0 {
		rs.S = new(big.Int).Sub(order, rs.S)
	}
	return asn1.Marshal(rs)
}

func parseSignature(signature []byte) (ecdsaSignature, error) {
	var rs ecdsaSignature
	if rest, err := asn1.Unmarshal(signature, &rs); err == nil && len(rest) == 0 {
		return rs, nil
	}
	if len(signature) != 64 {
		return rs, errSignature
	}
	return ecdsaSignature{new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])}, nil
}
