package fabric

import (
	"context"
	"fmt"
	"time"

	"custody/fabric_network/rest"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

const readTimeout = 10 * time.Second

// Evaluate runs a read on a peer of this organisation. The height is asked for first: what is read is at least that new.
func (l *Ledger) Evaluate(ctx context.Context, call rest.Call) (rest.Answer, error) {
	info, err := l.info(ctx)
	if err != nil {
		return rest.Answer{}, err
	}
	result, err := l.evaluate(ctx, l.contract, call.Function, call.Arguments)
	return rest.Answer{Block: info.GetHeight() - 1, Result: result}, err
}

func (l *Ledger) evaluate(ctx context.Context, contract *client.Contract, function string, arguments []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	proposal, err := contract.NewProposal(function, client.WithArguments(arguments...), client.WithEndorsingOrganizations(l.settings.MSP))
	if err != nil {
		return nil, fmt.Errorf("propose %s: %w", function, err)
	}
	result, err := proposal.EvaluateWithContext(ctx)
	if err != nil {
		return nil, toldOfRead(err)
	}
	return result, nil
}

// Block is the block as the peer keeps it, with the metadata that says which transactions are valid.
func (l *Ledger) Block(ctx context.Context, number uint64) ([]byte, error) {
	chain, err := l.info(ctx)
	if err != nil {
		return nil, err
	}
	if number >= chain.GetHeight() {
		return nil, &rest.Error{Code: rest.NotFound, Text: fmt.Sprintf("there is no block %d yet", number)}
	}
	return l.evaluate(ctx, l.network.GetContract("qscc"), "GetBlockByNumber", []string{l.settings.Channel, fmt.Sprint(number)})
}

// Transaction says where a transaction stands; one that is in a block may be invalid, which its code says.
func (l *Ledger) Transaction(ctx context.Context, txid string) (rest.Status, error) {
	if err := l.recognise(ctx); err != nil {
		return rest.Status{}, err
	}
	block := &common.Block{}
	if err := l.ask(ctx, block, "qscc", "GetBlockByTxID", l.settings.Channel, txid); err != nil {
		return rest.Status{}, missing(err, txid)
	}
	return statusIn(block, txid)
}

func statusIn(block *common.Block, txid string) (rest.Status, error) {
	transactions, err := transactionsIn(block)
	if err != nil {
		return rest.Status{}, err
	}
	for _, t := range transactions {
		if t.txid == txid {
			return rest.Status{TxID: txid, Block: block.GetHeader().GetNumber(), Tx: t.index, Code: t.code.String(), Function: t.function}, nil
		}
	}
	return rest.Status{}, fmt.Errorf("block %d does not hold transaction %s, although the peer said so", block.GetHeader().GetNumber(), txid)
}

// Receipts is a transaction of qscc that every organisation of the channel endorsed and nobody submits: their signatures
// over what their peers say of a transaction, whether it is valid included.
func (l *Ledger) Receipts(ctx context.Context, txid string) ([]byte, error) {
	if err := l.recognise(ctx); err != nil {
		return nil, err
	}
	organisations, err := l.members.msps(ctx)
	if err != nil {
		return nil, err
	}
	proposal, err := l.network.GetContract("qscc").NewProposal(
		"GetTransactionByID", client.WithArguments(l.settings.Channel, txid), client.WithEndorsingOrganizations(organisations...))
	if err != nil {
		return nil, fmt.Errorf("propose a receipt: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	receipt, err := proposal.EndorseWithContext(ctx)
	if err != nil {
		return nil, missing(l.toldOfEndorsement(err), txid)
	}
	return receipt.Bytes()
}

// Ready asks the chaincode of every organisation for something that is not there, and whether together they endorse.
func (l *Ledger) Ready(ctx context.Context) error {
	if err := l.recognise(ctx); err != nil {
		return err
	}
	organisations, err := l.members.msps(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for _, organisation := range organisations {
		if err := l.answers(ctx, organisation); err != nil {
			return err
		}
	}
	return nil
}

const nothing = "model/-" // no model is called that

func (l *Ledger) answers(ctx context.Context, organisation string) error {
	proposal, err := l.contract.NewProposal("GetState", client.WithArguments(nothing), client.WithEndorsingOrganizations(organisation))
	if err != nil {
		return err
	}
	_, err = proposal.EvaluateWithContext(ctx)
	if told := toldOfRead(err); err != nil && codeOf(told) != rest.NotFound {
		return &rest.Error{Code: rest.Unavailable, Text: organisation + " does not endorse: " + told.Error()}
	}
	return nil
}
