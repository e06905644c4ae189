package rest

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"testing"

	"custody/chaincode/contract"
)

var update = flag.Bool("update", false, "write openapi.json anew")

func TestTheCommittedDescriptionIsThatOfTheRoutes(t *testing.T) {
	if *update {
		if err := os.WriteFile("openapi.json", append(OpenAPI(), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile("openapi.json")
	if err != nil || !bytes.Equal(committed, append(OpenAPI(), '\n')) {
		t.Errorf("openapi.json is not what the routes say: go test ./fabric_network/rest -run Description -update (%v)", err)
	}
}

func TestEveryOperationHasANameOfItsOwn(t *testing.T) {
	seen := map[string]string{}
	for _, r := range table() {
		if other := seen[r.operation()]; other != "" {
			t.Errorf("%s and %s are both called %s", other, r.path, r.operation())
		}
		seen[r.operation()] = r.path
	}
}

func TestEveryFunctionOfTheContractHasExactlyOneRoute(t *testing.T) {
	routed := map[string]int{}
	for _, r := range table() {
		if r.function == "" {
			continue
		}
		routed[r.function]++
		known := slices.IndexFunc(contract.Functions(), func(f contract.Function) bool { return f.Name == r.function })
		if known < 0 {
			t.Errorf("%s leads to %s, which the contract does not have", r.path, r.function)
			continue
		}
		f := contract.Functions()[known]
		if f.Writes != (r.access == writes) || !f.Writes && len(f.Arguments) != len(r.takes) {
			t.Errorf("%s does not fit %s(%v)", r.path, f.Name, f.Arguments)
		}
	}
	for _, f := range contract.Functions() {
		if routed[f.Name] != 1 {
			t.Errorf("%s has %d routes", f.Name, routed[f.Name])
		}
	}
}
