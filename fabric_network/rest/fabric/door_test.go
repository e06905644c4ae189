package fabric_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"custody/fabric_network/rest/authority"
	"custody/fabric_network/rest/doortest"
	"custody/fabric_network/rest/fabric"
)

// TestTheDoorOfFabric is for `make fabric-test`, which says in the environment where a network runs.
func TestTheDoorOfFabric(t *testing.T) {
	state := os.Getenv("CUSTODY_FABRIC_STATE")
	if state == "" {
		t.Skip("needs Fabric's binaries, and to be asked for: make fabric-test")
	}
	doortest.Suite(t, func(t *testing.T) doortest.Ledger { return openNetwork(t, state) })
}

func openNetwork(t *testing.T, state string) doortest.Ledger {
	t.Helper()
	home := filepath.Join(state, "nodes", "door.org1")
	folder, err := authority.OpenMember(home, "Org1MSP", time.Now, "aggregator")
	if err != nil {
		t.Fatal(err)
	}
	aggregator := folder.Services[0]
	ledger, err := fabric.Open(fabric.Settings{
		Peers: []string{os.Getenv("CUSTODY_FABRIC_PEER")}, Roots: read(t, state, "crypto/peerOrganizations/org1/peers/peer0.org1/tls/ca.crt"),
		Channel: "custody", Chaincode: "custody", Genesis: strings.TrimSpace(string(read(t, state, "genesis"))),
		MSP: aggregator.MSP, Certificate: authority.PEM(aggregator.Certificate), Key: aggregator.Key,
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler), Observe: func(string, string, time.Duration) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ledger.Close() })
	return doortest.Ledger{
		Backend: ledger, Identities: folder.Identities(), Enroller: folder, MSP: "Org1MSP",
		Tokens: map[string]string{"reader": folder.Reader, "aggregator": aggregator.Token},
		Code: func(role, name string) string {
			code, err := authority.NewCode(home, authority.Grant{MSP: "Org1MSP", Role: role, Name: name}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return code
		},
	}
}

func read(t *testing.T, state, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(state, path))
	if err != nil {
		t.Fatal(err)
	}
	return content
}
