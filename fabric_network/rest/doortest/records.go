package doortest

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
)

// object is a record being written; encoding/json sorts its keys.
type object = map[string]any

func encode(schema string, o object) string {
	o["schema"] = schema
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(o); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// fresh is a name that nobody has used on this ledger.
func fresh(kind string) string {
	return kind + "-" + strings.ToLower(rand.Text())[:10]
}

// Root is an AnchorRoot record: the write that any aggregator may make and that needs no model.
func Root(log string, number int) string {
	return encode("root.1", object{"log": log, "number": number, "root": hash(log), "entries": number})
}

func sealingKey() string {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(key.PublicKey().Bytes())
}

func blob(name, codec string) object {
	return object{"cid": "bafybei" + strings.Repeat("a", 52), "codec": codec, "sha256": hash("blob " + name), "size": 1000}
}

var grantedRoles = []string{"admin", "aggregator", "approver", "operator", "validator"}

func modelRecords(name, genesis, msp string) (model, version string) {
	version = encode("version.1", object{
		"model": name, "kind": "genesis", "number": 0, "epoch": 0, "parent": "", "round": 0,
		"sealed": object{"chain": strings.Repeat("0", 64), "count": 0}, "weights": hash("weights" + name),
		"blob": blob(name, "whole.1"),
		"rule": "genesis.1", "included": []any{}, "excluded": []any{}, "hyperparameters": object{"optimizer": "sgd"},
	})
	var grants []object
	for _, role := range grantedRoles {
		grants = append(grants, object{"msp": msp, "role": role})
	}
	model = encode("model.1", object{
		"model": name, "genesis": genesis, "architecture": object{"name": "mlp"}, "version": hash(version), "grants": grants,
		"keys": object{"aggregator": sealingKey(), "validator": sealingKey(), "auditors": []any{}},
		"policy": object{
			"accuracy_tolerance": 50, "severe_drop": 200, "patience_threshold": 3, "min_accuracy_threshold": 0, "min_class_recall": 0,
			"max_trigger_rate": 10000, "aggregation": "fedavg.1", "round_quorum": 10000, "ack_quorum": 10000, "convergence_patience": 10,
			"max_iterations": 100, "max_rollbacks": 5, "target_accuracy": 10000, "overtraining_threshold": 10000,
			"early_stopping_enabled": true, "enable_client_exclusion": true, "metrics_to_track": []any{"accuracy_bp"},
			"probe": hash("probe"), "test": hash("test"),
		},
	})
	return model, version
}
