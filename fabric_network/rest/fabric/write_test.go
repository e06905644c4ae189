package fabric

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"custody/fabric_network/rest"
	"custody/fabric_network/rest/authority"

	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func expect(t *testing.T, err error, code rest.Code, text string) {
	t.Helper()
	var told *rest.Error
	if !errors.As(err, &told) || told.Code != code || !strings.Contains(told.Text, text) {
		t.Errorf("got %v; want %s: …%s…", err, code, text)
	}
}

func TestACommittedTransactionHasItsBlockAndResult(t *testing.T) {
	w := newWorld(t)
	outcome, err := w.submit(time.Second)
	if err != nil || outcome.Block != 7 || string(outcome.Result) != `{"id":"7"}` {
		t.Errorf("got %+v, %v", outcome, err)
	}
}

func TestWhatNobodyHearsOfIsSubmittedAgainByteByByte(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int32
	w.peer.status = func(ctx context.Context) (*gateway.CommitStatusResponse, error) {
		if asked.Add(1) == 1 {
			return silent(ctx)
		}
		return valid(ctx)
	}
	if _, err := w.submit(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if sent := w.peer.submitted; len(sent) != 2 || !bytes.Equal(sent[0], sent[1]) {
		t.Errorf("%d envelopes were submitted, or they differ", len(sent))
	}
}

func TestAnOutcomeThatCannotBeKnownIsNoFailure(t *testing.T) {
	w := newWorld(t)
	w.peer.status = silent
	outcome, err := w.submit(300 * time.Millisecond)
	expect(t, err, rest.Unknown, "")
	var told *rest.Error
	if errors.As(err, &told) && (told.TxID == "" || outcome.TxID != "") {
		t.Errorf("the unknown transaction is %q", told.TxID)
	}
}

func TestOnlyWhatEveryOrdererDeclinedIsKnownNotToBeRecorded(t *testing.T) {
	for said, code := range map[string]rest.Code{
		"received unsuccessful response from orderer: status=SERVICE_UNAVAILABLE, info=no Raft leader":                                 rest.Unavailable,
		"failed to create new connection: dial tcp 127.0.0.1:1: connect: connection refused":                                           rest.Unavailable,
		"received unsuccessful response from orderer: status=SERVICE_UNAVAILABLE, info=timed out (5s) waiting on forwarding to leader": rest.Unknown,
		"EOF": rest.Unknown,
	} {
		w := newWorld(t)
		w.peer.submit = func(*gateway.SubmitRequest) error {
			return refusing(says("OrdererMSP", "connection refused"), says("OrdererMSP", said))
		}
		_, err := w.submit(300 * time.Millisecond)
		expect(t, err, code, "")
	}
}

func TestAVoidTransactionLeavesItsPlaceToAnother(t *testing.T) {
	for code, text := range map[peer.TxValidationCode]string{
		peer.TxValidationCode_MVCC_READ_CONFLICT:         "another transaction changed first",
		peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE: "ENDORSEMENT_POLICY_FAILURE",
	} {
		w := newWorld(t)
		w.peer.status = func(context.Context) (*gateway.CommitStatusResponse, error) {
			return &gateway.CommitStatusResponse{Result: code, BlockNumber: 9}, nil
		}
		_, err := w.submit(time.Second)
		expect(t, err, rest.Expired, text)
	}
}

func TestARefusalStandsWhenOtherPeersRefuseToo(t *testing.T) {
	w := newWorld(t)
	refusal := "chaincode response 500, CONFLICT: the pointer has moved"
	w.peer.endorse = func(*gateway.EndorseRequest) error { return refusing(says("Org1MSP", refusal)) }
	w.peer.asked = func([]string) error {
		return status.Error(codes.Unknown, "evaluate call to endorser returned error: "+refusal)
	}
	_, err := w.ready()
	expect(t, err, rest.Conflict, "the pointer has moved")
}

func TestAPeerThatIsBehindIsAskedAgain(t *testing.T) {
	w := newWorld(t)
	var asked atomic.Int32
	w.peer.endorse = func(*gateway.EndorseRequest) error {
		if asked.Add(1) == 1 {
			return refusing(says("Org1MSP", "chaincode response 500, NOT_FOUND: there is no version yet"))
		}
		return nil
	}
	w.peer.asked = func(organisations []string) error {
		if len(organisations) != 1 || organisations[0] != "Org2MSP" {
			t.Errorf("asked %v", organisations)
		}
		return nil
	}
	if _, err := w.ready(); err != nil {
		t.Error(err)
	}
}

func TestPeersThatGoOnDisagreeingAreNotBelieved(t *testing.T) {
	w := newWorld(t)
	w.peer.endorse = func(*gateway.EndorseRequest) error {
		return refusing(says("Org2MSP", "ProposalResponsePayloads do not match"))
	}
	_, err := w.ready()
	expect(t, err, rest.Unavailable, "do not agree")
}

func TestWhatPeersComplainOfTellsWhatToDo(t *testing.T) {
	for said, code := range map[string]rest.Code{
		"access denied: channel [custody] creator org [Org1MSP]":                    rest.Forbidden,
		"no combination of peers can be derived which satisfy the policy":           rest.Unavailable,
		"too many requests for /gateway.Gateway, exceeding concurrency limit (500)": rest.Busy,
		"connection refused": rest.Unavailable,
		"something new":      rest.Unavailable,
		"chaincode response 500, INTERNAL: the fault is in the chaincode's log": rest.Internal,
		"chaincode response 500, FORBIDDEN: not yours":                          rest.Forbidden,
	} {
		w := newWorld(t)
		w.peer.endorse = func(*gateway.EndorseRequest) error { return refusing(says("Org1MSP", said)) }
		w.peer.asked = func([]string) error { return status.Error(codes.Unknown, said) }
		_, err := w.ready()
		expect(t, err, code, "")
	}
}

func TestAnothersSignatureIsNotPassedOn(t *testing.T) {
	w := newWorld(t)
	e, err := w.ledger.Prepare(context.Background(), authority.PEM(w.who.Certificate), rest.Call{Function: "Promote"})
	must(err)
	_, err = w.ledger.Sign(context.Background(), e, signature(w.who.Key, []byte("something else")))
	expect(t, err, rest.Unauthenticated, "does not fit")
}

func TestStrangersCannotPropose(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	for text, certificate := range map[string][]byte{
		"no organisation of this channel": authority.PEM(other.who.Certificate),
		"no certificate in PEM":           []byte("-----"),
	} {
		_, err := w.ledger.Prepare(context.Background(), certificate, rest.Call{Function: "Promote"})
		expect(t, err, rest.Forbidden, text)
	}
}

func TestAnotherChannelIsAnotherLedger(t *testing.T) {
	w := newWorld(t)
	w.ledger.settings.Genesis = strings.Repeat("0", 64)
	_, err := w.ready()
	expect(t, err, rest.Unavailable, "another ledger")
}

func TestAnEnvelopeIsTakenOnlyAtItsStage(t *testing.T) {
	w := newWorld(t)
	for _, e := range []rest.Envelope{{}, {Bytes: []byte("p")}, {Bytes: []byte("sxx")}} {
		_, err := w.ledger.Submit(context.Background(), e)
		expect(t, err, rest.BadRecord, "malformed")
	}
}
