package contract

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The people and services of a model that two organisations share.
var (
	anna  = func() []byte { return person("OrgA", "anna", admin) }
	olga  = func() []byte { return person("OrgA", "olga", operator) }
	otto  = func() []byte { return person("OrgB", "otto", operator) }
	pia   = func() []byte { return person("OrgA", "pia", approver) }
	paul  = func() []byte { return person("OrgB", "paul", approver) }
	agg   = func() []byte { return person("OrgA", "aggregator", aggregator) }
	val   = func() []byte { return person("OrgB", "validator", validator) }
	guest = func() []byte { return person("OrgC", "guest", "") }
)

// world is a ledger with one model, three participants with shards, a probe and a test set.
type world struct {
	*memory
	genesis string // version id
	signers map[string]ed25519.PrivateKey
	shards  map[string]string // participant to commitment
}

func digest(text string) string { return ID([]byte(text)) }

func signer(seed string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(sum[:])
}

func public(key ed25519.PrivateKey) string {
	return hex.EncodeToString(key.Public().(ed25519.PublicKey))
}

func sign(key ed25519.PrivateKey, schema, genesis, record string) string {
	return hex.EncodeToString(ed25519.Sign(key, signingText(schema, genesis, []byte(record))))
}

func rec(schema string, o Object) string { return string(Encode(o.with("schema", schema))) }

func sealKey(name string) string {
	seed := sha256.Sum256([]byte("x25519 " + name))
	key, err := ecdh.X25519().NewPrivateKey(seed[:])
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(key.PublicKey().Bytes())
}

func testCID(of string) string {
	const base32 = "abcdefghijklmnopqrstuvwxyz234567"
	var b strings.Builder
	for _, c := range digest(of)[:52] {
		b.WriteByte(base32[int(c)%32])
	}
	return "bafybei" + b.String()
}

func testBlob(name, codec string) Object {
	return Object{"cid": testCID(name), "codec": codec, "sha256": digest("blob " + name), "size": 1000}
}

func testPolicy() Object {
	return Object{
		"accuracy_tolerance": 50, "severe_drop": 200, "patience_threshold": 3, "min_accuracy_threshold": 0, "min_class_recall": 0,
		"max_trigger_rate": 10000, "aggregation": "fedavg.1", "round_quorum": 10000, "ack_quorum": 10000, "convergence_patience": 10,
		"max_iterations": 100, "max_rollbacks": 5, "target_accuracy": 10000, "overtraining_threshold": 10000,
		"early_stopping_enabled": true, "enable_client_exclusion": true, "metrics_to_track": []any{"accuracy_bp"},
		"probe": digest("probe"), "test": digest("test"),
	}
}

func testGrants(pairs ...string) []any {
	var grants []any
	for _, pair := range pairs {
		org, role, _ := strings.Cut(pair, " ")
		grants = append(grants, Object{"msp": org, "role": role})
	}
	return grants
}

var bothOrganisations = []string{
	"OrgA admin", "OrgA aggregator", "OrgA approver", "OrgA operator", "OrgB admin", "OrgB approver", "OrgB operator", "OrgB validator",
}

func testKeys() Object {
	return Object{"aggregator": sealKey("aggregator"), "validator": sealKey("validator"), "auditors": []any{}}
}

func genesisVersion(name string) Object {
	return Object{
		"model": name, "kind": "genesis", "number": 0, "epoch": 0, "parent": "", "round": 0,
		"sealed": Object{"chain": emptyChain, "count": 0}, "weights": digest("weights 0"), "blob": testBlob(name+" genesis", "whole.1"),
		"rule": "genesis.1", "included": []any{}, "excluded": []any{}, "hyperparameters": Object{"optimizer": "sgd", "seed": 7},
	}
}

// modelRecords are the two arguments of RegisterModel.
func modelRecords(name string, change Object) []string {
	genesis := rec("version.1", genesisVersion(name))
	return []string{rec("model.1", Object{
		"model": name, "genesis": genesisHash, "architecture": Object{"name": "mlp", "hidden": 32}, "version": digest(genesis),
		"grants": testGrants(bothOrganisations...), "keys": testKeys(), "policy": testPolicy(),
	}.and(change)), genesis}
}

// bare is a ledger with a model and nothing else.
func bare(t testing.TB, policy Object) *world {
	t.Helper()
	w := &world{memory: newMemory(t), signers: map[string]ed25519.PrivateKey{}, shards: map[string]string{}}
	arguments := modelRecords("digits", Object{"policy": testPolicy().and(policy)})
	w.genesis = digest(arguments[1])
	w.must(anna(), "RegisterModel", arguments...)
	return w
}

func newWorld(t testing.TB, policy Object) *world {
	t.Helper()
	w := bare(t, policy)
	for _, name := range []string{"site-a", "site-b", "site-c"} {
		w.join(name)
	}
	w.must(anna(), "RegisterDataset", w.set("probe", "probe"))
	w.must(anna(), "RegisterDataset", w.set("test", "test"))
	return w
}

func (w *world) set(name, kind string) string {
	return rec("dataset.1", Object{
		"model": "digits", "dataset": name, "kind": kind, "version": "1", "sha256": digest(name), "examples": 500, "participant": "",
	})
}

