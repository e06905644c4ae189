package contract

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// The golden files are written by sealed/ (Python): what both implementations must agree on. See golden/README.md.

func golden(t testing.TB, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "golden", file))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

type goldenRecord struct{ Schema, Bytes, ID, Why string }

func TestGoldenRecordsAreReadAndWrittenToTheSameBytes(t *testing.T) {
	var all struct{ Records, Edges []goldenRecord }
	golden(t, "records.json", &all)
	seen := map[string]bool{}
	for _, g := range all.Records {
		r, err := Read(g.Schema, []byte(g.Bytes))
		if err != nil {
			t.Errorf("%s: %v", g.Schema, err)
			continue
		}
		seen[g.Schema] = true
		if got := string(Encode(r.Object)); got != g.Bytes || r.ID != g.ID {
			t.Errorf("%s: encoded to %s with id %s", g.Schema, got, r.ID)
		}
	}
	for schema := range schemas {
		if !seen[schema] {
			t.Errorf("no golden record of %s", schema)
		}
	}
	for _, g := range all.Edges {
		o, err := Parse([]byte(g.Bytes), wide)
		if err != nil || string(Encode(o)) != g.Bytes || ID([]byte(g.Bytes)) != g.ID {
			t.Errorf("%s: %v", g.Why, err)
		}
	}
	if len(all.Edges) == 0 {
		t.Error("no edges")
	}
}

func TestGoldenRefusalsAreRefused(t *testing.T) {
	type refused struct {
		Schema, Why string
		Base64      []byte
	}
	var all struct{ Parse, Check []refused }
	golden(t, "refused.json", &all)
	for _, g := range all.Parse {
		if _, err := Parse(g.Base64, narrow); err == nil {
			t.Errorf("taken for a record: %s", g.Why)
		}
	}
	for _, g := range all.Check {
		if _, err := Read(g.Schema, g.Base64); err == nil {
			t.Errorf("taken for a %s: %s", g.Schema, g.Why)
		}
	}
	if len(all.Parse) == 0 || len(all.Check) == 0 {
		t.Error("nothing to refuse")
	}
}

type goldenSignature struct{ Bytes, Genesis, Public, Schema, Seed, Signature, Why string }

func (g goldenSignature) holds() bool {
	return signedBy(g.Public, g.Schema, g.Genesis, []byte(g.Bytes), g.Signature)
}

func TestGoldenSignaturesAreVerifiedAndReproduced(t *testing.T) {
	var all struct {
		Signatures        []goldenSignature
		RefusedSignatures []goldenSignature `json:"refused_signatures"`
		SigningKeys       []goldenSignature `json:"refused_signing_keys"`
		SealingKeys       []goldenSignature `json:"refused_sealing_keys"`
	}
	golden(t, "signatures.json", &all)
	for _, g := range all.Signatures {
		seed, err := hex.DecodeString(g.Seed)
		if err != nil {
			t.Fatal(err)
		}
		key := ed25519.NewKeyFromSeed(seed)
		made := ed25519.Sign(key, signingText(g.Schema, g.Genesis, []byte(g.Bytes)))
		if public(key) != g.Public || hex.EncodeToString(made) != g.Signature || !g.holds() {
			t.Errorf("the signature of a %s is not ours", g.Schema)
		}
	}
	for _, g := range all.RefusedSignatures {
		if g.holds() {
			t.Errorf("a signature holds: %s", g.Why)
		}
	}
	for _, g := range all.SigningKeys {
		if signingKeyFits(g.Public) == nil {
			t.Errorf("a signing key fits: %s", g.Why)
		}
	}
	for _, g := range all.SealingKeys {
		if sealingKeyFits(g.Public) == nil {
			t.Errorf("a sealing key fits: %s", g.Why)
		}
	}
	if len(all.Signatures)*len(all.RefusedSignatures)*len(all.SigningKeys)*len(all.SealingKeys) == 0 {
		t.Error("a list is empty")
	}
}

// raw are JSON numbers and objects as the contract has them.
type raw struct{ Object }

func (r *raw) UnmarshalJSON(data []byte) error {
	var compact bytes.Buffer
	err := json.Compact(&compact, data)
	if err == nil {
		r.Object, err = parse(compact.Bytes(), anyDepth)
	}
	return err
}

func TestGoldenJudgementsAreOurs(t *testing.T) {
	type step struct {
		Do, Policy, Pointer, Version, Target, Probe string
		Score                                       *int64
		Metrics, Expect                             raw
	}
	var all struct {
		Policies  map[string]raw
		Sequences []struct {
			Name  string
			Steps []step
		}
	}
	golden(t, "judge.json", &all)
	for _, sequence := range all.Sequences {
		state := unjudged
		for i, s := range sequence.Steps {
			var got Object
			policy := all.Policies[s.Policy].Object
			switch s.Do {
			case "rollback":
				state = state.after(policy, s.Target, s.Score, s.Probe)
				got = Object{"state": state.record()}
			default:
				got, state = judgedStep(policy, state, s.Metrics.Object, s.Pointer, s.Version)
			}
			if want := s.Expect.Object; string(Encode(got)) != string(Encode(want)) {
				t.Errorf("%s, step %d: %s\nwant %s", sequence.Name, i, Encode(got), Encode(want))
			}
		}
	}
	if len(all.Sequences) == 0 {
		t.Error("no sequences")
	}
}

func judgedStep(policy Object, state judgeState, metrics Object, pointer, version string) (Object, judgeState) {
	if guardsMeasured(policy, metrics) != nil {
		return Object{"refused": true}, state
	}
	j := judge(policy, state, metrics, pointer, version)
	return Object{
		"decision": j.decision, "drop": j.drop, "reason": j.reason, "score": j.score, "state": j.state.record(), "target": j.target,
	}, j.state
}
