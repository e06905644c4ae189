package fabric

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"custody/fabric_network/rest"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"
)

// membersFor is how long a channel's configuration is believed before a stranger makes us read it again.
const membersFor = 5 * time.Second

// member is an organisation on the channel, with the CAs whose certificates make somebody one of its people.
type member struct {
	msp           string
	roots         *x509.CertPool
	intermediates *x509.CertPool
}

// members are the channel's organisations, as its newest configuration names them.
type members struct {
	config func(context.Context) (*common.Block, error)
	clock  func() time.Time

	mutex sync.Mutex
	known []member
	read  time.Time
}

func newMembers(config func(context.Context) (*common.Block, error), clock func() time.Time) *members {
	return &members{config: config, clock: clock}
}

// holder finds whose certificate it is. The peers check it again, revocations included; here the answer is a sentence.
func (m *members) holder(ctx context.Context, encoded []byte) (mspID string, certificate *x509.Certificate, err error) {
	block, rest0 := pem.Decode(encoded)
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest0)) > 0 {
		return "", nil, forbidden("this is no certificate in PEM")
	}
	if certificate, err = x509.ParseCertificate(block.Bytes); err != nil {
		return "", nil, forbidden("read the certificate: " + err.Error())
	}
	key, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return "", nil, forbidden("the certificate's key is not P-256")
	}
	for _, again := range []bool{false, true} {
		known, err := m.organisations(ctx, again)
		if err != nil {
			return "", nil, err
		}
		for _, o := range known {
			if o.issued(certificate) {
				return o.msp, certificate, m.timely(certificate)
			}
		}
	}
	return "", nil, forbidden("no organisation of this channel issued the certificate")
}

func (m *members) timely(certificate *x509.Certificate) error {
	now := m.clock()
	if now.Before(certificate.NotBefore) || now.After(certificate.NotAfter) {
		return forbidden(fmt.Sprintf("the certificate is valid from %s to %s", certificate.NotBefore.Format(time.RFC3339), certificate.NotAfter.Format(time.RFC3339)))
	}
	return nil
}

func forbidden(text string) error { return &rest.Error{Code: rest.Forbidden, Text: text} }

func (o member) issued(certificate *x509.Certificate) bool {
	_, err := certificate.Verify(x509.VerifyOptions{
		Roots: o.roots, Intermediates: o.intermediates, CurrentTime: certificate.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err == nil
}

// msps are the names of the organisations.
func (m *members) msps(ctx context.Context) ([]string, error) {
	known, err := m.organisations(ctx, false)
	names := make([]string, len(known))
	for i, o := range known {
		names[i] = o.msp
	}
	return names, err
}

func (m *members) organisations(ctx context.Context, again bool) ([]member, error) {
	m.mutex.Lock()
	known, read := m.known, m.read
	m.mutex.Unlock()
	if known != nil && (!again || m.clock().Sub(read) < membersFor) {
		return known, nil
	}
	block, err := m.config(ctx)
	if err != nil {
		return nil, err
	}
	if known, err = membersIn(block); err != nil {
		return nil, fmt.Errorf("read the channel's configuration: %w", err)
	}
	m.mutex.Lock()
	m.known, m.read = known, m.clock()
	m.mutex.Unlock()
	return known, nil
}

func membersIn(block *common.Block) ([]member, error) {
	if len(block.GetData().GetData()) != 1 {
		return nil, errors.New("a configuration is alone in its block")
	}
	var envelope common.Envelope
	var payload common.Payload
	var configuration common.ConfigEnvelope
	err := decode(block.GetData().GetData()[0], &envelope)
	if err == nil {
		err = decode(envelope.GetPayload(), &payload)
	}
	if err == nil {
		err = decode(payload.GetData(), &configuration)
	}
	if err != nil {
		return nil, err
	}
	organisations := configuration.GetConfig().GetChannelGroup().GetGroups()["Application"].GetGroups()
	var found []member
	for _, name := range slices.Sorted(maps.Keys(organisations)) {
		o, err := memberOf(organisations[name].GetValues()["MSP"].GetValue())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		found = append(found, o)
	}
	return found, nil
}

func memberOf(value []byte) (member, error) {
	var typed msp.MSPConfig
	var config msp.FabricMSPConfig
	if err := decode(value, &typed); err != nil {
		return member{}, err
	}
	if err := decode(typed.GetConfig(), &config); err != nil {
		return member{}, err
	}
	return member{config.GetName(), poolOf(config.GetRootCerts()), poolOf(config.GetIntermediateCerts())}, nil
}

func poolOf(certificates [][]byte) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, certificate := range certificates {
		pool.AppendCertsFromPEM(certificate)
	}
	return pool
}

func decode(data []byte, into proto.Message) error { return proto.Unmarshal(data, into) }
