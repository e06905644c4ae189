package embedded

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	batchCount = 512
	batchBytes = 4 << 20
	maxEffects = 8 << 20
)

var errStopping = errors.New("the ledger is shutting down")

// submission is one envelope waiting for its outcome.
type submission struct {
	id        txid
	bytes     []byte // the proposal, as signed
	signature []byte
	proposal  proposal

	done   chan struct{} // closed once the fields below are final
	place  version
	result []byte
	err    error
}

type pendingValue struct {
	value []byte
	at    version
}

// batch becomes one block. It holds refused submissions, too: they were judged by what is in flight before them, and
// hear of it only when that is durable.
type batch struct {
	number       uint64
	submissions  []*submission
	transactions [][]byte
	size         int
	state        map[string]pendingValue

	data []byte // of the block, once it is durable
	at   int64
}

func (b *batch) full() bool { return len(b.submissions) >= batchCount || b.size >= batchBytes }

// executor runs transactions one after the other and makes blocks of what is waiting. While one block is being written
// and synced, the next is executed on top of it; nobody is answered before the block that they are in, and every block
// before it, is durable. All fields belong to the goroutine in run.
type executor struct {
	rules    Rules
	log      *blockLog
	values   *values
	index    *index
	mark     acknowledged
	key      ed25519.PrivateKey
	logger   *slog.Logger
	observe  func(step, function string, took time.Duration)
	advanced func() // called when a block has become visible

	underway sync.Map // txid → *submission
	queue    chan *submission
	flushed  chan error
	working  *batch
	flushing *batch

	stopping chan struct{}
	stopped  chan struct{}

	trouble atomic.Pointer[string] // what the disk said of the newest block, nil when it took it
}

func (x *executor) run() {
	defer close(x.stopped)
	x.working = x.newBatch()
	for {
		select {
		case s := <-x.room():
			x.execute(s)
			continue
		case err := <-x.flushed:
			x.settle(err)
			continue
		default:
		}
		if x.hand() {
			continue
		}
		select {
		case s := <-x.room():
			x.execute(s)
		case err := <-x.flushed:
			x.settle(err)
		case <-x.leaving():
			return
		}
	}
}

// room is the queue while the working batch can take more, and nothing otherwise.
func (x *executor) room() <-chan *submission {
	if x.working.full() {
		return nil
	}
	return x.queue
}

func (x *executor) leaving() <-chan struct{} {
	if x.flushing != nil {
		return nil
	}
	return x.stopping
}

func (x *executor) newBatch() *batch {
	number := x.log.blocks()
	if x.flushing != nil {
		number = x.flushing.number + 1
	}
	return &batch{number: number, state: map[string]pendingValue{}}
}

// hand gives the working batch to the disk when that is free. It answers whether there was anything to do.
func (x *executor) hand() bool {
	if x.flushing != nil || len(x.working.submissions) == 0 {
		return false
	}
	if len(x.working.transactions) == 0 {
		x.finish(x.working, nil)
	} else {
		x.flushing = x.working
		go func(b *batch) { x.flushed <- x.flush(b) }(x.flushing)
	}
	x.working = x.newBatch()
	return true
}

func (x *executor) flush(b *batch) (err error) {
	started := time.Now()
	defer func() { x.observe("commit", "", time.Since(started)) }()
	sealed := sealBlock(b.number, x.log.head, b.transactions, x.key)
	if b.data, b.at, err = x.log.append(sealed); err != nil {
		return err
	}
	if err := x.mark.write(b.number); err != nil {
		x.logger.Error("the acknowledged mark cannot be written: a damaged last block may be taken for a torn one", "block", b.number, "error", err)
	}
	return nil
}

// settle ends the batch that was on its way to the disk. When that failed, what was executed on top of it saw effects
// that never happened, and is executed again.
func (x *executor) settle(err error) {
	settled := x.flushing
	x.flushing = nil
	if err == nil {
		x.trouble.Store(nil)
		x.publish(settled)
		x.finish(settled, nil)
		return
	}
	x.logger.Error("a block was not written", "block", settled.number, "transactions", len(settled.transactions), "error", err)
	said := err.Error()
	x.trouble.Store(&said)
	x.finish(settled, err)
	again := x.working.submissions
	x.working = x.newBatch()
	for _, s := range again {
		s.err, s.result = nil, nil
		x.execute(s)
	}
}

func (x *executor) publish(b *batch) {
	if err := x.index.add(b.data, b.at); err != nil {
		panic(fmt.Sprintf("index block %d, which this process has just encoded: %v", b.number, err))
	}
	x.advanced()
}

func (x *executor) execute(s *submission) {
	started := time.Now()
	x.working.submissions = append(x.working.submissions, s)
	s.err = x.index.view(func(v indexView) error {
		if place, found, err := v.transaction(s.id); err != nil || found {
			return x.repeat(s, place, err)
		}
		return x.admit(s, v)
	})
	x.observe("execute", s.proposal.function, time.Since(started))
}

// repeat answers an envelope that is on the ledger already with what it said then.
func (x *executor) repeat(s *submission, place entry, err error) error {
	if err != nil {
		return err
	}
	tx, err := x.values.transaction(place)
	s.place, s.result = place.version, tx.effects.result
	return err
}

func (x *executor) admit(s *submission, v indexView) error {
	found, err := simulate(x.rules, executorView{x, v}, s.proposal, s.id)
	if err != nil {
		return err
	}
	tx := transaction{s.bytes, s.signature, found}.encode()
	if len(tx) > maxEffects {
		return errTooLarge
	}
	s.place = version{x.working.number, uint32(len(x.working.transactions))}
	s.result = found.result
	x.working.transactions = append(x.working.transactions, tx)
	x.working.size += len(tx)
	for _, w := range found.writes {
		x.working.state[w.key] = pendingValue{w.value, s.place}
	}
	return nil
}

// executorView is the state after everything that was executed before, durable or not.
type executorView struct {
	executor *executor
	index    indexView
}

func (v executorView) get(key string) ([]byte, version, bool, error) {
	for _, b := range []*batch{v.executor.working, v.executor.flushing} {
		if b == nil {
			continue
		}
		if pending, found := b.state[key]; found {
			return pending.value, pending.at, true, nil
		}
	}
	return v.executor.values.get(v.index, key)
}

// submit hands a checked envelope over, unless it is under way already. The outcome is in what it answers, once that is done.
func (x *executor) submit(s *submission) *submission {
	if first, under := x.underway.LoadOrStore(s.id, s); under {
		return first.(*submission)
	}
	select {
	case x.queue <- s:
	case <-x.stopping:
		x.end(s, errStopping)
	}
	return s
}

// finish tells everyone in a batch. A refusal in a batch that failed was judged by what never happened, and fails, too.
func (x *executor) finish(b *batch, err error) {
	for _, s := range b.submissions {
		x.end(s, err)
	}
}

func (x *executor) end(s *submission, err error) {
	if err != nil {
		s.err = err
	}
	x.underway.Delete(s.id)
	close(s.done)
}

func (x *executor) stop() {
	close(x.stopping)
	<-x.stopped
}
