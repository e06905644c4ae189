// Command custody-fabric-door is one organisation's door in front of Hyperledger Fabric, and makes enrolment codes for
// its people.
package main

import (
	"fmt"
	"os"
)

const usage = `custody-fabric-door serve --dir DIR --msp MSP --peer ADDRESS[,ADDRESS] --tls-roots FILE --genesis FILE
                          [--service NAME] [--channel custody] [--chaincode custody] [--listen 127.0.0.1:7080]
    serve; DIR/identities holds the organisation's CA as MSP.ca.pem and MSP.ca.key
custody-fabric-door code --dir DIR --msp MSP --role ROLE --name NAME
    make a one-time enrolment code, also while the door is open
`

var verbs = map[string]func(arguments []string) error{
	"serve": serve,
	"code":  code,
}

func main() {
	verb := func([]string) error { return fmt.Errorf("say what to do:\n%s", usage) }
	if len(os.Args) > 1 && verbs[os.Args[1]] != nil {
		verb = verbs[os.Args[1]]
	}
	if err := verb(os.Args[min(2, len(os.Args)):]); err != nil {
		fmt.Fprintln(os.Stderr, "custody-fabric-door:", err)
		os.Exit(1)
	}
}
