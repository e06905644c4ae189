package contract

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Identity is who signed a transaction, as far as the rules care. Subject and Issuer are common names: pseudonyms,
// because they stay on the ledger for ever.
type Identity struct{ MSP, Subject, Issuer, Role string }

// attributes is where Fabric's certificate authority puts {"attrs":{"role":…}}.
var attributes = asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}

// Caller reads a protobuf SerializedIdentity. The ledger has verified it by the time the contract runs.
func Caller(creator []byte) (Identity, error) {
	id, certificate, err := serializedIdentity(creator)
	if err != nil {
		return Identity{}, err
	}
	block, _ := pem.Decode(certificate)
	if block == nil {
		return Identity{}, errors.New("the creator's certificate is not PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return Identity{}, fmt.Errorf("the creator's certificate: %w", err)
	}
	role, err := roleOf(c)
	caller := Identity{id, c.Subject.CommonName, c.Issuer.CommonName, role}
	if caller.MSP == "" || caller.Subject == "" {
		return Identity{}, errors.New("the creator has no MSP id or no common name")
	}
	return caller, err
}

func serializedIdentity(creator []byte) (id string, certificate []byte, err error) {
	for len(creator) > 0 {
		field, kind, n := protowire.ConsumeTag(creator)
		if n < 0 || kind != protowire.BytesType {
			return "", nil, errors.New("the creator is no SerializedIdentity")
		}
		value, m := protowire.ConsumeBytes(creator[n:])
		if m < 0 {
			return "", nil, errors.New("the creator is no SerializedIdentity")
		}
		switch field {
		case 1:
			id = string(value)
		case 2:
			certificate = value
		}
		creator = creator[n+m:]
	}
	return id, certificate, nil
}

func roleOf(c *x509.Certificate) (string, error) {
	for _, extension := range c.Extensions {
		if !extension.Id.Equal(attributes) {
			continue
		}
		var stated struct {
			Attrs map[string]string `json:"attrs"`
		}
		if err := json.Unmarshal(extension.Value, &stated); err != nil {
			return "", fmt.Errorf("the attributes of the creator's certificate: %w", err)
		}
		return stated.Attrs["role"], nil
	}
	return "", nil
}

func (i Identity) actor() Object {
	return Object{"issuer": i.Issuer, "msp": i.MSP, "role": i.Role, "subject": i.Subject}
}

// is compares persons. Not by issuer or role: a person with two certificates is still one person.
func (i Identity) is(actor Object) bool {
	return actor.text("msp") == i.MSP && actor.text("subject") == i.Subject
}
