package fabric

import (
	"context"
	"strings"
	"time"

	"custody/fabric_network/rest"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

const (
	submitTimeout = 5 * time.Second
	// statusTimeout is how long a commit is waited for before the same envelope is submitted again: a submit that
	// succeeded is lost when the leader of the orderers dies at once.
	statusTimeout = 2 * time.Second
)

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
	s := submission{transaction: transaction, began: time.Now(), patience: statusTimeout}
	for {
		found, err := s.once(ctx)
		if err == nil {
			l.observe("commit", functionIn(data), s.began)
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

// functionIn names the function that an envelope calls.
func functionIn(prepared []byte) string {
	var whole gateway.PreparedTransaction
	var payload common.Payload
	if decode(prepared, &whole) != nil || decode(whole.GetEnvelope().GetPayload(), &payload) != nil {
		return ""
	}
	called, _ := readCall(payload.GetData()) // what cannot be read has no name
	return called.function
}

// submission is one envelope on its way.
type submission struct {
	transaction *client.Transaction
	patience    time.Duration
	began       time.Time
	sent        bool // an orderer may have it
}

func (s *submission) once(ctx context.Context) (*client.Status, error) {
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
	answer := told(err)
	answer.TxID = s.transaction.TransactionID()
	if s.sent {
		answer.Code = rest.Unknown
	} else {
		answer.Text = "nothing was recorded: " + answer.Text
	}
	return answer
}

// neverSent is sure only where nobody was reached, or everybody who was declined. An orderer that forwards to a leader
// who does not answer has perhaps been heard all the same.
func neverSent(err error) bool {
	details := detailsOf(err)
	if len(details) == 0 {
		return containsAny(err.Error(), []string{"connection refused", "no orderer nodes available", "exceeding concurrency limit"})
	}
	for _, d := range details {
		if !containsAny(d.GetMessage(), []string{"connection refused", "failed to create new connection", "no Raft leader"}) {
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
