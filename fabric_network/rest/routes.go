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
	sends    object   // schema of the request's body; nil when there is none
	answers  object   // the description of a success
	unsure   bool     // it may be answered with 202
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
	toSign := form(object{"id": text, "payload": binary, "txid": text})
	return []route{
		{
			method: "GET", path: prefix + "/events", access: reads, query: []string{"from", "follow"}, handle: (*Door).events,
			summary: "Events from a position on, as NDJSON that stays open",
			answers: answered("one event a line; an empty line says that the ledger lives", "application/x-ndjson",
				form(object{"block": number, "tx": number, "txid": text, "name": text, "payload": object{"type": "object"}})),
		}, {
			method: "GET", path: prefix + "/blocks/{n}", access: reads, handle: (*Door).block,
			summary: "The bytes of a block", answers: answered("as the ledger keeps them", "application/octet-stream", object{}),
		}, {
			method: "GET", path: prefix + "/chain", access: reads, handle: (*Door).chain,
			summary: "Which ledger speaks, and how high it is",
			answers: found(object{"kind": text, "genesis": text, "height": number, "head": text, "rules": number}),
		}, {
			method: "GET", path: prefix + "/transactions/{txid}", access: reads, unsure: true, handle: (*Door).transaction,
			summary: "Where a transaction stands",
			answers: found(object{"txid": text, "block": number, "tx": number, "code": text, "function": text}),
		}, {
			method: "GET", path: prefix + "/transactions/{txid}/receipts", access: reads, handle: (*Door).receipts,
			summary: "What peers of several organisations signed about a transaction",
			answers: answered("the receipts", "application/octet-stream", object{}),
		}, {
			method: "POST", path: prefix + "/enroll", access: open, handle: (*Door).enroll,
			summary: "A certificate for a one-time code", sends: form(object{"code": text, "csr": text}),
			answers: found(object{"certificate": text, "ca": text}),
		}, {
			method: "POST", path: prefix + "/signing", access: open, handle: (*Door).openSigning,
			summary: "The bytes that a person has to sign", sends: form(object{"function": text, "arguments": list(text), "certificate": text}),
			answers: answered("sign the payload", "application/json", toSign),
		}, {
			method: "POST", path: prefix + "/signing/{id}", access: open, unsure: true, handle: (*Door).sign,
			summary: "Hand in a signature: the next bytes to sign, or the outcome", sends: form(object{"signature": binary}),
			answers: answered("committed, or to be signed again", "application/json", object{"anyOf": []object{reference("Outcome"), toSign}}),
		}, {
			method: "GET", path: prefix + "/openapi.json", access: open, handle: (*Door).describe,
			summary: "This description", answers: answered("OpenAPI 3.1", "application/json", object{"type": "object"}),
		}, {
			method: "GET", path: "/health", access: open, handle: (*Door).health,
			summary: "The process lives", answers: found(object{"status": text}),
		}, {
			method: "GET", path: "/ready", access: open, handle: (*Door).ready,
			summary: "Writes can be expected to succeed", answers: found(object{"status": text}),
		}, {
			method: "GET", path: "/metrics", access: reads, handle: (*Door).figures,
			summary: "Figures for Prometheus", answers: answered("in its text format", "text/plain", text),
		},
	}
}

func write(function, path, summary string) route {
	return route{
		method: "POST", path: prefix + path, access: writes, summary: summary, function: function, unsure: true, handle: (*Door).write,
		sends: form(object{"arguments": list(text)}), answers: answered("committed", "application/json", reference("Outcome")),
	}
}

func query(function, path, summary string, takes ...string) route {
	return route{
		method: "GET", path: prefix + path, access: reads, summary: summary, function: function, takes: takes, handle: (*Door).read,
		answers: found(object{"block": number, "result": object{}}),
	}
}

func (r route) with(query ...string) route {
	r.query = query
	return r
}
