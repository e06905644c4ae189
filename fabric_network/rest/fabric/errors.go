package fabric

import (
	"context"
	"errors"
	"strings"

	"custody/fabric_network/rest"

	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refused precedes what a chaincode says; the contract's own code follows, and all of it is text.
const refused = "chaincode response 500, "

// refusalIn finds the contract's refusal in what a peer reports.
func refusalIn(message string) (*rest.Error, bool) {
	_, said, found := strings.Cut(message, refused)
	if !found {
		return nil, false
	}
	code, text, _ := strings.Cut(said, ": ")
	switch rest.Code(code) {
	case rest.BadRecord, rest.Forbidden, rest.NotFound, rest.Conflict, rest.Refused, rest.Internal:
		return &rest.Error{Code: rest.Code(code), Text: text}, true
	}
	return nil, false
}

// complaints are what peers say of a caller, and of themselves; the first that fits tells what the caller can do.
var complaints = []struct {
	says string
	code rest.Code
	text string
}{
	{"exceeding concurrency limit", rest.Busy, "the peer has too many requests under way; ask again in a second"},
	{"identity expired", rest.Forbidden, "the peers do not accept the certificate: it has expired"},
	{"access denied", rest.Forbidden, "the peers do not accept the certificate on this channel"},
	{"creator org unknown", rest.Forbidden, "the peers do not know the certificate's organisation"},
	{"no combination of peers can be derived", rest.Unavailable, "endorsers of all organisations that have to agree cannot be found"},
	{"no peers available", rest.Unavailable, "no peer with the chaincode can be found"},
	{"connection refused", rest.Unavailable, "a peer or its chaincode is down"},
}

// told translates what a peer reports, when no chaincode refused.
func told(err error) *rest.Error {
	said := saidBy(err)
	for _, c := range complaints {
		if strings.Contains(said, c.says) {
			return &rest.Error{Code: c.code, Text: c.text + " (" + said + ")"}
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded {
		return &rest.Error{Code: rest.Unavailable, Text: "the peers did not answer in time (" + said + ")"}
	}
	return &rest.Error{Code: rest.Unavailable, Text: said}
}

// saidBy is what the peer that was asked reports, and what it reports of the others.
func saidBy(err error) string {
	messages := []string{status.Convert(err).Message()}
	for _, d := range detailsOf(err) {
		messages = append(messages, d.GetMspId()+": "+d.GetMessage())
	}
	return strings.Join(messages, "; ")
}

func toldOfRead(err error) error {
	if err == nil {
		return nil
	}
	if refusal, found := refusalIn(err.Error()); found {
		return refusal
	}
	return told(err)
}

// toldOfEndorsement finds a refusal that stands: one by this organisation's own peer. Others may only be behind.
func (l *Ledger) toldOfEndorsement(err error) error {
	for _, d := range detailsOf(err) {
		if refusal, found := refusalIn(d.GetMessage()); found && d.GetMspId() == l.settings.MSP {
			return refusal
		}
	}
	answer := told(err)
	if answer.Code == rest.Unavailable {
		answer.Text = "nothing was recorded: " + answer.Text
	}
	return answer
}

func detailsOf(err error) []*gateway.ErrorDetail {
	var detailed interface{ Details() []*gateway.ErrorDetail }
	if errors.As(err, &detailed) {
		return detailed.Details()
	}
	return nil
}

func codeOf(err error) rest.Code {
	var told *rest.Error
	if errors.As(err, &told) {
		return told.Code
	}
	return rest.Internal
}

// missing tells a transaction that is in no block from a ledger that cannot be asked.
func missing(err error, txid string) error {
	if err != nil && strings.Contains(err.Error(), "no such transaction ID") {
		return &rest.Error{Code: rest.NotFound, Text: "no block holds transaction " + txid}
	}
	return err
}
