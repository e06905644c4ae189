package contract

import (
	"slices"
	"strings"
)

// Function describes one function of the contract.
type Function struct {
	Name      string
	Arguments []string // a schema, or a word for what is no record
	Writes    bool
	Limit     int    // bytes of the largest argument
	Event     string // without the ".v1" that the ledger sees; empty for reads
}

// Functions lists every function, writes first.
func Functions() []Function {
	all := make([]Function, len(functions))
	for i, f := range functions {
		all[i] = f.describe()
	}
	return all
}

// function is one line of the table that drives Invoke, docs/contract.md and the tests.
type function struct {
	Name, Event string
	arguments   []string
	who         who
	run         func(*transaction, input) (Object, error)
	keys        []string // of the states that it may write; docs/contract.md shows them, the tests hold it to them
}

// input is a call's arguments: records parsed, words as they are.
type input struct {
	records []Record
	words   []string
}

var functions = []function{
	{"RegisterModel", "ModelRegistered", []string{"model.1", "version.1"}, certified(admin), registerModel, []string{
		"model/<model>", "policy/<model>/<n>", "policy/<model>/head", "epoch/<model>", "judge/<model>", "round/<model>/head",
		"rollback/<model>/open", "version/<id>", "version/<model>/<n>", "version/<model>/head", "blob/<sha256>", "status/<version>",
		"pointer/<model>/<seq>", "pointer/<model>/head"}},
	{"RegisterParticipant", "ParticipantRegistered", []string{"participant.1", "signature"}, granted(admin), registerParticipant, []string{
		"participant/<model>/<name>", "key/<model>/<ed25519>"}},
	{"SetParticipantStatus", "ParticipantStatusSet", []string{"participant-status.1"}, granted(admin, operator, aggregator), ofModel(setParticipantStatus), []string{
		"participant/<model>/<name>", "participant/<model>/<name>/<n>", "key/<model>/<ed25519>"}},
	{"RotateParticipantKey", "ParticipantKeyRotated", []string{"participant-key.1", "signature"}, granted(admin), rotateParticipantKey, []string{
		"participant/<model>/<name>", "participant/<model>/<name>/<n>", "key/<model>/<ed25519>"}},
	{"RegisterDataset", "DatasetRegistered", []string{"dataset.1"}, granted(admin), ofModel(registerDataset), []string{
		"dataset/<model>/<sha256>"}},
	{"ProposePolicy", "PolicyProposed", []string{"policy-proposal.1"}, granted(operator), ofModel(proposePolicy), []string{
		"proposal/<id>"}},
	{"ApprovePolicy", "PolicyApproved", []string{"policy-approval.1"}, granted(approver), ofModel(approvePolicy), []string{
		"proposal/<id>", "approval/<id>", "policy/<model>/<n>", "policy/<model>/head"}},
	{"OpenRound", "RoundOpened", []string{"round.1"}, granted(aggregator), ofModel(openRound), []string{
		"round/<model>/<n>", "round/<model>/head"}},
	{"AnchorUpdates", "UpdatesAnchored", []string{"anchor-batch.1"}, anyone, anchorUpdates, []string{
		"update/<model>/<round>/<participant>", "blob/<sha256>", "refusal/<id>", "round/<model>/<n>"}},
	{"CloseRound", "RoundClosed", []string{"close.1"}, granted(aggregator), ofModel(closeRound), []string{
		"round/<model>/<n>", "round/<model>/head", "close/<model>/<n>"}},
	{"RegisterModelUpdate", "VersionRegistered", []string{"version.1"}, granted(aggregator), ofModel(registerModelUpdate), []string{
		"version/<id>", "version/<model>/<n>", "version/<model>/head", "blob/<sha256>", "status/<version>",
		"aggregate/<model>/<round>", "replay/<model>/<round>/<epoch>"}},
	{"RecordValidation", "ValidationRecorded", []string{"validation.1"}, granted(validator), ofModel(recordValidation), []string{
		"validation/<version>/<n>", "validation/<version>/head", "decision/<version>", "judge/<model>", "tested/<version>"}},
	{"Promote", "VersionPromoted", []string{"promotion.1"}, granted(aggregator), ofModel(promote), []string{
		"pointer/<model>/<seq>", "pointer/<model>/head", "status/<version>", "rollback/<id>", "rollback/<model>/open"}},
	{"RequestRollback", "RollbackRequested", []string{"rollback-request.1"}, granted(operator), ofModel(requestRollback), []string{
		"rollback/<id>", "rollback/<model>/open", "shadow/<model>/open"}},
	{"ApproveRollback", "RollbackApproved", []string{"rollback-approval.1"}, granted(approver), ofModel(approveRollback), []string{
		"rollback/<id>", "approval/<id>"}},
	{"RejectRollback", "RollbackRejected", []string{"rollback-rejection.1"}, granted(approver, operator), ofModel(rejectRollback), []string{
		"rollback/<id>", "rejection/<id>", "rollback/<model>/open", "shadow/<model>/open"}},
	{"RollbackModel", "ModelRolledBack", []string{"rollback.1"}, granted(operator, aggregator), ofModel(rollbackModel), []string{
		"pointer/<model>/<seq>", "pointer/<model>/head", "epoch/<model>", "judge/<model>", "status/<version>", "rollback/<id>",
		"rollback/<model>/open", "rollback/<model>/unreviewed", "shadow/<model>/<n>", "shadow/<model>/head", "shadow/<model>/open"}},
	{"ReviewBreakGlass", "BreakGlassReviewed", []string{"break-glass-review.1"}, granted(approver), ofModel(reviewBreakGlass), []string{
		"rollback/<id>", "review/<id>", "rollback/<model>/unreviewed"}},
	{"AckRollback", "RollbackAcknowledged", []string{"ack-batch.1"}, anyone, ackRollback, []string{
		"ack/<model>/<seq>/<participant>"}},
	{"Freeze", "ModelFrozen", []string{"freeze.1"}, granted(operator, aggregator), ofModel(freeze), []string{
		"pointer/<model>/<seq>", "pointer/<model>/head"}},
	{"Resume", "ModelResumed", []string{"resume.1"}, granted(operator), ofModel(resume), []string{
		"pointer/<model>/<seq>", "pointer/<model>/head"}},
	{"Quarantine", "VersionQuarantined", []string{"quarantine.1"}, granted(operator), ofModel(quarantineVersion), []string{
		"status/<version>", "quarantine/<version>"}},
	{"SetHold", "HoldSet", []string{"hold.1"}, granted(operator), ofModel(setHold), []string{
		"status/<version>", "hold/<version>/<n>", "hold/<version>/head", "needed/<version>"}},
	{"AnchorRoot", "RootAnchored", []string{"root.1"}, certified(aggregator), anchorRoot, []string{
		"root/<log>/<n>", "root/<log>/head"}},
	{"RecordErasure", "ErasureRecorded", []string{"erasure.1"}, granted(aggregator), ofModel(recordErasure), []string{
		"erasure/<sha256>"}},
	{"CompleteTraining", "TrainingCompleted", []string{"completion.1"}, granted(aggregator), ofModel(completeTraining), []string{
		"completion/<model>", "rollback/<id>", "rollback/<model>/open"}},

	{Name: "GetModel", arguments: []string{"model"}, run: under("model")},
	{Name: "GetPointer", arguments: []string{"model"}, run: getPointer},
	{Name: "GetPointerMove", arguments: []string{"model", "number"}, run: under("pointer")},
	{Name: "GetRound", arguments: []string{"model", "number"}, run: under("round")},
	{Name: "GetParticipant", arguments: []string{"model", "participant"}, run: under("participant")},
	{Name: "GetVersionByNumber", arguments: []string{"model", "number"}, run: getVersionByNumber},
	{Name: "GetVersion", arguments: []string{"version"}, run: under("version")},
	{Name: "GetModelProvenance", arguments: []string{"version", "depth", "cursor"}, run: getModelProvenance},
	{Name: "VerifyIntegrity", arguments: []string{"version", "sha256"}, run: verifyIntegrity},
	{Name: "GetState", arguments: []string{"key"}, run: getState},
}

