package contract

import "fmt"

// The codes of refusals. Fabric carries errors as text only, so the code leads the text.
const (
	BadRecord = "BAD_RECORD" // the bytes are no such record
	Forbidden = "FORBIDDEN"  // the caller may not do this
	NotFound  = "NOT_FOUND"  // what the record names is not on the ledger
	Conflict  = "CONFLICT"   // the ledger has moved on, or holds something else there
	Refused   = "REFUSED"    // a rule of the model says no
)

// Error is a refusal by the rules: the transaction leaves no trace. Any other error is the ledger's own trouble.
type Error struct{ Code, Text string }

func (e *Error) Error() string { return e.Code + ": " + e.Text }

func refuse(code, format string, values ...any) error {
	return &Error{code, fmt.Sprintf(format, values...)}
}

// demand states a rule: what must hold, and the refusal when it does not.
func demand(holds bool, code, format string, values ...any) error {
	if holds {
		return nil
	}
	return refuse(code, format, values...)
}

// first returns the first refusal, so that a function's rules can be listed in the order in which they are told.
func first(refusals ...error) error {
	for _, refusal := range refusals {
		if refusal != nil {
			return refusal
		}
	}
	return nil
}
