package embedded_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"custody/chaincode/contract"
	"custody/fabric_network/rest/authority"
	"custody/fabric_network/rest/doortest"
	"custody/fabric_network/rest/embedded"
)

func openLedger(t *testing.T) doortest.Ledger {
	t.Helper()
	dir := t.TempDir()
	ledger, err := embedded.Open(embedded.Settings{
		Dir: dir, Clock: time.Now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Rules: func(genesis string) embedded.Rules { return contract.Contract{Genesis: genesis} },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
		if _, err := embedded.Check(dir, func(genesis string) embedded.Rules { return contract.Contract{Genesis: genesis} }); err != nil {
			t.Error(err)
		}
	})
	folder := ledger.Authority()
	found := doortest.Ledger{
		Backend: ledger, Enroller: folder, MSP: "Org1MSP", Tokens: map[string]string{"reader": folder.Reader},
		Identities: folder.Identities(),
		Code: func(role, name string) string {
			code, err := authority.NewCode(dir, authority.Grant{MSP: "Org1MSP", Role: role, Name: name}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return code
		},
	}
	for _, s := range folder.Services {
		found.Tokens[s.Name] = s.Token
	}
	return found
}

func TestTheDoorOfTheEmbeddedLedger(t *testing.T) { doortest.Suite(t, openLedger) }
