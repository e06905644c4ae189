package contract

import (
	"fmt"
	"maps"
)

const (
	aggregator = "aggregator"
	validator  = "validator"
	operator   = "operator"
	approver   = "approver"
	auditor    = "auditor"
	admin      = "admin"
)

var (
	aName       = matching(`[a-z0-9._-]{1,64}`, "a name: 1 to 64 of a-z 0-9 . _ -")
	aNameOrNone = matching(`[a-z0-9._-]{0,64}`, "a name or empty")
	anMSP       = matching(`[A-Za-z0-9._-]{1,64}`, "an MSP id")
	aLabel      = matching(`[ -~]{0,128}`, "at most 128 printable ASCII characters")
	aHash       = matching(`[0-9a-f]{64}`, "64 lower-case hex digits")
	aHashOrNone = matching(`[0-9a-f]{64}|`, "64 lower-case hex digits or empty")
	aSignature  = matching(`[0-9a-f]{128}`, "128 lower-case hex digits")
	aCID        = matching(`baf(kr|yb)ei[a-z2-7]{52}`, "a CIDv1 of SHA-256")
	aMetricName = matching(`[A-Za-z0-9._-]{1,64}`, "the name of a metric")
	anInteger   = integerIn(-largest, largest)
	aCount      = integerIn(0, largest)
	aPositive   = integerIn(1, largest)
	basisPoints = integerIn(0, 10_000)
	aRole       = oneOf(aggregator, validator, operator, approver, auditor, admin)
	aRule       = oneOf(aggregationRules...)
	aReason     = oneOf("poisoning_suspected", "regression_auto", "data_quality", "security_incident", "operator_error",
		"regulator_order", "drill", "policy_change", "deadline", "quorum", "completed", "other")
)

var aggregationRules = []string{"fedavg.1", "median.1", "trimmed-mean.1", "norm-clip.1", "multi-krum.1"}

var (
	someIntegers   = arrayOf(anInteger, 0, largest)
	aDescription   = objectOf(nil, either(anInteger, aLabel))
	anArchitecture = objectOf(fields{"name": aLabel}, either(anInteger, aLabel))
	aBlob          = objectOf(fields{"cid": aCID, "codec": oneOf("whole.1", "xor.1", "bf16.1", "int8.1"), "sha256": aHash, "size": aPositive}, nil)
	aSeal          = objectOf(fields{"chain": aHash, "count": aCount}, nil)
	aGrantList     = ascending(arrayOf(objectOf(fields{"msp": anMSP, "role": aRole}, nil), 0, largest), "msp", "role")
	aKeySet        = objectOf(fields{"aggregator": aHash, "validator": aHash, "auditors": arrayOf(aHash, 0, largest)}, nil)
	aMetricSet     = objectWith(fields{"accuracy_bp": basisPoints, "loss_micro": aCount, "examples": aPositive}, fields{
		"macro_f1_bp": basisPoints, "ece_bp": basisPoints, "class_recall_bp": arrayOf(basisPoints, 0, largest), "trigger_rate_bp": basisPoints,
	}, either(anInteger, someIntegers, arrayOf(someIntegers, 0, largest)))
	anInclusion = objectOf(fields{"examples": aPositive, "participant": aName, "update": aHash}, nil)
	anExclusion = objectOf(fields{"participant": aName, "rule": aName, "score": anInteger, "update": aHash}, nil)
	aPolicy     = objectOf(fields{
		"accuracy_tolerance": basisPoints, "severe_drop": basisPoints, "patience_threshold": aPositive,
		"min_accuracy_threshold": basisPoints, "min_class_recall": basisPoints, "max_trigger_rate": basisPoints,
		"aggregation": aRule, "round_quorum": basisPoints, "ack_quorum": basisPoints,
		"convergence_patience": aPositive, "max_iterations": aPositive, "max_rollbacks": aCount,
		"target_accuracy": basisPoints, "overtraining_threshold": basisPoints, "early_stopping_enabled": aFlag,
		"enable_client_exclusion": aFlag, "metrics_to_track": arrayOf(aMetricName, 0, largest), "probe": aHash, "test": aHash,
	}, nil)
)

// schema is what the bytes of one kind of record must hold, within limit bytes.
type schema struct {
	fields fields
	limit  int
}