func (w *world) shard(name string) string {
	return rec("dataset.1", Object{
		"model": "digits", "dataset": name + "-shard", "kind": "shard", "version": "1", "sha256": digest("shard " + name), "examples": 100,
		"participant": name,
	})
}

func participantRecord(name string, key ed25519.PrivateKey) string {
	return rec("participant.1", Object{
		"model": "digits", "participant": name, "organisation": "OrgA", "ed25519": public(key), "x25519": sealKey(name),
	})
}

func (w *world) join(name string) {
	w.t.Helper()
	key := signer(name)
	r := participantRecord(name, key)
	w.must(anna(), "RegisterParticipant", r, sign(key, "participant.1", genesisHash, r))
	w.must(anna(), "RegisterDataset", w.shard(name))
	w.signers[name], w.shards[name] = key, digest("shard "+name)
}

// must commits a transaction, and the same one again: its answer is the first one's, and nothing is written.
func (w *world) must(creator []byte, function string, arguments ...string) Object {
	w.t.Helper()
	result, err := w.invoke(creator, function, arguments...)
	if err != nil {
		w.t.Fatalf("%s: %v", function, err)
	}
	before := len(w.events)
	again, err := w.invoke(guest(), function, arguments...)
	if err != nil || string(Encode(again)) != string(Encode(result)) || len(w.events) != before {
		w.t.Errorf("%s, said again: %v, %v", function, again, err)
	}
	return result
}

// refuses wants a code and a part of the sentence.
func (w *world) refuses(code, sentence string, creator []byte, function string, arguments ...string) {
	w.t.Helper()
	_, err := w.invoke(creator, function, arguments...)
	isRefusal(w.t, err, code, sentence)
}

func isRefusal(t testing.TB, err error, code, sentence string) {
	t.Helper()
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Code != code || !strings.Contains(refusal.Text, sentence) {
		t.Errorf("want %s: …%s…\n got %v", code, sentence, err)
	}
}

func (w *world) head() pointer { return w.view().pointer() }

// view reads the committed state as a transaction would.
func (w *world) view() model {
	w.t.Helper()
	m, err := begin(&call{memory: w.memory, writes: map[string][]byte{}}, genesisHash).model("digits")
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) lastRound() int64 { return w.at("round/digits/head").number("number") }

func (w *world) roundRecord(change Object) string {
	return rec("round.1", Object{
		"model": "digits", "number": w.lastRound() + 1, "epoch": w.view().epoch(), "base": w.head().to,
		"participants": []any{"site-a", "site-b", "site-c"}, "policy": w.view().policyHead(),
		"hyperparameters": Object{"batch_size": 32}, "deadline_at": w.now.Unix() + 600,
	}.and(change))
}

func (w *world) manifest(name string, change Object) string {
	number := w.lastRound()
	r := w.at(fmt.Sprintf("round/digits/%d", number)).object("record")
	return rec("update.1", Object{
		"model": "digits", "round": number, "epoch": r.number("epoch"), "base": r.text("base"), "participant": name, "examples": 100,
		"blob": testBlob(fmt.Sprintf("%s %d", name, number), "bf16.1"), "shard": digest("shard " + name), "self_reported": Object{"loss_micro": 5},
	}.and(change))
}

func (w *world) signed(manifests ...string) string {
	var items []any
	for _, manifest := range manifests {
		r, err := Read("update.1", []byte(manifest))
		if err != nil {
			w.t.Fatal(err)
		}
		items = append(items, Object{"manifest": manifest, "signature": sign(w.signers[r.text("participant")], "update.1", genesisHash, manifest)})
	}
	return rec("anchor-batch.1", Object{"items": items})
}

// anchors wants the results of a batch, in order, as "result reason".
func (w *world) anchors(batch string, want ...string) {
	w.t.Helper()
	results := w.must(guest(), "AnchorUpdates", batch).objects("results")
	for i, result := range results {
		got := strings.TrimSpace(result.text("result") + " " + result.text("reason"))
		if i >= len(want) || got != want[i] {
			w.t.Errorf("item %d: %s, not one of %q", i, got, want)
		}
	}
	if len(results) != len(want) {
		w.t.Errorf("%d results, not %d", len(results), len(want))
	}
}

func (w *world) closing(outcome string, change Object) string {
	state := w.at(fmt.Sprintf("round/digits/%d", w.lastRound())).object("outcome")
	return rec("close.1", Object{
		"model": "digits", "round": w.lastRound(), "outcome": outcome, "count": state.number("count"), "chain": state.text("chain"),
		"reason_code": "completed",
	}.and(change))
}

func (w *world) openRound() {
	w.t.Helper()
	w.must(agg(), "OpenRound", w.roundRecord(nil))
}

// sealRound opens a round, takes an update of each site and seals it.
func (w *world) sealRound() {
	w.t.Helper()
	w.openRound()
	w.anchors(w.signed(w.manifest("site-a", nil), w.manifest("site-b", nil), w.manifest("site-c", nil)), "accepted", "accepted", "accepted")
	w.must(agg(), "CloseRound", w.closing("sealed", nil))
}

