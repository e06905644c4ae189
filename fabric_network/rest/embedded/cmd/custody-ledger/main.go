// Command custody-ledger serves the embedded ledger, makes enrolment codes for it, and checks one.
package main

import (
	"fmt"
	"os"
)

const usage = `custody-ledger serve --dir DIR [--listen 127.0.0.1:7080]
    serve the ledger in DIR, founding it on the first start
custody-ledger code --dir DIR --msp MSP --role ROLE --name NAME
    make a one-time enrolment code, also while the ledger is served
custody-ledger check --dir DIR
    verify every frame, hash, signature, certificate and version of the ledger in DIR
`

var verbs = map[string]func(arguments []string) error{
	"serve": serve,
	"code":  code,
	"check": check,
}

func main() {
	verb := func([]string) error { return fmt.Errorf("say what to do:\n%s", usage) }
	if len(os.Args) > 1 && verbs[os.Args[1]] != nil {
		verb = verbs[os.Args[1]]
	}
	if err := verb(os.Args[min(2, len(os.Args)):]); err != nil {
		fmt.Fprintln(os.Stderr, "custody-ledger:", err)
		os.Exit(1)
	}
}
