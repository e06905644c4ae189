// Package authority is the development certificate authority of a ledger: the organisations' CAs, the service
// identities that the door holds, and the one-time codes with which people enrol.
//
// What it issues, Fabric's peers accept as well: one NodeOU (client) and the role as Fabric CA writes it.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

const (
	serviceLifetime = 365 * 24 * time.Hour
	personLifetime  = 90 * 24 * time.Hour
	caLifetime      = 10 * 365 * 24 * time.Hour
	// backdating forgives clocks that differ by a little.
	backdating = 5 * time.Minute
)

// attributes is the extension in which Fabric CA writes attributes.
var attributes = asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}

// Roles are what a certificate can say that its holder does.
var Roles = []string{"aggregator", "validator", "operator", "approver", "auditor", "admin"}

// Organisation is one organisation's CA.
type Organisation struct {
	MSP         string
	Certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newOrganisation(msp string, now time.Time) (*Organisation, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of %s: %w", msp, err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "ca." + msp, Organization: []string{msp}},
		NotBefore:             now.Add(-backdating),
		NotAfter:              now.Add(caLifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	certificate, err := sign(template, template, &key.PublicKey, key)
	return &Organisation{msp, certificate, key}, err
}

// issue makes a certificate for a public key. Who it names and what role it gives is the organisation's word alone.
func (o *Organisation) issue(name, role string, public *ecdsa.PublicKey, now time.Time, lifetime time.Duration) (*x509.Certificate, error) {
	extension, err := roleExtension(role)
	if err != nil {
		return nil, err
	}
	return sign(&x509.Certificate{
		SerialNumber:    serial(),
		Subject:         pkix.Name{CommonName: name, OrganizationalUnit: []string{"client"}},
		NotBefore:       o.since(now.Add(-backdating)),
		NotAfter:        now.Add(lifetime),
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{extension},
	}, o.Certificate, public, o.key)
}

// since keeps a certificate from being older than its CA's: Fabric looks at a chain as of the moment when it began.
func (o *Organisation) since(moment time.Time) time.Time {
	if moment.Before(o.Certificate.NotBefore) {
		return o.Certificate.NotBefore
	}
	return moment
}

func roleExtension(role string) (pkix.Extension, error) {
	value, err := json.Marshal(map[string]any{"attrs": map[string]string{"role": role}})
	return pkix.Extension{Id: attributes, Value: value}, err
}

func sign(template, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", template.Subject.CommonName, err)
	}
	return x509.ParseCertificate(der)
}

func serial() *big.Int {
	var bytes [16]byte
	rand.Read(bytes[:])
	bytes[0] &= 0x7f
	return new(big.Int).SetBytes(bytes[:])
}

// PEM is how a certificate travels.
func PEM(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}