func (w *world) versionRecord(change Object) string {
	return w.versionOf(w.lastRound(), "aggregate", change)
}

func (w *world) versionOf(round int64, kind string, change Object) string {
	state := w.at(fmt.Sprintf("round/digits/%d", round))
	_, newest := w.view().newest()
	var in, out []any
	for _, name := range state.object("record").texts("participants") {
		update := w.at(fmt.Sprintf("update/digits/%d/%s", round, name))
		p := w.at("participant/digits/" + name).object("outcome")
		switch {
		case update == nil:
		case kind == "replay" && p.text("status") == "excluded":
			out = append(out, Object{"participant": name, "rule": excludedByLedger, "score": p.number("number"), "update": update.text("id")})
		default:
			in = append(in, Object{"examples": 100, "participant": name, "update": update.text("id")})
		}
	}
	label := fmt.Sprintf("%s %d %d", kind, round, w.view().epoch())
	return rec("version.1", Object{
		"model": "digits", "kind": kind, "number": newest + 1, "epoch": w.view().epoch(), "parent": state.object("record").text("base"),
		"round": round, "sealed": Object{"chain": state.object("outcome").text("chain"), "count": state.object("outcome").number("count")},
		"weights": digest("weights " + label), "blob": testBlob(label, "xor.1"), "rule": "fedavg.1",
		"included": list(in), "excluded": list(out), "hyperparameters": Object{"batch_size": 32},
	}.and(change))
}

func list(items []any) []any { return append([]any{}, items...) }

func (w *world) register() string {
	w.t.Helper()
	return w.must(agg(), "RegisterModelUpdate", w.versionRecord(nil)).text("id")
}

func validationRecord(version string, accuracy int, change Object) string {
	return rec("validation.1", Object{
		"model": "digits", "version": version, "purpose": "probe", "dataset": Object{"sha256": digest("probe"), "version": "1"},
		"metrics": Object{"accuracy_bp": accuracy, "loss_micro": 1000, "examples": 500}, "evaluator": "validator",
	}.and(change))
}

func (w *world) judged(version string, accuracy int) Object {
	w.t.Helper()
	return w.must(val(), "RecordValidation", validationRecord(version, accuracy, nil))
}

func (w *world) promotion(version string, change Object) string {
	return rec("promotion.1", Object{"model": "digits", "version": version, "expected_seq": w.head().move}.and(change))
}

func (w *world) promote(version string) {
	w.t.Helper()
	w.must(agg(), "Promote", w.promotion(version, nil))
}

// step runs a whole round whose version scores accuracy, and promotes it when that was decided.
func (w *world) step(accuracy int) (version, decision string) {
	w.t.Helper()
	w.sealRound()
	version = w.register()
	decision = w.judged(version, accuracy).text("decision")
	if decision == "promote" {
		w.promote(version)
	}
	return version, decision
}

func (w *world) requestRecord(to string, change Object) string {
	return rec("rollback-request.1", Object{
		"model": "digits", "to": to, "expected_seq": w.head().move, "reason_code": "data_quality", "text_hash": "", "incident": "INC-1",
		"priority": "high", "quarantine": []any{}, "break_glass": false, "drill": false, "expires_at": w.now.Unix() + 7200,
	}.and(change))
}

// request asks for a rollback as olga.
func (w *world) request(to string, change Object) string {
	w.t.Helper()
	w.wait(time.Second) // or the second one like it would be the same record
	return w.must(olga(), "RequestRollback", w.requestRecord(to, change)).text("id")
}

func approval(request string) string {
	return rec("rollback-approval.1", Object{"model": "digits", "request": request})
}

// asked is the rollback that a request asks for.
func (w *world) asked(request string, change Object) string {
	q := w.at("rollback/" + request).object("record")
	return rec("rollback.1", Object{
		"model": "digits", "to": q.text("to"), "expected_seq": q.number("expected_seq"), "request": request, "decision": "",
		"reason_code": q.text("reason_code"), "quarantine": q.list("quarantine"),
	}.and(change))
}

// automatic is the rollback that was decided over a version.
func (w *world) automatic(version string, change Object) string {
	return rec("rollback.1", Object{
		"model": "digits", "to": w.at("decision/" + version).text("target"), "expected_seq": w.head().move, "request": "", "decision": version,
		"reason_code": "regression_auto", "quarantine": []any{},
	}.and(change))
}

// rollBack asks, approves and executes.
func (w *world) rollBack(to string) Object {
	w.t.Helper()
	request := w.request(to, nil)
	w.must(paul(), "ApproveRollback", approval(request))
	return w.must(olga(), "RollbackModel", w.asked(request, nil))
}

func (w *world) exclude(name string, change Object) string {
	return rec("participant-status.1", Object{
		"model": "digits", "participant": name, "number": w.at("participant/digits/"+name).object("outcome").number("number") + 1,
		"status": "excluded", "reason_code": "poisoning_suspected", "text_hash": "", "evidence": digest("diagnosis"), "decision": "",
	}.and(change))
}

func (w *world) wait(d time.Duration) { w.now = w.now.Add(d) }
