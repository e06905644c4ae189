package main

import (
	"flag"
	"fmt"
	"time"

	"custody/fabric_network/rest/authority"
)

func code(arguments []string) error {
	flags := flag.NewFlagSet("code", flag.ExitOnError)
	dir := flags.String("dir", "", "the door's folder")
	var grant authority.Grant
	flags.StringVar(&grant.MSP, "msp", "", "organisation")
	flags.StringVar(&grant.Role, "role", "", "what the certificate will say that its holder does")
	flags.StringVar(&grant.Name, "name", "", "pseudonym: it stays on the ledger for ever")
	flags.Parse(arguments)
	made, err := authority.NewCode(*dir, grant, time.Now())
	if err != nil {
		return err
	}
	fmt.Println(made)
	return nil
}
