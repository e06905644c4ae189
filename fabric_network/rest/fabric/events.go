package fabric

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"custody/fabric_network/rest"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// silence is how long a stream may be without a peer before its reader is told.
const silence = 30 * time.Second

// Events streams what valid transactions of the contract told. The client's stream ends without a word when its peer
// does, so it is opened again where it ended; that blocks follow each other without a gap is checked.
func (l *Ledger) Events(ctx context.Context, from rest.Position, follow bool, deliver func([]byte) error) error {
	chain, err := l.info(ctx)
	if err != nil {
		return err
	}
	s := &stream{ledger: l, from: from, deliver: deliver, heard: time.Now()}
	if !follow {
		s.end = chain.GetHeight()
	}
	for !s.done() {
		if err := s.read(ctx); err != nil {
			return err
		}
		if time.Since(s.heard) > silence {
			return &rest.Error{Code: rest.Unavailable, Text: fmt.Sprintf("no peer has been there to send blocks for %s", silence)}
		}
		if !s.done() {
			l.settings.Logger.Warn("the stream of blocks ended and is opened again", "block", s.from.Block)
			if err := wait(ctx, longerPause); err != nil {
				return err
			}
		}
	}
	return nil
}

type stream struct {
	ledger   *Ledger
	from     rest.Position
	end      uint64 // the first block that is not wanted; 0: none
	deliver  func([]byte) error
	previous []byte    // hash of the block before
	heard    time.Time // when a peer was last there
}

func (s *stream) done() bool { return s.end > 0 && s.from.Block >= s.end }

// read delivers until the peer's stream ends, which is no error: it can be opened again.
func (s *stream) read(ctx context.Context) error {
	opened, cancel := context.WithCancel(ctx)
	defer cancel()
	blocks, err := s.ledger.network.BlockEvents(opened, client.WithStartBlock(s.from.Block))
	if err != nil {
		return nil
	}
	defer func() { s.heard = time.Now() }()
	defer drain(blocks, cancel)
	for {
		select {
		case block, open := <-blocks:
			if !open {
				return ctx.Err()
			}
			if err := s.take(block); err != nil || s.done() {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drain lets the client's sender go: it does not look whether anybody still listens.
func drain(blocks <-chan *common.Block, cancel context.CancelFunc) {
	cancel()
	go func() {
		for range blocks {
		}
	}()
}

func (s *stream) take(block *common.Block) error {
	header := block.GetHeader()
	if header.GetNumber() != s.from.Block || s.previous != nil && !bytes.Equal(s.previous, header.GetPreviousHash()) {
		return fmt.Errorf("%w: the peer sent block %d, which does not follow the one before", errBlock, header.GetNumber())
	}
	lines, err := s.lines(block)
	if err != nil {
		return err
	}
	if len(lines) > 0 {
		if err := s.deliver(lines); err != nil {
			return err
		}
	}
	s.from, s.previous = rest.Position{Block: header.GetNumber() + 1}, headerHash(header)
	return nil
}

func (s *stream) lines(block *common.Block) (lines []byte, err error) {
	transactions, err := transactionsIn(block)
	if err != nil {
		return nil, err
	}
	for _, t := range transactions {
		if t.index < s.from.Tx || t.code != peer.TxValidationCode_VALID || t.event.GetChaincodeId() != s.ledger.settings.Chaincode {
			continue
		}
		at := rest.Position{Block: block.GetHeader().GetNumber(), Tx: t.index}
		lines = rest.AppendEvent(lines, at, t.txid, t.event.GetEventName(), t.event.GetPayload())
	}
	return lines, nil
}
