package embedded

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// creator is somebody whose certificate an organisation of block 0 has signed.
type creator struct {
	msp         string
	certificate *x509.Certificate
	key         *ecdsa.PublicKey
}

func (c creator) validAt(at time.Time) error {
	if at.Before(c.certificate.NotBefore) || at.After(c.certificate.NotAfter) {
		return fmt.Errorf("the certificate of %s is valid from %s to %s only", c.certificate.Subject.CommonName,
			c.certificate.NotBefore.Format(time.RFC3339), c.certificate.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// verify takes the message's SHA-256, which of a proposal is its txid. It demands low-S: with (r, n-s) as good as (r, s), one transaction would have two sets of bytes.
func (c creator) verify(message digest, signature []byte) error {
	var rs struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(signature, &rs)
	if err != nil || len(rest) > 0 {
		return errors.New("the signature is not DER")
	}
	if half := new(big.Int).Rsh(elliptic.P256().Params().N, 1); rs.S.Cmp(half) > 0 {
		return errors.New("the signature's S is not the low one")
	}
	if !ecdsa.VerifyASN1(c.key, message[:], signature) {
		return errors.New("the signature does not verify")
	}
	return nil
}

// encodeCreator writes the protobuf SerializedIdentity that Fabric has: 1 the MSP id, 2 the certificate in PEM.
func encodeCreator(msp string, certificate []byte) []byte {
	dst := protowire.AppendTag(nil, 1, protowire.BytesType)
	dst = protowire.AppendString(dst, msp)
	dst = protowire.AppendTag(dst, 2, protowire.BytesType)
	return protowire.AppendBytes(dst, certificate)
}

var errCreator = errors.New("the creator is no SerializedIdentity of an MSP id and a certificate")

// decodeCreator takes exactly what encodeCreator writes, so that an identity has one encoding.
func decodeCreator(data []byte) (msp string, certificate []byte, err error) {
	parts := make([][]byte, 2)
	for i := range parts {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 || int(number) != i+1 || kind != protowire.BytesType {
			return "", nil, errCreator
		}
		data = data[n:]
		if parts[i], n = protowire.ConsumeBytes(data); n < 0 {
			return "", nil, errCreator
		}
		data = data[n:]
	}
	if len(data) > 0 {
		return "", nil, errCreator
	}
	return string(parts[0]), parts[1], nil
}

func parseCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("there is no certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

const creatorsKept = 4096

// creators knows whose certificates count, and remembers those that it has checked.
type creators struct {
	organisations []organisation
	mutex         sync.RWMutex
	known         map[string]creator // by a creator's bytes
	holders       map[string]holder  // by a certificate in PEM
}

type holder struct {
	creator
	bytes []byte // as a creator
}

func newCreators(organisations []organisation) *creators {
	return &creators{organisations: organisations, known: map[string]creator{}, holders: map[string]holder{}}
}

// remembered finds what was checked before. There is an end to what is remembered: certificates are cheap to make.
func remembered[T any](c *creators, in map[string]T, key []byte, check func() (T, error)) (T, error) {
	c.mutex.RLock()
	found, ok := in[string(key)]
	c.mutex.RUnlock()
	if ok {
		return found, nil
	}
	found, err := check()
	if err != nil {
		return found, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(in) >= creatorsKept {
		clear(in)
	}
	in[string(key)] = found
	return found, nil
}

// identify checks that the certificate in a creator's bytes comes from the CA of the organisation that they name. How
// long it is valid is another question, which depends on when.
func (c *creators) identify(data []byte) (creator, error) {
	return remembered(c, c.known, data, func() (creator, error) {
		msp, encoded, err := decodeCreator(data)
		if err != nil {
			return creator{}, err
		}
		certificate, err := parseCertificate(encoded)
		if err != nil {
			return creator{}, fmt.Errorf("read the creator's certificate: %w", err)
		}
		return c.trust(msp, certificate)
	})
}

func (c *creators) trust(msp string, certificate *x509.Certificate) (creator, error) {
	for _, o := range c.organisations {
		if o.msp == msp {
			return o.trust(certificate)
		}
	}
	return creator{}, fmt.Errorf("there is no organisation %q in block 0", msp)
}

func (o organisation) trust(certificate *x509.Certificate) (creator, error) {
	roots := x509.NewCertPool()
	roots.AddCert(o.ca)
	_, err := certificate.Verify(x509.VerifyOptions{
		Roots:       roots,
		CurrentTime: certificate.NotBefore,
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return creator{}, fmt.Errorf("the certificate does not come from the CA of %s: %w", o.msp, err)
	}
	key, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return creator{}, errors.New("the certificate's key is not P-256")
	}
	if certificate.IsCA {
		return creator{}, errors.New("a CA signs no transactions")
	}
	return creator{o.msp, certificate, key}, nil
}

// holder finds the organisation that issued a certificate, and writes its holder as a creator.
func (c *creators) holder(encoded []byte) (holder, error) {
	return remembered(c, c.holders, encoded, func() (holder, error) {
		certificate, err := parseCertificate(encoded)
		if err != nil {
			return holder{}, fmt.Errorf("read the certificate: %w", err)
		}
		for _, o := range c.organisations {
			if found, err := o.trust(certificate); err == nil {
				exact := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
				return holder{found, encodeCreator(o.msp, exact)}, nil
			}
		}
		return holder{}, errors.New("no organisation of this ledger issued the certificate")
	})
}
