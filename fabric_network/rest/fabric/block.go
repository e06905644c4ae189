package fabric

import (
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// headerHash is the hash of a block, which the next one names.
func headerHash(h *common.BlockHeader) []byte {
	encoded, err := asn1.Marshal(struct {
		Number   *big.Int
		Previous []byte
		Data     []byte
	}{new(big.Int).SetUint64(h.GetNumber()), h.GetPreviousHash(), h.GetDataHash()})
	if err != nil {
		panic(err) // an integer and two strings can always be encoded
	}
	sum := sha256.Sum256(encoded)
	return sum[:]
}

// transaction is what a block says of one of its transactions.
type transaction struct {
	index    uint32
	txid     string
	code     peer.TxValidationCode
	function string               // empty when it is no call of a chaincode
	event    *peer.ChaincodeEvent // nil when there is none
}

var errBlock = errors.New("the block is malformed")

func transactionsIn(block *common.Block) ([]transaction, error) {
	metadata := block.GetMetadata().GetMetadata()
	filter := int(common.BlockMetadataIndex_TRANSACTIONS_FILTER)
	envelopes := block.GetData().GetData()
	if len(metadata) <= filter || len(metadata[filter]) != len(envelopes) {
		return nil, fmt.Errorf("%w: it does not say which of its transactions are valid", errBlock)
	}
	found := make([]transaction, len(envelopes))
	for i, envelope := range envelopes {
		t, err := readTransaction(envelope)
		if err != nil {
			return nil, fmt.Errorf("%w: transaction %d: %w", errBlock, i, err)
		}
		t.index, t.code = uint32(i), peer.TxValidationCode(metadata[filter][i])
		found[i] = t
	}
	return found, nil
}

func readTransaction(data []byte) (transaction, error) {
	var envelope common.Envelope
	var payload common.Payload
	var header common.ChannelHeader
	err := decode(data, &envelope)
	if err == nil {
		err = decode(envelope.GetPayload(), &payload)
	}
	if err == nil {
		err = decode(payload.GetHeader().GetChannelHeader(), &header)
	}
	if err != nil || header.GetType() != int32(common.HeaderType_ENDORSER_TRANSACTION) {
		return transaction{txid: header.GetTxId()}, err
	}
	t, err := readCall(payload.GetData())
	t.txid = header.GetTxId()
	return t, err
}

func readCall(data []byte) (t transaction, err error) {
	var whole peer.Transaction
	if err := decode(data, &whole); err != nil {
		return t, err
	}
	if len(whole.GetActions()) != 1 {
		return t, errors.New("it does not do exactly one thing")
	}
	var action peer.ChaincodeActionPayload
	if err := decode(whole.GetActions()[0].GetPayload(), &action); err != nil {
		return t, err
	}
	if t.function, err = readFunction(action.GetChaincodeProposalPayload()); err != nil {
		return t, err
	}
	t.event, err = readEvent(action.GetAction().GetProposalResponsePayload())
	return t, err
}

func readFunction(data []byte) (string, error) {
	var payload peer.ChaincodeProposalPayload
	var invocation peer.ChaincodeInvocationSpec
	if err := decode(data, &payload); err != nil {
		return "", err
	}
	if err := decode(payload.GetInput(), &invocation); err != nil {
		return "", err
	}
	arguments := invocation.GetChaincodeSpec().GetInput().GetArgs()
	if len(arguments) == 0 {
		return "", nil
	}
	return string(arguments[0]), nil
}

func readEvent(data []byte) (*peer.ChaincodeEvent, error) {
	var response peer.ProposalResponsePayload
	var action peer.ChaincodeAction
	var event peer.ChaincodeEvent
	if err := decode(data, &response); err != nil {
		return nil, err
	}
	if err := decode(response.GetExtension(), &action); err != nil || len(action.GetEvents()) == 0 {
		return nil, err
	}
	return &event, decode(action.GetEvents(), &event)
}
