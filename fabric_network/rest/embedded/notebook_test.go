package embedded

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"strconv"
	"testing"
	"time"

	"custody/chaincode/contract"
	"custody/fabric_network/rest"
	"custody/fabric_network/rest/authority"
)

// notebook is a small contract: Put writes what it is told, Create only once, Count adds one, Get reads.
type notebook struct{}

func (notebook) Invoke(stub contract.Stub) ([]byte, error) {
	name, arguments := stub.GetFunctionAndParameters()
	key := arguments[0]
	old, err := stub.GetState(key)
	if err != nil {
		return nil, err
	}
	switch name {
	case "Put":
		return note(stub, key, arguments[1])
	case "Create":
		if old != nil {
			return nil, &contract.Error{Code: contract.Conflict, Text: key + " is taken"}
		}
		return note(stub, key, arguments[1])
	case "Count":
		n, _ := strconv.Atoi(string(old))
		return note(stub, key, strconv.Itoa(n+1))
	case "Get":
		if old == nil {
			return nil, &contract.Error{Code: contract.NotFound, Text: "no " + key}
		}
		return json.Marshal(string(old))
	case "Panic":
		panic("a fault in the rules")
	}
	return nil, &contract.Error{Code: contract.NotFound, Text: "no function " + name}
}

func note(stub contract.Stub, key, value string) ([]byte, error) {
	if err := stub.PutState(key, []byte(value)); err != nil {
		return nil, err
	}
	payload, err := json.Marshal(map[string]string{key: value})
	if err != nil {
		return nil, err
	}
	return strconv.AppendQuote(nil, value), stub.SetEvent("Noted.v1", payload)
}

func notebooks(string) Rules { return notebook{} }

// quiet shows the log of a test only when it is asked to.
func quiet() *slog.Logger {
	level := slog.LevelError + 1
	if testing.Verbose() {
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func settings(dir string) Settings {
	return Settings{Dir: dir, Rules: notebooks, Clock: time.Now, Logger: quiet()}
}

func mustOpen(t testing.TB, s Settings) *Ledger {
	t.Helper()
	l, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLedger(t testing.TB, l *Ledger) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func aggregator(l *Ledger) authority.Service { return l.folder.Services[0] }

func signAs(key *ecdsa.PrivateKey, payload []byte) []byte {
	sum := sha256.Sum256(payload)
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err)
	}
	n := key.Params().N
	if s.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
		s.Sub(n, s)
	}
	signature, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		panic(err)
	}
	return signature
}

func envelope(l *Ledger, function string, arguments ...string) (rest.Envelope, error) {
	ctx, who := context.Background(), aggregator(l)
	e, err := l.Prepare(ctx, authority.PEM(who.Certificate), rest.Call{Function: function, Arguments: arguments})
	if err != nil {
		return e, err
	}
	return l.Sign(ctx, e, signAs(who.Key, e.Payload))
}

func submit(l *Ledger, function string, arguments ...string) (rest.Outcome, error) {
	e, err := envelope(l, function, arguments...)
	if err != nil {
		return rest.Outcome{}, err
	}
	return l.Submit(context.Background(), e)
}

func mustSubmit(t testing.TB, l *Ledger, function string, arguments ...string) rest.Outcome {
	t.Helper()
	outcome, err := submit(l, function, arguments...)
	if err != nil {
		t.Fatalf("%s %q: %v", function, arguments, err)
	}
	return outcome
}

func get(l *Ledger, key string) string {
	answer, err := l.Evaluate(context.Background(), rest.Call{Function: "Get", Arguments: []string{key}})
	if err != nil {
		return err.Error()
	}
	var value string
	if err := json.Unmarshal(answer.Result, &value); err != nil {
		return err.Error()
	}
	return value
}

// filled makes a ledger of n blocks after the first, each with one note, and closes it.
func filled(t testing.TB, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	l := mustOpen(t, settings(dir))
	for i := range n {
		mustSubmit(t, l, "Put", fmt.Sprintf("key/%d", i), fmt.Sprintf("value %d", i))
	}
	closeLedger(t, l)
	return dir
}

// highS is the other signature that is mathematically as good.
func highS(signature []byte) []byte {
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &rs); err != nil {
		panic(err)
	}
	rs.S.Sub(elliptic.P256().Params().N, rs.S)
	high, err := asn1.Marshal(rs)
	if err != nil {
		panic(err)
	}
	return high
}
