package contract

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/big"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const genesisHash = "11111111111111111111111111111111111111111111111111111111111111aa"

// memory is a ledger in a map. Like Fabric's, it does not show a transaction its own writes, and takes all of a
// transaction's writes or none.
type memory struct {
	t      testing.TB
	state  map[string][]byte
	now    time.Time
	txs    int
	broken string // a key that cannot be read
	events []event
}

type event struct {
	name    string
	payload []byte
}

func newMemory(t testing.TB) *memory {
	return &memory{t: t, state: map[string][]byte{}, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
}

// call is one transaction's view of the memory.
type call struct {
	*memory
	creator   []byte
	function  string
	arguments []string
	writes    map[string][]byte
	event     *event
}

func (c *call) GetState(key string) ([]byte, error) {
	if key == c.broken {
		return nil, errors.New("the disk is gone")
	}
	return c.state[key], nil
}

func (c *call) PutState(key string, value []byte) error {
	if _, twice := c.writes[key]; twice {
		c.t.Errorf("%s puts %s twice", c.function, key)
	}
	c.writes[key] = bytes.Clone(value)
	return nil
}

func (c *call) GetTxID() string                                 { return fmt.Sprintf("tx%d", c.txs) }
func (c *call) GetCreator() ([]byte, error)                     { return c.creator, nil }
func (c *call) GetTxTimestamp() (*timestamppb.Timestamp, error) { return timestamppb.New(c.now), nil }
func (c *call) GetFunctionAndParameters() (string, []string)    { return c.function, c.arguments }

func (c *call) SetEvent(name string, payload []byte) error {
	if c.event != nil {
		c.t.Errorf("%s sets a second event", c.function)
	}
	c.event = &event{name, bytes.Clone(payload)}
	return nil
}

// invoke runs one transaction and commits it when it was not refused.
func (l *memory) invoke(creator []byte, function string, arguments ...string) (Object, error) {
	l.t.Helper()
	l.txs++
	c := &call{memory: l, creator: creator, function: function, arguments: arguments, writes: map[string][]byte{}}
	answer, err := Contract{Genesis: genesisHash}.Invoke(c)
	if err != nil {
		if len(c.writes) > 0 && l.broken == "" {
			l.t.Errorf("%s was refused and had written", function)
		}
		return nil, err
	}
	l.check(c)
	maps.Copy(l.state, c.writes)
	if c.event != nil {
		l.events = append(l.events, *c.event)
	}
	result, err := parse(answer, anyDepth)
	if err != nil {
		l.t.Fatalf("%s answered with %s: %v", function, answer, err)
	}
	return result, nil
}

// check holds a transaction against what the table of functions says of it.
func (l *memory) check(c *call) {
	l.t.Helper()
	f, _ := functionNamed(c.function)
	told := []byte(`{"writes":{`)
	for _, key := range sortedKeys(c.writes) {
		if strings.HasPrefix(key, "record/") {
			continue
		}
		pattern, named := f.writing(key)
		if !named {
			l.t.Errorf("%s wrote %s, which its line of the table does not name", f.Name, key)
		}
		written.Store(f.Name+" "+pattern, true)
		if _, err := parse(c.writes[key], anyDepth); err != nil {
			l.t.Errorf("%s wrote %s: %v", f.Name, key, err)
		}
		told = fmt.Appendf(told, "%q:%s,", key, c.writes[key])
	}
	told = append(bytes.TrimSuffix(told, []byte(",")), "}}"...)
	if len(c.writes) > 0 && (c.event == nil || c.event.name != f.Event+".v1" || !bytes.Equal(c.event.payload, told)) {
		l.t.Errorf("%s: the event does not tell the writes", f.Name)
	}
	if len(c.writes) == 0 && c.event != nil {
		l.t.Errorf("%s: an event without a write", f.Name)
	}
}

var placeholder = regexp.MustCompile(`<[a-z0-9]+>`)

// standsFor is what a placeholder of a key may be.
func standsFor(placeholder string) string {
	switch placeholder {
	case "<n>", "<seq>", "<round>", "<epoch>":
		return `[0-9]+`
	case "<id>", "<version>", "<sha256>", "<ed25519>":
		return `[0-9a-f]{64}`
	}
	return `[a-z0-9._-]+`
}

// writing is the pattern under which the table names a key.
func (f function) writing(key string) (string, bool) {
	for _, pattern := range f.keys {
		if ok, _ := regexp.MatchString("^"+placeholder.ReplaceAllStringFunc(pattern, standsFor)+"$", key); ok {
			return pattern, true
		}
	}
	return "", false
}

// written are the functions and patterns that any test has seen.
var written sync.Map

// TestMain holds the table of functions, and with it docs/contract.md, against what a whole run has seen: memory.check
// keeps it from leaving a state out, this from naming one that nothing writes.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" {
		code = len(unwritten())
	}
	os.Exit(code)
}

func unwritten() (lines []string) {
	for _, f := range functions {
		for _, key := range f.keys {
			if _, seen := written.Load(f.Name + " " + key); !seen {
				lines = append(lines, f.Name+" "+key)
				fmt.Println("no test has seen", f.Name, "write", key)
			}
		}
	}
	return lines
}

func (l *memory) at(key string) Object {
	l.t.Helper()
	value := l.state[key]
	if value == nil {
		return nil
	}
	o, err := parse(value, anyDepth)
	if err != nil {
		l.t.Fatalf("%s holds %s: %v", key, value, err)
	}
	return o
}

var authority = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

var issued sync.Map

// person is a creator: a SerializedIdentity with a certificate as Fabric's authority would make it.
func person(msp, name, role string) []byte {
	known, ok := issued.Load(msp + "/" + name + "/" + role)
	if !ok {
		known, _ = issued.LoadOrStore(msp+"/"+name+"/"+role, identity(msp, certificate(msp, name, role)))
	}
	return known.([]byte)
}

func identity(msp string, certificate []byte) []byte {
	b := protowire.AppendTag(nil, 1, protowire.BytesType)
	b = protowire.AppendString(b, msp)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	return protowire.AppendBytes(b, certificate)
}

func certificate(msp, name, role string) []byte {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
	}
	if role != "" {
		template.ExtraExtensions = []pkix.Extension{{Id: attributes, Value: []byte(`{"attrs":{"role":"` + role + `"}}`)}}
	}
	parent := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "ca." + msp}}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, authority().Public(), authority())
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
