package main

import (
	"encoding/json"
	"flag"
	"os"

	"custody/fabric_network/rest/embedded"
)

func check(arguments []string) error {
	flags := flag.NewFlagSet("check", flag.ExitOnError)
	dir := flags.String("dir", "", "the ledger's folder")
	flags.Parse(arguments)
	report, err := embedded.Check(*dir, rules)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}