// words are the arguments that are no records.
var words = map[string]kind{
	"signature": aSignature, "model": aName, "participant": aName, "version": aHash, "sha256": aHash,
	"number": matching(`0|[1-9][0-9]{0,15}`, "a number"), "depth": matching(`[1-9][0-9]{0,3}|`, "a number from 1 to 9999, or empty"),
	"cursor": aHashOrNone, "key": matching(`[A-Za-z0-9._/-]{1,512}`, "the key of a state"),
}

func functionNamed(name string) (function, bool) {
	i := slices.IndexFunc(functions, func(f function) bool { return f.Name == name })
	if i < 0 {
		return function{}, false
	}
	return functions[i], true
}

func (f function) writes() bool { return f.Event != "" }

func (f function) describe() Function {
	limit := 0
	for _, argument := range f.arguments {
		limit = max(limit, limitOf(argument))
	}
	return Function{Name: f.Name, Arguments: slices.Clone(f.arguments), Writes: f.writes(), Limit: limit, Event: f.Event}
}

func limitOf(argument string) int {
	if schema, record := schemas[argument]; record {
		return schema.limit
	}
	return 512
}

func (f function) answer(t *transaction, arguments []string) (Object, error) {
	if len(arguments) != len(f.arguments) {
		return nil, refuse(BadRecord, "%s takes %d arguments (%s), not %d",
			f.Name, len(f.arguments), strings.Join(f.arguments, ", "), len(arguments))
	}
	if f.writes() {
		return f.write(t, arguments)
	}
	in, err := f.parse(arguments)
	if err != nil {
		return nil, err
	}
	return f.run(t, in)
}

// write answers the same record with the first answer, before it asks who calls and whether the rules still allow it:
// a caller who lost the answer to a crash gets it even when the ledger has moved on or the grant is gone, and learns
// nothing that any reader of the channel could not read.
func (f function) write(t *transaction, arguments []string) (Object, error) {
	answered := path("record", ID([]byte(arguments[0])))
	if before := t.get(answered); before != nil && before.text("function") == f.Name {
		return before.object("result"), f.stillTrue(t, arguments[0], before.object("result"))
	}
	in, err := f.parse(arguments)
	if err != nil {
		return nil, err
	}
	if err := t.identify(); err != nil {
		return nil, err
	}
	if err := f.who.allows(t, in.records[0]); err != nil {
		return nil, err
	}
	result, err := f.run(t, in)
	if err != nil {
		return nil, err
	}
	result = result.with("id", in.records[0].ID)
	t.set(answered, Object{"function": f.Name, "result": result, "txid": t.txid})
	return result, nil
}

// stillTrue refuses a first answer that would mislead. Only a hold may be set, released and set again in the same bytes.
func (f function) stillTrue(t *transaction, argument string, answer Object) error {
	if f.Name != "SetHold" {
		return nil
	}
	return t.newestHold(argument, answer.number("number"))
}

func (f function) parse(arguments []string) (in input, err error) {
	for i, argument := range arguments {
		expected := f.arguments[i]
		if check, word := words[expected]; word {
			in.words = append(in.words, argument)
			err = check(argument, "the argument "+expected)
		} else {
			var r Record
			r, err = Read(expected, []byte(argument))
			in.records = append(in.records, r)
		}
		if err != nil {
			return in, refuse(BadRecord, "%s", err)
		}
	}
	return in, nil
}
