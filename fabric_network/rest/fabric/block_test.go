package fabric

import (
	"errors"
	"testing"

	"custody/fabric_network/rest"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

func call(function string) []byte {
	spec := &peer.ChaincodeSpec{ChaincodeId: &peer.ChaincodeID{Name: "custody"}, Input: &peer.ChaincodeInput{Args: [][]byte{[]byte(function)}}}
	return marshal(&peer.ChaincodeProposalPayload{Input: marshal(&peer.ChaincodeInvocationSpec{ChaincodeSpec: spec})})
}

func telling(txid, chaincode, name string) []byte {
	header := &common.Header{ChannelHeader: marshal(&common.ChannelHeader{Type: int32(common.HeaderType_ENDORSER_TRANSACTION), TxId: txid})}
	event := &peer.ChaincodeEvent{ChaincodeId: chaincode, EventName: name, Payload: []byte(`{"writes":{}}`)}
	return marshal(endorsedEnvelope(header, call("Promote"), "{}", event))
}

func block(number uint64, previous []byte, filter []byte, envelopes ...[]byte) *common.Block {
	metadata := make([][]byte, 5)
	metadata[common.BlockMetadataIndex_TRANSACTIONS_FILTER] = filter
	return &common.Block{
		Header: &common.BlockHeader{Number: number, PreviousHash: previous},
		Data:   &common.BlockData{Data: envelopes}, Metadata: &common.BlockMetadata{Metadata: metadata},
	}
}

func streamFrom(at rest.Position, lines *string) *stream {
	l := &Ledger{settings: Settings{Chaincode: "custody"}}
	return &stream{ledger: l, from: at, deliver: func(more []byte) error {
		*lines += string(more)
		return nil
	}}
}

func TestAStreamTellsValidEventsOfTheContractOnly(t *testing.T) {
	var lines string
	s := streamFrom(rest.Position{Block: 3, Tx: 1}, &lines)
	filter := []byte{0, 0, byte(peer.TxValidationCode_MVCC_READ_CONFLICT), 0, 0}
	err := s.take(block(3, nil, filter, telling("a", "custody", "A.v1"), telling("b", "custody", "B.v1"), telling("c", "custody", "C.v1"),
		telling("d", "another", "D.v1"), telling("e", "custody", "E.v1")))
	want := `{"block":3,"tx":1,"txid":"b","name":"B.v1","payload":{"writes":{}}}` + "\n" +
		`{"block":3,"tx":4,"txid":"e","name":"E.v1","payload":{"writes":{}}}` + "\n"
	if err != nil || lines != want {
		t.Errorf("%v\n%s", err, lines)
	}
}

func TestAGapInTheBlocksIsNoticed(t *testing.T) {
	var lines string
	s := streamFrom(rest.Position{Block: 1}, &lines)
	first := block(1, nil, nil)
	must(s.take(first))
	for name, next := range map[string]*common.Block{
		"a block is missing":    block(3, headerHash(first.GetHeader()), nil),
		"another chain":         block(2, []byte("another"), nil),
		"nothing says validity": {Header: &common.BlockHeader{Number: 2, PreviousHash: headerHash(first.GetHeader())}, Data: &common.BlockData{Data: [][]byte{telling("a", "custody", "A")}}},
	} {
		if err := s.take(next); !errors.Is(err, errBlock) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(s.take(block(2, headerHash(first.GetHeader()), nil)))
}

func TestAStatusSaysWhatBecameOfATransaction(t *testing.T) {
	filter := []byte{0, byte(peer.TxValidationCode_MVCC_READ_CONFLICT)}
	b := block(5, nil, filter, telling("a", "custody", "A.v1"), telling("b", "custody", "B.v1"))
	got, err := statusIn(b, "b")
	if want := (rest.Status{TxID: "b", Block: 5, Tx: 1, Code: "MVCC_READ_CONFLICT", Function: "Promote"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := statusIn(b, "c"); err == nil {
		t.Error("a transaction that is not there was found")
	}
}
