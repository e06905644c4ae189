package fabric

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"custody/fabric_network/rest"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/protobuf/proto"
)

const (
	endorseTimeout = 15 * time.Second
	// consent is how long peers may disagree: one that has not seen the newest block answers otherwise for a moment.
	consent     = 2 * time.Second
	firstPause  = 10 * time.Millisecond
	longerPause = 200 * time.Millisecond
)

// endorse asks again while peers are not of one mind: the same proposal, so nobody signs again.
func (l *Ledger) endorse(ctx context.Context, proposal *client.Proposal) (*client.Transaction, error) {
	ctx, cancel := context.WithTimeout(ctx, endorseTimeout)
	defer cancel()
	began, pause := time.Now(), firstPause
	for {
		transaction, err := proposal.EndorseWithContext(ctx)
		if err == nil {
			return transaction, nil
		}
		if !l.disagree(ctx, proposal, err) {
			return nil, l.toldOfEndorsement(err)
		}
		if time.Since(began) > consent || wait(ctx, pause) != nil {
			return nil, &rest.Error{Code: rest.Unavailable, Text: "nothing was recorded: the organisations' peers do not agree: " + saidBy(err)}
		}
		pause = min(2*pause, longerPause)
	}
}

// disagree says that peers were not of one mind, as they are for a moment when one has not seen the newest block yet.
func (l *Ledger) disagree(ctx context.Context, proposal *client.Proposal, err error) bool {
	for _, d := range detailsOf(err) {
		_, refused := refusalIn(d.GetMessage())
		switch {
		case refused && d.GetMspId() == l.settings.MSP:
			return l.endorsedElsewhere(ctx, proposal)
		case refused, strings.Contains(d.GetMessage(), "ProposalResponsePayloads do not match"):
			return true
		}
	}
	return false
}

// endorsedElsewhere says whether another organisation's peer would endorse what ours refused.
func (l *Ledger) endorsedElsewhere(ctx context.Context, proposal *client.Proposal) bool {
	organisations, err := l.members.msps(ctx)
	if err != nil {
		return false
	}
	others := slices.DeleteFunc(organisations, func(msp string) bool { return msp == l.settings.MSP })
	asked, err := l.askedOf(proposal, others)
	if err != nil || len(others) == 0 {
		return false
	}
	_, err = asked.EvaluateWithContext(ctx)
	return err == nil
}

// askedOf is the same signed proposal for the peers of some organisations.
func (l *Ledger) askedOf(proposal *client.Proposal, organisations []string) (*client.Proposal, error) {
	data, err := proposal.Bytes()
	if err != nil {
		return nil, err
	}
	var whole gateway.ProposedTransaction
	if err := decode(data, &whole); err != nil {
		return nil, err
	}
	whole.EndorsingOrganizations = organisations
	if data, err = proto.Marshal(&whole); err != nil {
		return nil, err
	}
	return l.gateway.NewProposal(data)
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
