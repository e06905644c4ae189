// Package embedded is a ledger in one process: the contract over an append-only file of hash-chained, signed blocks.
//
// Nothing is answered before it is durable. docs/ledger.md has the formats and what happens after a crash.
package embedded

import (
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"custody/fabric_network/rest/authority"
)

const (
	kind             = "embedded"
	logName          = "blocks.log"
	acknowledgedName = "acknowledged"
	indexName        = "index.db"

	checkpointEvery   = time.Second
	checkpointEntries = 100_000 // in memory while an index is rebuilt
	replayChunk       = 4 << 20
)

// Settings is what a ledger is opened with.
type Settings struct {
	Dir    string
	Rules  func(genesis string) Rules
	Clock  func() time.Time
	Logger *slog.Logger
	// Observe is told how long a step took: "execute" by function, "commit" without.
	Observe func(step, function string, took time.Duration)

	open func(path string) (disk, error) // openDisk, except in tests of what disks do
}

// Ledger is an open ledger. It implements rest.Backend.
type Ledger struct {
	settings Settings
	genesis  genesis
	folder   *authority.Folder
	creators *creators
	lock     *os.File
	log      *blockLog
	mark     acknowledged
	index    *index
	values   *values
	executor *executor

	news    news
	closing chan struct{}
	closed  sync.WaitGroup
}

func (l *Ledger) start() {
	l.news.wake = make(chan struct{})
	observe := l.settings.Observe
	if observe == nil {
		observe = func(string, string, time.Duration) {}
	}
	l.executor = &executor{
		rules: l.settings.Rules(l.Genesis()), log: l.log, values: l.values, index: l.index, mark: l.mark,
		key: l.folder.Ledger, logger: l.settings.Logger, observe: observe, advanced: l.news.tell,
		queue: make(chan *submission), flushed: make(chan error), stopping: make(chan struct{}), stopped: make(chan struct{}),
	}
	go l.executor.run()
	l.closed.Go(l.checkpoint)
}

// checkpoint writes the index now and then, so that a start has little to replay.
func (l *Ledger) checkpoint() {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := l.index.write(); err != nil {
				l.settings.Logger.Error("the index was not written; the next start replays more", "error", err)
			}
		case <-l.closing:
			return
		}
	}
}

// Close drains what is under way, then lets go of everything.
func (l *Ledger) Close() error {
	l.executor.stop()
	close(l.closing)
	l.closed.Wait()
	var err error
	for err == nil && l.index.pending() > 0 {
		err = l.index.write()
	}
	return errors.Join(err, l.release())
}

func (l *Ledger) release() error {
	var err error
	if l.index != nil {
		err = l.index.close()
	}
	if l.log != nil {
		err = errors.Join(err, l.log.disk.Close())
	}
	if l.mark.disk != nil {
		err = errors.Join(err, l.mark.disk.Close())
	}
	return errors.Join(err, l.lock.Close())
}

// Genesis is the hash of block 0, in hex.
func (l *Ledger) Genesis() string { return hex.EncodeToString(l.genesis.hash[:]) }

// Authority is who issues certificates here, and what the door holds.
func (l *Ledger) Authority() *authority.Folder { return l.folder }
