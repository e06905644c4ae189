package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"custody/chaincode/contract"
)

// Code says what the caller can do about an error.
type Code string

const (
	BadRecord       Code = contract.BadRecord
	Unauthenticated Code = "UNAUTHENTICATED"
	Forbidden       Code = contract.Forbidden
	NotFound        Code = contract.NotFound
	NotAllowed      Code = "NOT_ALLOWED"
	Conflict        Code = contract.Conflict
	TooLarge        Code = "TOO_LARGE"
	Refused         Code = contract.Refused
	Busy            Code = "BUSY"
	Internal        Code = "INTERNAL"
	Unavailable     Code = "UNAVAILABLE"
	Unknown         Code = "UNKNOWN" // the outcome of a write is not known yet; asking again with its key or txid tells
	Expired         Code = "EXPIRED" // an envelope that can no longer be committed
)

var codes = map[Code]struct {
	status int
	title  string
}{
	BadRecord:       {http.StatusBadRequest, "The request or its record is malformed"},
	Unauthenticated: {http.StatusUnauthorized, "The token or signature is missing or wrong"},
	Forbidden:       {http.StatusForbidden, "The caller may not do this"},
	NotFound:        {http.StatusNotFound, "There is no such thing"},
	NotAllowed:      {http.StatusMethodNotAllowed, "The route does not take this method"},
	Conflict:        {http.StatusConflict, "The ledger holds something else there, or has moved on"},
	TooLarge:        {http.StatusRequestEntityTooLarge, "The request is too large"},
	Refused:         {http.StatusUnprocessableEntity, "A rule says no"},
	Busy:            {http.StatusTooManyRequests, "The door is busy"},
	Internal:        {http.StatusInternalServerError, "The ledger has a fault"},
	Unavailable:     {http.StatusServiceUnavailable, "The ledger cannot do this now"},
	Unknown:         {http.StatusAccepted, "The outcome is not known yet"},
	Expired:         {http.StatusUnprocessableEntity, "The envelope can no longer be committed"},
}

// Error is an answer that is no success.
type Error struct {
	Code Code
	Text string
	TxID string // of the write that it is about, when there is one
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Text }

// problemOf finds the answer in an error. What nobody foresaw is the ledger's own fault, and its text stays in the log.
func problemOf(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	var refusal *contract.Error
	if errors.As(err, &refusal) {
		return &Error{Code: Code(refusal.Code), Text: refusal.Text}
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &Error{Code: TooLarge, Text: "a request has at most 1 MiB"}
	}
	return &Error{Code: Internal, Text: "the fault is in the ledger's log"}
}

type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   Code   `json:"code"`
	TxID   string `json:"txid,omitempty"`
}

func writeProblem(w http.ResponseWriter, e *Error) {
	if e.Code == Unknown {
		writeUnknown(w, e.TxID)
		return
	}
	kind := codes[e.Code]
	if e.Code == Busy {
		w.Header().Set("Retry-After", "1")
	}
	if e.Code == Unauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer realm="custody"`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(kind.status)
	json.NewEncoder(w).Encode(problem{"urn:custody:error:" + strings.ToLower(string(e.Code)), kind.title, kind.status, e.Text, e.Code, e.TxID})
}

// writeUnknown is an answer of its own: neither success nor failure, but where to ask again.
func writeUnknown(w http.ResponseWriter, txid string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	json.NewEncoder(w).Encode(struct {
		TxID string `json:"txid"`
		Code Code   `json:"code"`
	}{txid, Unknown})
}
