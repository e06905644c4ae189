package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

const (
	bodyLimit   = 1 << 20
	commitWait  = 30 * time.Second
	inFlight    = 256
	openStreams = 64
	keepAlive   = 10 * time.Second
)

// Settings is what a door is made of.
type Settings struct {
	Backend    Backend
	Identities []Identity
	Enroller   Enroller // nil where people enrol elsewhere
	Kept       *Kept
	Metrics    *Metrics
	Logger     *slog.Logger
	Clock      func() time.Time
	InFlight   int // 0: a good number
}

// Door is the HTTP handler in front of a ledger.
type Door struct {
	router     router
	backend    Backend
	identities []Identity
	enroller   Enroller
	kept       *Kept
	metrics    *Metrics
	logger     *slog.Logger
	signing    *sessions
	busy       chan struct{} // a place for every request under way that shows a token
	strangers  chan struct{} // and for the others: who dawdles there keeps no service waiting
	streams    chan struct{}
	closing    context.Context
	hangUp     context.CancelFunc
}

// New makes a door. It owns nothing that it is given.
func New(s Settings) *Door {
	if s.InFlight == 0 {
		s.InFlight = inFlight
	}
	d := &Door{
		router: newRouter(table()), backend: s.Backend, identities: s.Identities, enroller: s.Enroller, kept: s.Kept, metrics: s.Metrics, logger: s.Logger,
		signing: newSessions(s.Clock), busy: make(chan struct{}, s.InFlight), strangers: make(chan struct{}, s.InFlight), streams: make(chan struct{}, openStreams),
	}
	d.closing, d.hangUp = context.WithCancel(context.Background())
	return d
}

// HangUp ends the streams of events, which would otherwise keep a shutdown waiting.
func (d *Door) HangUp() { d.hangUp() }

func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	recorder := &recorder{ResponseWriter: w}
	route, err := d.serve(recorder, r)
	if err != nil {
		d.fail(recorder, r, err)
	}
	d.metrics.answered(route.pattern(), recorder.status(), time.Since(started))
}

func (d *Door) serve(w http.ResponseWriter, r *http.Request) (route, error) {
	found, vars, allowed := d.router.resolve(r.Method, r.URL.Path)
	if found.path == "" && len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return found, &Error{Code: NotAllowed, Text: r.URL.Path + " takes " + strings.Join(allowed, ", ")}
	}
	if found.path == "" {
		return found, &Error{Code: NotFound, Text: "there is no route " + r.URL.Path}
	}
	identity, err := d.admit(r, found.access)
	if err != nil {
		return found, err
	}
	leave, err := d.enter(found)
	if err != nil {
		return found, err
	}
	defer leave()
	r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
	ctx := context.WithValue(r.Context(), callKey{}, incoming{found, identity})
	return found, found.handle(d, w, r.WithContext(ctx), vars)
}

// enter takes a place among the requests under way. Probes and streams need none: the first must answer also when the
// door is busy, the second have a limit of their own.
func (d *Door) enter(r route) (leave func(), err error) {
	places := d.busy
	switch {
	case !strings.HasPrefix(r.path, prefix) || r.path == prefix+"/events":
		return func() {}, nil
	case r.access == open:
		places = d.strangers
	}
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	default:
		return nil, &Error{Code: Busy, Text: "too many requests are under way; ask again in a second"}
	}
}

// incoming is what the door found out about a request before its handler runs.
type incoming struct {
	route    route
	identity Identity
}

type callKey struct{}

func incomingOf(r *http.Request) incoming { return r.Context().Value(callKey{}).(incoming) }

func (d *Door) fail(w *recorder, r *http.Request, err error) {
	told := problemOf(err)
	if told.Code == Internal || told.Code == Unavailable {
		d.logger.Error("a request failed", "route", r.URL.Path, "txid", told.TxID, "error", err)
	}
	if w.code != 0 || errors.Is(err, context.Canceled) {
		return // the answer has begun, or nobody listens
	}
	writeProblem(w, told)
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	code int
}

func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(data []byte) (int, error) {
	if r.code == 0 {
		r.code = http.StatusOK
	}
	return r.ResponseWriter.Write(data)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) status() int {
	if r.code == 0 {
		return http.StatusOK
	}
	return r.code
}

// pattern is the route as a label: one a route, never one a path.
func (r route) pattern() string {
	if r.path == "" {
		return "none"
	}
	return r.method + " " + r.path
}
