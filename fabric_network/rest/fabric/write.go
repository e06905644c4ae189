package fabric

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"custody/fabric_network/rest"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

const (
	endorseTimeout = 15 * time.Second
	submitTimeout  = 10 * time.Second
	// statusTimeout is how long a commit is waited for before the same envelope is submitted again: a submit that
	// succeeded is lost when the leader of the orderers dies at once.
	statusTimeout = 2 * time.Second
	// consent is how long peers may disagree: one that has not seen the newest block answers otherwise for a moment.
	consent     = 2 * time.Second
	firstPause  = 10 * time.Millisecond
	longerPause = 200 * time.Millisecond
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
	transaction, err := l.endorse(ctx, signedProposal)
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

// endorse asks again while peers disagree for a moment: the same proposal, so nobody signs again.
func (l *Ledger) endorse(ctx context.Context, proposal *client.Proposal) (*client.Transaction, error) {
	ctx, cancel := context.WithTimeout(ctx, endorseTimeout)
	defer cancel()
	began, pause := time.Now(), firstPause
	for {
		transaction, err := proposal.EndorseWithContext(ctx)
		if err == nil {
			return transaction, nil
		}
		if !l.disagree(err) || time.Since(began) > consent {
			return nil, l.toldOfEndorsement(err)
		}
		if wait(ctx, pause) != nil {
			return nil, l.toldOfEndorsement(err)
		}
		pause = min(2*pause, longerPause)
	}
}

// Submit hands the envelope to the orderers, the same one again and again, until a peer of this organisation knows what
// became of it. One that is submitted twice still commits once: its txid is its own.
func (l *Ledger) Submit(ctx context.Context, e rest.Envelope) (rest.Outcome, error) {
	stage, data := stageOf(e)
	if stage != signed {
		return rest.Outcome{}, errEnvelope
	}
	transaction, err := l.gateway.NewTransaction(data)
	if err != nil {
		return rest.Outcome{}, errEnvelope
	}
	s := submission{ledger: l, transaction: transaction, patience: statusTimeout}
	for {
		found, err := s.once(ctx)
		if err == nil {
			return l.outcome(found, transaction)
		}
		if ctx.Err() != nil || s.hopeless(err) {
			return rest.Outcome{}, s.unknown(err)
		}
		if wait(ctx, longerPause) != nil {
			return rest.Outcome{}, s.unknown(err)
		}
	}
}

// submission is one envelope on its way.
type submission struct {
	ledger      *Ledger
	transaction *client.Transaction
	patience    time.Duration
	began       time.Time
	sent        bool // an orderer may have it
}

func (s *submission) once(ctx context.Context) (*client.Status, error) {
	if s.began.IsZero() {
		s.began = time.Now()
	}
	limit, cancel := context.WithTimeout(ctx, submitTimeout)
	commit, err := s.transaction.SubmitWithContext(limit)
	cancel()
	if err != nil {
		s.sent = s.sent || !neverSent(err)
		return nil, err
	}
	s.sent = true
	limit, cancel = context.WithTimeout(ctx, s.patience)
	defer cancel()
	s.patience *= 2
	return commit.StatusWithContext(limit)
}

// unsent is how long orderers are asked to take an envelope that none of them has.
const unsent = 10 * time.Second

func (s *submission) hopeless(err error) bool {
	return !s.sent && time.Since(s.began) > unsent || codeOf(toldOfRead(err)) == rest.Forbidden
}

// unknown tells what is not known from what certainly did not happen.
func (s *submission) unknown(err error) error {
	answer := told(err, detailsOf(err))
	answer.TxID = s.transaction.TransactionID()
	if s.sent {
		answer.Code = rest.Unknown
	} else {
		answer.Text = "nothing was recorded: " + answer.Text
	}
	return answer
}

// refusals are what the gateway reports of an orderer that certainly did not take an envelope.
var refusals = []string{"connection refused", "failed to create new connection", "no Raft leader", "SERVICE_UNAVAILABLE", "exceeding concurrency limit"}

// neverSent is sure only where every orderer was asked and none took it.
func neverSent(err error) bool {
	details := detailsOf(err)
	if len(details) == 0 {
		return strings.Contains(err.Error(), "no orderer nodes available") || strings.Contains(err.Error(), "exceeding concurrency limit")
	}
	for _, d := range details {
		if !containsAny(d.GetMessage(), refusals) {
			return false
		}
	}
	return true
}

func containsAny(text string, words []string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// outcome tells a transaction that is in a block and valid from one that is in a block and void, which leaves its place
// to another.
func (l *Ledger) outcome(found *client.Status, transaction *client.Transaction) (rest.Outcome, error) {
	switch found.Code {
	case peer.TxValidationCode_VALID:
		return rest.Outcome{TxID: found.TransactionID, Block: found.BlockNumber, Result: transaction.Result()}, nil
	case peer.TxValidationCode_MVCC_READ_CONFLICT, peer.TxValidationCode_PHANTOM_READ_CONFLICT:
		return rest.Outcome{}, &rest.Error{Code: rest.Expired, TxID: found.TransactionID, Text: "another transaction changed first what this one had read"}
	default:
		l.settings.Logger.Error("an endorsed transaction is void", "txid", found.TransactionID, "block", found.BlockNumber, "code", found.Code.String())
		return rest.Outcome{}, &rest.Error{Code: rest.Expired, TxID: found.TransactionID, Text: "the peers found it void: " + found.Code.String()}
	}
}

// wait pauses for about as long as it is told, so that those who met once do not meet again.
func wait(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause/2 + rand.N(pause)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