// schemas drives the check of every record. A schema that is not here does not exist.
var schemas = map[string]schema{
	"model.1":           {withRules(fields{"model": aName, "genesis": aHash, "architecture": anArchitecture, "version": aHash}), narrow},
	"policy-proposal.1": {withRules(fields{"model": aName, "number": aPositive}), narrow},
	"policy-approval.1": {fields{"model": aName, "proposal": aHash}, narrow},
	"participant.1":     {fields{"model": aName, "participant": aName, "organisation": anMSP, "ed25519": aHash, "x25519": aHash}, narrow},
	"participant-status.1": {fields{
		"model": aName, "participant": aName, "number": aPositive, "status": oneOf("active", "excluded", "reinstated", "left"),
		"reason_code": aReason, "text_hash": aHashOrNone, "evidence": aHashOrNone, "decision": aHashOrNone,
	}, narrow},
	"participant-key.1": {fields{"model": aName, "participant": aName, "number": aPositive, "ed25519": aHash, "x25519": aHash}, narrow},
	"dataset.1": {fields{
		"model": aName, "dataset": aName, "kind": oneOf("probe", "test", "shard"), "version": aLabel, "sha256": aHash,
		"examples": aPositive, "participant": aNameOrNone,
	}, narrow},
	"round.1": {fields{
		"model": aName, "number": aPositive, "epoch": aCount, "base": aHash, "participants": ascending(arrayOf(aName, 0, largest)),
		"policy": aPositive, "hyperparameters": aDescription, "deadline_at": aCount,
	}, wide},
	"update.1": {fields{
		"model": aName, "round": aPositive, "epoch": aCount, "base": aHash, "participant": aName, "examples": aPositive,
		"blob": aBlob, "shard": aHash, "self_reported": objectOf(nil, anInteger),
	}, itemLimit},
	"anchor-batch.1": {fields{"items": batchOf("manifest", 100)}, wide},
	"close.1": {fields{
		"model": aName, "round": aPositive, "outcome": oneOf("sealed", "failed"), "count": aCount, "chain": aHash, "reason_code": aReason,
	}, narrow},
	"version.1": {fields{
		"model": aName, "kind": oneOf("genesis", "aggregate", "replay"), "number": aCount, "epoch": aCount, "parent": aHashOrNone,
		"round": aCount, "sealed": aSeal, "weights": aHash, "blob": aBlob, "rule": oneOf(append([]string{"genesis.1"}, aggregationRules...)...),
		"included": ascending(arrayOf(anInclusion, 0, largest), "participant"), "excluded": ascending(arrayOf(anExclusion, 0, largest), "participant"),
		"hyperparameters": aDescription,
	}, wide},
	"validation.1": {fields{
		"model": aName, "version": aHash, "purpose": oneOf("probe", "test", "rescore"),
		"dataset": objectOf(fields{"sha256": aHash, "version": aLabel}, nil), "metrics": aMetricSet, "evaluator": aLabel,
	}, narrow},
	"promotion.1": {fields{"model": aName, "version": aHash, "expected_seq": aCount}, narrow},
	"rollback-request.1": {fields{
		"model": aName, "to": aHash, "expected_seq": aCount, "reason_code": aReason, "text_hash": aHashOrNone, "incident": aLabel,
		"priority": oneOf("normal", "high", "critical"), "quarantine": arrayOf(aHash, 0, largest),
		"break_glass": aFlag, "drill": aFlag, "expires_at": aCount,
	}, narrow},
	"rollback-approval.1":  {fields{"model": aName, "request": aHash}, narrow},
	"rollback-rejection.1": {fields{"model": aName, "request": aHash, "text_hash": aHashOrNone}, narrow},
	"rollback.1": {fields{
		"model": aName, "to": aHash, "expected_seq": aCount, "request": aHashOrNone, "decision": aHashOrNone, "reason_code": aReason,
		"quarantine": arrayOf(aHash, 0, largest),
	}, narrow},
	"break-glass-review.1": {fields{"model": aName, "request": aHash, "verdict": oneOf("justified", "unjustified"), "text_hash": aHashOrNone}, narrow},
	"freeze.1":             {aStop, narrow},
	"resume.1":             {aStop, narrow},
	"quarantine.1":         {fields{"model": aName, "version": aHash, "reason_code": aReason, "text_hash": aHashOrNone}, narrow},
	"hold.1":               {fields{"model": aName, "version": aHash, "held": aFlag, "reason_code": aReason, "text_hash": aHashOrNone}, narrow},
	"ack.1":                {fields{"model": aName, "seq": aCount, "participant": aName, "weights": aHash}, itemLimit},
	"ack-batch.1":          {fields{"items": batchOf("ack", 1000)}, wide},
	"root.1":               {fields{"log": aName, "number": aPositive, "root": aHash, "entries": aCount}, narrow},
	"erasure.1":            {fields{"model": aName, "blob": aHash, "participant": aNameOrNone, "wraps": aCount, "reason_code": aReason}, narrow},
	"completion.1":         {fields{"model": aName, "version": aHash, "reason_code": aReason, "summary": aDescription}, narrow},
}

var aStop = fields{"model": aName, "expected_seq": aCount, "reason_code": aReason, "text_hash": aHashOrNone}

// withRules adds what is in force for a model and changes only by a policy.
func withRules(own fields) fields {
	all := fields{"grants": aGrantList, "keys": aKeySet, "policy": aPolicy}
	maps.Copy(all, own)
	return all
}

func batchOf(record string, most int) kind {
	bytes := matching(`[ -~]+`, "a record's bytes")
	return arrayOf(objectOf(fields{record: bytes, "signature": aSignature}, nil), 1, most)
}

// Record is an object that holds exactly the fields of its schema, and the id of its bytes.
type Record struct {
	Object
	ID string
}

// Read parses a record's bytes and holds them against a schema.
func Read(want string, data []byte) (Record, error) {
	schema, known := schemas[want]
	if !known {
		return Record{}, fmt.Errorf("there is no schema %q", want)
	}
	o, err := Parse(data, schema.limit)
	if err != nil {
		return Record{}, err
	}
	if o["schema"] != want {
		return Record{}, fmt.Errorf("the schema must be %q", want)
	}
	return Record{o, ID(data)}, schema.check(o, want)
}

func (s schema) check(o Object, want string) error {
	all := maps.Clone(s.fields)
	all["schema"] = oneOf(want)
	return objectOf(all, nil)(o, want)
}
