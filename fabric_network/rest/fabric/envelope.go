package fabric

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"custody/fabric_network/rest"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// The stages of an envelope; the first of its bytes says which it has reached.
const (
	proposed = 'p' // its creator signs the proposal
	endorsed = 'e' // peers did, and its creator signs the transaction
	signed   = 's'
)

// Prepare makes a proposal for whoever holds a certificate of one of the channel's organisations.
func (l *Ledger) Prepare(ctx context.Context, certificate []byte, call rest.Call) (rest.Envelope, error) {
	if err := l.recognise(ctx); err != nil {
		return rest.Envelope{}, err
	}
	mspID, holder, err := l.members.holder(ctx, certificate)
	if err != nil {
		return rest.Envelope{}, err
	}
	creator, err := l.connect(mspID, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: holder.Raw}))
	if err != nil {
		return rest.Envelope{}, err
	}
	defer creator.Close()
	proposal, err := creator.GetNetwork(l.settings.Channel).GetContract(l.settings.Chaincode).NewProposal(call.Function, client.WithArguments(call.Arguments...))
	if err != nil {
		return rest.Envelope{}, fmt.Errorf("propose %s: %w", call.Function, err)
	}
	data, err := proposal.Bytes()
	if err != nil {
		return rest.Envelope{}, err
	}
	var whole gateway.ProposedTransaction
	if err := decode(data, &whole); err != nil {
		return rest.Envelope{}, err
	}
	return rest.Envelope{TxID: proposal.TransactionID(), Payload: whole.GetProposal().GetProposalBytes(), Bytes: atStage(proposed, data)}, nil
}

func atStage(stage byte, data []byte) []byte { return append([]byte{stage}, data...) }

func stageOf(e rest.Envelope) (stage byte, data []byte) {
	if len(e.Bytes) == 0 {
		return 0, nil
	}
	return e.Bytes[0], e.Bytes[1:]
}

var errEnvelope = &rest.Error{Code: rest.BadRecord, Text: "the envelope is malformed"}

// Sign has the peers endorse a signed proposal, and makes a signed transaction ready.
func (l *Ledger) Sign(ctx context.Context, e rest.Envelope, signature []byte) (rest.Envelope, error) {
	switch stage, data := stageOf(e); stage {
	case proposed:
		return l.signProposal(ctx, e, data, signature)
	case endorsed:
		return l.signTransaction(e, data, signature)
	default:
		return rest.Envelope{}, errEnvelope
	}
}

func (l *Ledger) signProposal(ctx context.Context, e rest.Envelope, data, signature []byte) (rest.Envelope, error) {
	var proposal peer.Proposal
	var header common.Header
	if decode(e.Payload, &proposal) != nil || decode(proposal.GetHeader(), &header) != nil {
		return rest.Envelope{}, errEnvelope
	}
	if err := verify(header.GetSignatureHeader(), e.Payload, signature); err != nil {
		return rest.Envelope{}, err
	}
	signedProposal, err := l.gateway.NewSignedProposal(data, signature)
	if err != nil {
		return rest.Envelope{}, errEnvelope
	}
	began := time.Now()
	transaction, err := l.endorse(ctx, signedProposal)
	function, _ := readFunction(proposal.GetPayload()) // what cannot be read has no name
	l.observe("endorse", function, began)
	if err != nil {
		return rest.Envelope{}, err
	}
	if data, err = transaction.Bytes(); err != nil {
		return rest.Envelope{}, err
	}
	var whole gateway.PreparedTransaction
	if err := decode(data, &whole); err != nil {
		return rest.Envelope{}, err
	}
	return rest.Envelope{TxID: e.TxID, Payload: whole.GetEnvelope().GetPayload(), Bytes: atStage(endorsed, data)}, nil
}

func (l *Ledger) observe(step, function string, began time.Time) {
	if function != "" {
		l.settings.Observe(step, function, time.Since(began))
	}
}

func (l *Ledger) signTransaction(e rest.Envelope, data, signature []byte) (rest.Envelope, error) {
	var payload common.Payload
	if decode(e.Payload, &payload) != nil {
		return rest.Envelope{}, errEnvelope
	}
	if err := verify(payload.GetHeader().GetSignatureHeader(), e.Payload, signature); err != nil {
		return rest.Envelope{}, err
	}
	transaction, err := l.gateway.NewSignedTransaction(data, signature)
	if err != nil {
		return rest.Envelope{}, errEnvelope
	}
	if data, err = transaction.Bytes(); err != nil {
		return rest.Envelope{}, err
	}
	return rest.Envelope{TxID: e.TxID, Bytes: atStage(signed, data)}, nil
}

// verify checks a signature before the peers do, because their answer to a wrong one is no sentence.
func verify(signatureHeader, payload, signature []byte) error {
	var header common.SignatureHeader
	var creator msp.SerializedIdentity
	if decode(signatureHeader, &header) != nil || decode(header.GetCreator(), &creator) != nil {
		return errEnvelope
	}
	block, _ := pem.Decode(creator.GetIdBytes())
	if block == nil {
		return errEnvelope
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return errEnvelope
	}
	key, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	digest := sha256.Sum256(payload)
	if !ok || !ecdsa.VerifyASN1(key, digest[:], signature) {
		return &rest.Error{Code: rest.Unauthenticated, Text: "the signature does not fit the payload and the certificate"}
	}
	return nil
}
