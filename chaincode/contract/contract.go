// Package contract holds the rules of Custody: who may record what, and what follows from it.
//
// The same code runs on Fabric's peers and in the embedded ledger. Formats are in docs/records.md, functions and their
// rules in docs/contract.md.
package contract

// Rules is the version of the rules. It is written into every state, and is the version of the chaincode definition.
const Rules = 1

// Contract is the rules on one ledger.
type Contract struct {
	Genesis string // hex hash of block 0: a participant's signature is good on this ledger only
}

// Invoke runs the function that the stub names and answers with canonical JSON. A refusal is an *Error.
func (c Contract) Invoke(stub Stub) (answer []byte, err error) {
	name, arguments := stub.GetFunctionAndParameters()
	f, known := functionNamed(name)
	if !known {
		return nil, refuse(NotFound, "there is no function %q", name)
	}
	defer func() {
		switch trouble := recover().(type) {
		case nil:
		case unreadable:
			answer, err = nil, trouble.error
		default:
			panic(trouble)
		}
	}()
	t := begin(stub, c.Genesis)
	result, err := f.answer(t, arguments)
	if err != nil {
		return nil, err
	}
	return Encode(result), t.commit(f.Event)
}
