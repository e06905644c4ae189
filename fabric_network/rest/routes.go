package rest

import (
	"net/http"
	"slices"
)

// access is what a caller has to show.
type access int

const (
	open   access = iota // nothing: what is sent carries its own authority, or tells nothing
	reads                // any token
	writes               // the token of a service identity, which then signs
)

// route is one line of the allow-list: what is not here does not exist.
type route struct {
	method   string
	path     string
	access   access
	summary  string
	function string   // of the contract, which answers; empty when the door does
	takes    []string // arguments of a read, by the name of a variable in the path or of a query parameter
	query    []string // query parameters, all optional
	handle   func(*Door, http.ResponseWriter, *http.Request, variables) error
}

const prefix = "/api/v1"

// table is every route.
func table() []route { return slices.Concat(commands, queries, own()) }

// commands are the contract's functions that write.
var commands = []route{
	write("RegisterModel", "/model/create", "Create a model with its genesis version"),
	write("RegisterParticipant", "/participant/register", "Register a participant and its keys"),
	write("SetParticipantStatus", "/participant/status", "Exclude, reinstate or let go of a participant"),
	write("RotateParticipantKey", "/participant/rotate", "Replace a participant's keys"),
	write("RegisterDataset", "/dataset/register", "Register a probe, a test set or a shard's commitment"),
	write("ProposePolicy", "/policy/propose", "Propose grants, keys and policy"),
	write("ApprovePolicy", "/policy/approve", "Approve a proposal, as another person"),
	write("OpenRound", "/round/open", "Open a round on the live version"),
	write("AnchorUpdates", "/round/anchor", "Anchor signed updates; one result an item"),
	write("CloseRound", "/round/close", "Seal a round, or let it fail"),
	write("RegisterModelUpdate", "/model/register", "Register a version"),
	write("RecordValidation", "/model/validate", "Record a validation, on which the contract decides"),
	write("Promote", "/model/promote", "Make the newest version live"),
	write("RequestRollback", "/rollback/request", "Ask for a rollback"),
	write("ApproveRollback", "/rollback/approve", "Approve a rollback, as another person"),
	write("RejectRollback", "/rollback/reject", "Reject a rollback"),
	write("RollbackModel", "/model/rollback", "Roll back"),
	write("ReviewBreakGlass", "/rollback/review", "Review an emergency rollback"),
	write("AckRollback", "/rollback/acknowledge", "Record what participants hold after a rollback; one result an item"),
	write("Freeze", "/model/freeze", "Freeze a model"),
	write("Resume", "/model/resume", "Resume a model"),
	write("Quarantine", "/model/quarantine", "Quarantine a version"),
	write("SetHold", "/model/hold", "Hold a version's keys against erasure, or let go"),
	write("AnchorRoot", "/log/anchor", "Anchor the root of a log"),
	write("RecordErasure", "/blob/erasure", "Record that a blob's keys were erased"),
	write("CompleteTraining", "/model/complete", "End a training"),
}

// queries are the contract's functions that read.
var queries = []route{
	query("GetModel", "/model/{model}", "A model", "model"),
	query("GetPointer", "/model/{model}/pointer", "What is live", "model"),
	query("GetPointerMove", "/model/{model}/pointer/{seq}", "One move of the pointer", "model", "seq"),
	query("GetRound", "/model/{model}/rounds/{number}", "A round", "model", "number"),
	query("GetParticipant", "/model/{model}/participants/{name}", "A participant", "model", "name"),
	query("GetVersionByNumber", "/model/{model}/versions/{number}", "A version by its number", "model", "number"),
	query("GetVersion", "/version/{id}", "A version", "id"),
	query("VerifyIntegrity", "/version/{id}/integrity", "Compare a SHA-256 with what the version's record says", "id", "sha256").with("sha256"),
	query("GetModelProvenance", "/model/provenance/{version_id}", "A version's ancestors", "version_id", "depth", "cursor").with("depth", "cursor"),
	query("GetState", "/state/{key...}", "One state by its key", "key"),
}

// own are what the door answers itself.
func own() []route {
	return []route{
		{method: "GET", path: prefix + "/events", access: reads, summary: "Events from a position on, as NDJSON that stays open", query: []string{"from", "follow"}, handle: (*Door).events},
		{method: "GET", path: prefix + "/blocks/{n}", access: reads, summary: "The bytes of a block", handle: (*Door).block},
		{method: "GET", path: prefix + "/chain", access: reads, summary: "Which ledger speaks, and how high it is", handle: (*Door).chain},
		{method: "GET", path: prefix + "/transactions/{txid}", access: reads, summary: "Where a transaction stands", handle: (*Door).transaction},
		{method: "GET", path: prefix + "/transactions/{txid}/receipts", access: reads, summary: "What peers of several organisations signed about a transaction", handle: (*Door).receipts},
		{method: "POST", path: prefix + "/enroll", access: open, summary: "A certificate for a one-time code", handle: (*Door).enroll},
		{method: "POST", path: prefix + "/signing", access: open, summary: "The bytes that a person has to sign", handle: (*Door).openSigning},
		{method: "POST", path: prefix + "/signing/{id}", access: open, summary: "Hand in a signature: the next bytes to sign, or the outcome", handle: (*Door).sign},
		{method: "GET", path: prefix + "/openapi.json", access: open, summary: "This description", handle: (*Door).describe},
		{method: "GET", path: "/health", access: open, summary: "The process lives", handle: (*Door).health},
		{method: "GET", path: "/ready", access: open, summary: "Writes can be expected to succeed", handle: (*Door).ready},
		{method: "GET", path: "/metrics", access: reads, summary: "Figures for Prometheus", handle: (*Door).figures},
	}
}

func write(function, path, summary string) route {
	return route{method: "POST", path: prefix + path, access: writes, summary: summary, function: function, handle: (*Door).write}
}

func query(function, path, summary string, takes ...string) route {
	return route{method: "GET", path: prefix + path, access: reads, summary: summary, function: function, takes: takes, handle: (*Door).read}
}

func (r route) with(query ...string) route {
	r.query = query
	return r
}
