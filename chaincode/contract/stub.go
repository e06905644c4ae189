package contract

import "google.golang.org/protobuf/types/known/timestamppb"

// Stub is what the contract needs of a ledger: a part of Fabric's shim.ChaincodeStubInterface, signature by signature,
// so that Fabric's own stub satisfies it as it is. GetState does not show what the same transaction has put.
type Stub interface {
	GetState(key string) ([]byte, error)
	PutState(key string, value []byte) error
	GetTxID() string
	GetCreator() ([]byte, error)
	GetTxTimestamp() (*timestamppb.Timestamp, error)
	SetEvent(name string, payload []byte) error
	GetFunctionAndParameters() (string, []string)
}
