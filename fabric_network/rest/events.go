package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// events streams NDJSON until the caller leaves. An empty line every ten seconds says that the ledger lives.
func (d *Door) events(w http.ResponseWriter, r *http.Request, _ variables) error {
	from, err := parsePosition(r.URL.Query().Get("from"))
	if err != nil {
		return err
	}
	follow := r.URL.Query().Get("follow") != "false"
	select {
	case d.streams <- struct{}{}:
		defer func() { <-d.streams }()
	default:
		return &Error{Code: Busy, Text: "too many streams of events are open"}
	}
	if err := d.reachable(r.Context(), from); err != nil {
		return err
	}
	return d.stream(w, r, from, follow)
}

// reachable refuses a position that this ledger cannot have given: waiting there would hide that it is another one.
func (d *Door) reachable(ctx context.Context, from Position) error {
	chain, err := d.backend.Chain(ctx)
	if err == nil && from.Block > chain.Height+1 {
		return &Error{Code: Refused, Text: fmt.Sprintf("the newest block is %d: this ledger never gave the position %d,%d", chain.Height, from.Block, from.Tx)}
	}
	return err
}

func (d *Door) stream(w http.ResponseWriter, r *http.Request, from Position, follow bool) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer context.AfterFunc(d.closing, cancel)()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := newStream(w)
	var beating sync.WaitGroup
	defer beating.Wait()
	defer cancel()
	if follow {
		beating.Go(func() { out.beat(ctx, cancel) })
	}
	err := d.backend.Events(ctx, from, follow, out.send)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// parsePosition reads BLOCK,TX; no position is the beginning.
func parsePosition(text string) (Position, error) {
	if text == "" {
		return Position{}, nil
	}
	block, tx, _ := strings.Cut(text, ",")
	b, errBlock := strconv.ParseUint(block, 10, 53)
	t, errTx := strconv.ParseUint(tx, 10, 32)
	if errBlock != nil || errTx != nil {
		return Position{}, &Error{Code: BadRecord, Text: "from is BLOCK,TX"}
	}
	return Position{b, uint32(t)}, nil
}

// AppendEvent adds a line of the stream. The payload goes through byte by byte: it is what the contract wrote.
func AppendEvent(lines []byte, at Position, txid, name string, payload []byte) []byte {
	lines = strconv.AppendUint(append(lines, `{"block":`...), at.Block, 10)
	lines = strconv.AppendUint(append(lines, `,"tx":`...), uint64(at.Tx), 10)
	lines = append(append(lines, `,"txid":"`...), txid...)
	lines = append(append(lines, `","name":"`...), name...)
	lines = append(append(lines, `","payload":`...), payload...)
	return append(lines, "}\n"...)
}

const streamWait = 30 * time.Second

// stream is an answer that has no end; what bounds it is how long one write may take.
type stream struct {
	mutex   sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
}

func newStream(w http.ResponseWriter) *stream {
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{}) // the server's own would end the stream
	return &stream{w: w, control: control}
}

func (s *stream) send(lines []byte) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.control.SetWriteDeadline(time.Now().Add(streamWait))
	if _, err := s.w.Write(lines); err != nil {
		return errors.Join(context.Canceled, err)
	}
	return s.control.Flush()
}

// beat also opens the answer, so that a caller who waits for its header is not kept until the first event.
func (s *stream) beat(ctx context.Context, gone context.CancelFunc) {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	s.send(nil)
	for {
		select {
		case <-tick.C:
			if s.send([]byte("\n")) != nil {
				gone()
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
