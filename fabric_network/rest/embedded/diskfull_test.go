package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"custody/fabric_network/rest"
)

// crampedDisk is a real file on a disk that can be full, or worse.
type crampedDisk struct {
	disk
	full, stuck *atomic.Bool // no room to write; nothing works at all
}

func (d crampedDisk) WriteAt(p []byte, at int64) (int, error) {
	if d.stuck.Load() {
		return 0, syscall.EIO
	}
	if d.full.Load() {
		n, _ := d.disk.WriteAt(p[:len(p)/2], at)
		return n, syscall.ENOSPC
	}
	return d.disk.WriteAt(p, at)
}

func (d crampedDisk) Truncate(size int64) error {
	if d.stuck.Load() {
		return syscall.EIO
	}
	return d.disk.Truncate(size)
}

func cramped(t *testing.T) (l *Ledger, full, stuck *atomic.Bool) {
	full, stuck = new(atomic.Bool), new(atomic.Bool)
	s := settings(t.TempDir())
	s.open = func(path string) (disk, error) {
		file, err := openDisk(path)
		if filepath.Base(path) != logName {
			return file, err
		}
		return crampedDisk{file, full, stuck}, err
	}
	return mustOpen(t, s), full, stuck
}

func codeOf(err error) rest.Code {
	var said *rest.Error
	if errors.As(err, &said) {
		return said.Code
	}
	return ""
}

func TestAFullDiskFailsWritesWithoutATraceAndServiceComesBack(t *testing.T) {
	l, full, _ := cramped(t)
	mustSubmit(t, l, "Put", "a", "1")
	before, _ := os.Stat(l.path(logName))
	full.Store(true)
	var group sync.WaitGroup
	for n := range 20 {
		group.Go(func() {
			if _, err := submit(l, "Create", fmt.Sprint("seat ", n%5), fmt.Sprint(n)); codeOf(err) != rest.Unavailable {
				t.Errorf("on a full disk: %v", err)
			}
		})
	}
	group.Wait()
	after, _ := os.Stat(l.path(logName))
	if before.Size() != after.Size() {
		t.Errorf("the log had %d bytes and has %d", before.Size(), after.Size())
	}
	if get(l, "a") != "1" || l.Ready(context.Background()) == nil {
		t.Error("reads fail, or it says that it is ready")
	}
	full.Store(false)
	if o := mustSubmit(t, l, "Create", "seat 0", "mine"); o.Block != 2 || l.Ready(context.Background()) != nil {
		t.Errorf("with room again: block %d, ready %v", o.Block, l.Ready(context.Background()))
	}
	closeLedger(t, l)
	if _, err := Check(l.settings.Dir, notebooks); err != nil {
		t.Error(err)
	}
}

func TestABlockInDoubtIsAnUnknownOutcomeUntilTheDiskAnswers(t *testing.T) {
	l, _, stuck := cramped(t)
	e, err := envelope(l, "Put", "a", "1")
	if err != nil {
		t.Fatal(err)
	}
	stuck.Store(true)
	if _, err := l.Submit(context.Background(), e); codeOf(err) != rest.Unknown {
		t.Errorf("the first: %v", err)
	}
	if _, err := l.Transaction(context.Background(), e.TxID); codeOf(err) != rest.Unavailable {
		t.Errorf("its status: %v", err)
	}
	if _, err := submit(l, "Put", "b", "1"); codeOf(err) != rest.Unavailable {
		t.Errorf("the next, which was never written: %v", err)
	}
	stuck.Store(false)
	if o, err := l.Submit(context.Background(), e); err != nil || o.Block != 1 {
		t.Errorf("the same envelope again: %+v, %v", o, err)
	}
	closeLedger(t, l)
	if _, err := Check(l.settings.Dir, notebooks); err != nil {
		t.Error(err)
	}
}
