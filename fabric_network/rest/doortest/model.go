package doortest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// model is a model on the ledger, with its people and one site that takes part.
type model struct {
	t                         *testing.T
	d                         *Door
	name                      string
	admin, operator, approver Person
	genesis                   string // version id
	site                      ed25519.PrivateKey
}

// newModel creates a model the way people do.
func newModel(t *testing.T, d *Door) *model {
	t.Helper()
	_, site, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{
		t: t, d: d, name: fresh("model"), site: site,
		admin: d.Enrol("admin", fresh("anna")), operator: d.Enrol("operator", fresh("olga")), approver: d.Enrol("approver", fresh("paul")),
	}
	record, version := modelRecords(m.name, d.Chain.Genesis, d.ledger.MSP)
	m.genesis = hash(version)
	m.signs(m.admin, "RegisterModel", record, version)
	return m
}

func (m *model) signs(p Person, function string, arguments ...string) (o Outcome) {
	m.t.Helper()
	m.d.Sign(p, function, arguments...).Into(m.t, &o)
	return o
}

func (m *model) writes(path string, record string) {
	m.t.Helper()
	if a := m.d.Write(path, "", record); a.Status != http.StatusOK {
		m.t.Fatalf("%s: %d %s", path, a.Status, a.Body)
	}
}

// candidate runs a round of the one site, up to a version that nobody has judged yet.
func (m *model) candidate() string {
	m.t.Helper()
	m.signs(m.admin, "RegisterParticipant", m.join()...)
	m.signs(m.admin, "RegisterDataset", encode("dataset.1", object{
		"model": m.name, "dataset": "shard-a", "kind": "shard", "version": "1", "sha256": hash("shard"), "examples": 100, "participant": "site-a",
	}))
	m.writes("/api/v1/round/open", encode("round.1", object{
		"model": m.name, "number": 1, "epoch": 0, "base": m.genesis, "participants": []string{"site-a"}, "policy": 1,
		"hyperparameters": object{"batch_size": 32}, "deadline_at": time.Now().Add(time.Hour).Unix(),
	}))
	update := encode("update.1", object{
		"model": m.name, "round": 1, "epoch": 0, "base": m.genesis, "participant": "site-a", "examples": 100,
		"blob": blob(m.name+" update", "bf16.1"), "shard": hash("shard"), "self_reported": object{"loss_micro": 5},
	})
	m.writes("/api/v1/round/anchor", encode("anchor-batch.1", object{"items": []object{{"manifest": update, "signature": m.signature("update.1", update)}}}))
	m.writes("/api/v1/round/close", encode("close.1", object{
		"model": m.name, "round": 1, "outcome": "sealed", "count": 1, "chain": chainOf(update), "reason_code": "completed",
	}))
	version := encode("version.1", object{
		"model": m.name, "kind": "aggregate", "number": 1, "epoch": 0, "parent": m.genesis, "round": 1,
		"sealed": object{"chain": chainOf(update), "count": 1}, "weights": hash(m.name + " 1"), "blob": blob(m.name+" 1", "xor.1"), "rule": "fedavg.1",
		"included": []object{{"examples": 100, "participant": "site-a", "update": hash(update)}}, "excluded": []any{}, "hyperparameters": object{"batch_size": 32},
	})
	m.writes("/api/v1/model/register", version)
	return hash(version)
}

// join is a registration with the signature that proves the site's key.
func (m *model) join() []string {
	record := encode("participant.1", object{
		"model": m.name, "participant": "site-a", "organisation": m.d.ledger.MSP,
		"ed25519": hex.EncodeToString(m.site.Public().(ed25519.PublicKey)), "x25519": sealingKey(),
	})
	return []string{record, m.signature("participant.1", record)}
}

func (m *model) signature(schema, record string) string {
	return hex.EncodeToString(ed25519.Sign(m.site, fmt.Appendf(nil, "%s|%s|%s", schema, m.d.Chain.Genesis, record)))
}

// chainOf is the chain of a round with one update.
func chainOf(update string) string {
	id := sha256.Sum256([]byte(update))
	sum := sha256.Sum256(append(make([]byte, 32), id[:]...))
	return hex.EncodeToString(sum[:])
}

func (m *model) freeze(kind string, seq int) (function, record string) {
	schema := map[string]string{"Freeze": "freeze.1", "Resume": "resume.1"}[kind]
	return kind, encode(schema, object{"model": m.name, "expected_seq": seq, "reason_code": "drill", "text_hash": ""})
}

func (m *model) rollbackRequest() string {
	return encode("rollback-request.1", object{
		"model": m.name, "to": m.genesis, "expected_seq": 0, "reason_code": "regulator_order", "text_hash": "", "incident": "",
		"priority": "high", "quarantine": []any{}, "break_glass": false, "drill": false, "expires_at": time.Now().Add(48 * time.Hour).Unix(),
	})
}

func (m *model) approval(request string) string {
	return encode("rollback-approval.1", object{"model": m.name, "request": hash(request)})
}

func (m *model) rollback(request string) string {
	return encode("rollback.1", object{
		"model": m.name, "to": m.genesis, "expected_seq": 0, "request": hash(request), "decision": "", "reason_code": "regulator_order", "quarantine": []any{},
	})
}
