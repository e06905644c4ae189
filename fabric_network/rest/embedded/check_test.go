package embedded

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"custody/chaincode/contract"
)

// forge rewrites the transactions of a ledger's blocks and seals them again with the ledger's own key: what the one who
// runs the ledger could do.
func forge(t *testing.T, dir string, change func(number int, tx *transaction)) {
	t.Helper()
	l := mustOpen(t, settings(dir))
	var forged []byte
	var previous digest
	for number := range l.log.blocks() {
		data, err := l.log.block(number)
		if err != nil {
			t.Fatal(err)
		}
		b, err := decodeBlock(data)
		if err != nil {
			t.Fatal(err)
		}
		if number > 0 {
			tx, err := decodeTransaction(b.transactions[0])
			if err != nil {
				t.Fatal(err)
			}
			change(int(number), &tx)
			b = sealBlock(number, previous, [][]byte{tx.encode()}, l.folder.Ledger)
		}
		previous = b.header.hash()
		forged = append(forged, frame(b.encode())...)
	}
	closeLedger(t, l)
	writeFile(t, forged, dir, logName)
}

func TestTheCheckFindsWhatTheLedgersOwnKeyCanForge(t *testing.T) {
	for name, c := range map[string]struct {
		change func(number int, tx *transaction)
		says   string
	}{
		"nothing": {func(int, *transaction) {}, ""},
		"a creator's signature": {func(n int, tx *transaction) {
			if n == 2 {
				tx.proposal = []byte(strings.Replace(string(tx.proposal), "value 1", "value 9", 1))
			}
		}, "block 2, transaction 0: the signature does not verify"},
		"a value": {func(n int, tx *transaction) {
			if n == 2 {
				tx.effects.writes[0].value = []byte("forged")
			}
		}, "block 2, transaction 0: its effects are not what the rules say"},
		"a version that was read": {func(n int, tx *transaction) {
			if n == 3 {
				tx.effects.reads[0].version = &version{1, 0}
			}
		}, "block 3, transaction 0: it says that it read another version"},
		"a result": {func(n int, tx *transaction) {
			if n == 1 {
				tx.effects.result = []byte(`"forged"`)
			}
		}, "block 1, transaction 0: its effects"},
	} {
		dir := filled(t, 4)
		forge(t, dir, c.change)
		report, err := Check(dir, notebooks)
		if c.says == "" && (err != nil || report.Height != 4 || report.Transactions != 4 || report.Keys != 4) {
			t.Errorf("forging %s: %+v, %v", name, report, err)
		}
		if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("forging %s: %v", name, err)
		}
	}
}

func TestTheCheckFindsATransactionThatIsThereTwice(t *testing.T) {
	dir := filled(t, 2)
	var first transaction
	forge(t, dir, func(n int, tx *transaction) {
		if n == 1 {
			first = *tx
		} else {
			*tx = first
		}
	})
	if _, err := Check(dir, notebooks); err == nil || !strings.Contains(err.Error(), "on the ledger twice") {
		t.Errorf("%v", err)
	}
}

func TestTheCheckFindsABlockOfAnotherKey(t *testing.T) {
	dir := filled(t, 2)
	l := mustOpen(t, settings(dir))
	data, _ := l.log.block(1)
	b, _ := decodeBlock(data)
	_, key, _ := ed25519.GenerateKey(nil)
	forged := append(readFile(t, dir, logName)[:l.log.starts[1]], frame(sealBlock(1, l.genesis.hash, b.transactions, key).encode())...)
	closeLedger(t, l)
	writeFile(t, forged, dir, logName)
	if _, err := Check(dir, notebooks); err == nil || !strings.Contains(err.Error(), "block 1: the ledger's signature") {
		t.Errorf("%v", err)
	}
}

// otherRules refuse everything.
type otherRules struct{}

func (otherRules) Invoke(contract.Stub) ([]byte, error) {
	return nil, &contract.Error{Code: contract.Refused, Text: "no"}
}

func TestTheCheckAsksTheRulesAgain(t *testing.T) {
	_, err := Check(filled(t, 1), func(string) Rules { return otherRules{} })
	if err == nil || !strings.Contains(err.Error(), "the rules refuse it") {
		t.Errorf("%v", err)
	}
}

func TestALedgerThatIsServedCanBeChecked(t *testing.T) {
	l := mustOpen(t, settings(t.TempDir()))
	defer closeLedger(t, l)
	for range 3 {
		mustSubmit(t, l, "Count", "n")
		if _, err := Check(l.settings.Dir, notebooks); err != nil {
			t.Error(err)
		}
	}
}
