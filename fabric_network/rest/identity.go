package rest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// Identity is somebody whom a bearer token speaks for. Without a key it only reads.
type Identity struct {
	Name        string
	Certificate []byte // PEM
	Key         *ecdsa.PrivateKey
	Token       [sha256.Size]byte // the token's SHA-256: the token itself is not kept
}

// bearer finds whose token a request carries. Every token is compared, in constant time.
func (d *Door) bearer(r *http.Request) (Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum := sha256.Sum256([]byte(token))
	found := Identity{}
	for _, identity := range d.identities {
		if subtle.ConstantTimeCompare(sum[:], identity.Token[:]) == 1 {
			found = identity
		}
	}
	if !ok || found.Name == "" {
		return Identity{}, &Error{Code: Unauthenticated, Text: "this route needs a bearer token that the door knows"}
	}
	return found, nil
}

func (d *Door) admit(r *http.Request, needs access) (Identity, error) {
	if needs == open {
		return Identity{}, nil
	}
	identity, err := d.bearer(r)
	if err == nil && needs == writes && identity.Key == nil {
		return Identity{}, &Error{Code: Forbidden, Text: "the token of " + identity.Name + " only reads"}
	}
	return identity, err
}

func (i Identity) sign(payload []byte) ([]byte, error) {
	sum := sha256.Sum256(payload)
	signature, err := ecdsa.SignASN1(rand.Reader, i.Key, sum[:])
	if err != nil {
		return nil, err
	}
	return lowS(signature)
}
