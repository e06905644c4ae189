package rest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
)

// read evaluates a function; its arguments come from the path and the query.
func (d *Door) read(w http.ResponseWriter, r *http.Request, vars variables) error {
	in, err := incomingOf(r), error(nil)
	call := Call{Function: in.route.function}
	asked := r.URL.Query()
	for _, name := range in.route.takes {
		value, inPath := vars[name]
		if !inPath {
			value = asked.Get(name)
		}
		call.Arguments = append(call.Arguments, value)
	}
	answer, err := d.backend.Evaluate(r.Context(), call)
	if err != nil {
		return err
	}
	body := strconv.AppendUint([]byte(`{"block":`), answer.Block, 10)
	body = append(append(body, `,"result":`...), orNull(answer.Result)...)
	return writeJSON(w, append(body, '}'))
}

func (d *Door) chain(w http.ResponseWriter, r *http.Request, _ variables) error {
	chain, err := d.backend.Chain(r.Context())
	return writeValue(w, chain, err)
}

func (d *Door) transaction(w http.ResponseWriter, r *http.Request, vars variables) error {
	status, err := d.backend.Transaction(r.Context(), vars["txid"])
	return writeValue(w, status, err)
}

func (d *Door) block(w http.ResponseWriter, r *http.Request, vars variables) error {
	number, err := strconv.ParseUint(vars["n"], 10, 64)
	if err != nil {
		return &Error{Code: BadRecord, Text: "a block's number is a number"}
	}
	data, err := d.backend.Block(r.Context(), number)
	if err != nil {
		return err
	}
	return writeBytes(w, data)
}

func (d *Door) receipts(w http.ResponseWriter, r *http.Request, vars variables) error {
	notary, vouched := d.backend.(Notary)
	if !vouched {
		return &Error{Code: NotFound, Text: "no other organisation vouches for what this ledger holds"}
	}
	data, err := notary.Receipts(r.Context(), vars["txid"])
	if err != nil {
		return err
	}
	return writeBytes(w, data)
}

func (d *Door) health(w http.ResponseWriter, _ *http.Request, _ variables) error {
	return writeJSON(w, []byte(`{"status":"alive"}`))
}

func (d *Door) ready(w http.ResponseWriter, r *http.Request, _ variables) error {
	if err := d.backend.Ready(r.Context()); err != nil {
		return err
	}
	return writeJSON(w, []byte(`{"status":"ready"}`))
}

func (d *Door) figures(w http.ResponseWriter, r *http.Request, _ variables) error {
	chain, err := d.backend.Chain(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	return d.metrics.write(w, chain.Height, len(d.busy)+len(d.strangers), len(d.streams))
}

func (d *Door) describe(w http.ResponseWriter, _ *http.Request, _ variables) error {
	return writeJSON(w, OpenAPI())
}

func writeValue(w http.ResponseWriter, value any, err error) error {
	if err != nil {
		return err
	}
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return writeJSON(w, body)
}

func writeBytes(w http.ResponseWriter, data []byte) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	_, err := w.Write(data)
	return err
}

func writeJSON(w http.ResponseWriter, body []byte) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(append(body, '\n'))
	return err
}

// readBody reads a request that is one JSON object of known fields.
func readBody(r *http.Request, into any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return readFailed(err)
	}
	return parseBody(body, into)
}

func parseBody(body []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return &Error{Code: BadRecord, Text: "the request is not the JSON that this route takes: " + err.Error()}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return &Error{Code: BadRecord, Text: "something follows the request's JSON"}
	}
	return nil
}
