package rest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// bounds are the upper ends of the histograms' buckets, in seconds.
var bounds = []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30}

type histogram struct {
	buckets []uint64 // one more than bounds
	sum     float64
}

func (h *histogram) add(seconds float64) {
	if h.buckets == nil {
		h.buckets = make([]uint64, len(bounds)+1)
	}
	at, _ := slices.BinarySearch(bounds, seconds)
	h.buckets[at]++
	h.sum += seconds
}

type step struct{ name, function string }

type answer struct {
	route  string
	status int
}

// Metrics counts and times what the door and its backend do.
type Metrics struct {
	mutex   sync.Mutex
	steps   map[step]*histogram
	answers map[answer]*histogram
}

// NewMetrics starts at nothing.
func NewMetrics() *Metrics {
	return &Metrics{steps: map[step]*histogram{}, answers: map[answer]*histogram{}}
}

// Observe times a step of a write: submit (all of it), execute, commit. The function must be one of the contract's.
func (m *Metrics) Observe(name, function string, took time.Duration) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	observe(m.steps, step{name, function}, took)
}

func (m *Metrics) answered(route string, status int, took time.Duration) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	observe(m.answers, answer{route, status}, took)
}

func observe[K comparable](in map[K]*histogram, key K, took time.Duration) {
	if in[key] == nil {
		in[key] = &histogram{}
	}
	in[key].add(took.Seconds())
}

// write is the text format of Prometheus.
func (m *Metrics) write(w io.Writer, height uint64, inFlight, streams int) error {
	var out bytes.Buffer
	gauge(&out, "custody_ledger_height", "Number of the newest block.", height)
	gauge(&out, "custody_door_in_flight", "Requests under way.", uint64(inFlight))
	gauge(&out, "custody_door_streams", "Open streams of events.", uint64(streams))
	m.mutex.Lock()
	histograms(&out, "custody_ledger_step_seconds", "Time of a step of a write.", m.steps, func(s step) string {
		return fmt.Sprintf("step=%q,function=%q", s.name, s.function)
	})
	histograms(&out, "custody_door_request_seconds", "Time of a request.", m.answers, func(a answer) string {
		return fmt.Sprintf("route=%q,status=\"%d\"", a.route, a.status)
	})
	m.mutex.Unlock()
	_, err := w.Write(out.Bytes())
	return err
}

func gauge(out *bytes.Buffer, name, help string, value uint64) {
	fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %d\n", name, help, name, name, value)
}

func histograms[K comparable](out *bytes.Buffer, name, help string, of map[K]*histogram, labels func(K) string) {
	fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name)
	keys := slices.Collect(maps.Keys(of))
	slices.SortFunc(keys, func(a, b K) int { return strings.Compare(labels(a), labels(b)) })
	for _, key := range keys {
		of[key].write(out, name, labels(key))
	}
}

func (h *histogram) write(out *bytes.Buffer, name, labels string) {
	var count uint64
	for i, n := range h.buckets {
		count += n
		bound := "+Inf"
		if i < len(bounds) {
			bound = strconv.FormatFloat(bounds[i], 'g', -1, 64)
		}
		fmt.Fprintf(out, "%s_bucket{%s,le=%q} %d\n", name, labels, bound, count)
	}
	fmt.Fprintf(out, "%s_sum{%s} %g\n%s_count{%s} %d\n", name, labels, h.sum, name, labels, count)
}
