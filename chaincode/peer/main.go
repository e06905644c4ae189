// custody-chaincode hosts the contract on a Fabric peer, as a service that the peers of one organisation dial.
// `custody-chaincode rules` prints the version of the rules that it has.
package main

import (
	"fmt"
	"log"
	"os"
	"slices"

	"custody/chaincode/contract"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

// Fabric's stub is the contract's as it is.
var _ contract.Stub = shim.ChaincodeStubInterface(nil)

type chaincode struct{ contract contract.Contract }

func (chaincode) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke answers a refusal as an error whose text starts with its code. A panic in the rules ends this transaction only.
func (c chaincode) Invoke(stub shim.ChaincodeStubInterface) (response *peer.Response) {
	defer func() {
		if fault := recover(); fault != nil {
			log.Printf("transaction %s: the contract panicked: %v", stub.GetTxID(), fault)
			response = shim.Error("INTERNAL: the fault is in the chaincode's log")
		}
	}()
	result, err := c.contract.Invoke(stub)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(result)
}

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	if slices.Equal(os.Args[1:], []string{"rules"}) {
		fmt.Println(contract.Rules)
		return
	}
	if err := serve(); err != nil {
		log.Fatalf("custody-chaincode: %v", err)
	}
}

func serve() error {
	tls, err := tlsFromEnvironment()
	if err != nil {
		return err
	}
	genesis := os.Getenv("CUSTODY_GENESIS")
	if len(genesis) != 64 {
		return fmt.Errorf("CUSTODY_GENESIS is %q, not the hash of the channel's block 0 (64 hex digits)", genesis)
	}
	server := &shim.ChaincodeServer{
		CCID:     os.Getenv("CORE_CHAINCODE_ID_NAME"),
		Address:  os.Getenv("CHAINCODE_SERVER_ADDRESS"),
		CC:       chaincode{contract.Contract{Genesis: genesis}},
		TLSProps: tls,
	}
	return server.Start()
}

// tlsFromEnvironment reads the variables that Fabric's own chaincodes use. There is no plain-text mode: whoever reaches
// a chaincode could otherwise act as its peer.
func tlsFromEnvironment() (shim.TLSProperties, error) {
	var tls shim.TLSProperties
	for variable, content := range map[string]*[]byte{
		"CORE_TLS_CLIENT_KEY_FILE":    &tls.Key,
		"CORE_TLS_CLIENT_CERT_FILE":   &tls.Cert,
		"CORE_PEER_TLS_ROOTCERT_FILE": &tls.ClientCACerts,
	} {
		read, err := os.ReadFile(os.Getenv(variable))
		if err != nil {
			return tls, fmt.Errorf("%s: %w", variable, err)
		}
		*content = read
	}
	return tls, nil
}
