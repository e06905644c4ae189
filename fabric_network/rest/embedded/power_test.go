package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"custody/fabric_network/rest"
)

const sector = 512

var errPower = errors.New("the power is gone")

// machine is what several disks hang on: its power goes after a number of operations.
type machine struct {
	mutex  sync.Mutex
	left   int // operations until the power goes
	dark   bool
	lying  bool // disks say that they synced and did not
	disks  map[string]*volatileDisk
	random *rand.Rand
}

func (m *machine) open(path string) (disk, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	name := filepath.Base(path)
	if m.disks[name] == nil {
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		m.disks[name] = &volatileDisk{machine: m, durable: data, seen: append([]byte(nil), data...)}
	}
	return m.disks[name], nil
}

// spend uses one operation up.
func (m *machine) spend() error {
	if m.left--; m.left < 0 {
		m.dark = true
	}
	if m.dark {
		return errPower
	}
	return nil
}

// restart leaves on the real disk what a power cut may leave: everything synced, and any of the sectors that were not.
func (m *machine) restart(t *testing.T, dir string) {
	t.Helper()
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for name, d := range m.disks {
		if err := os.WriteFile(filepath.Join(dir, name), d.afterPowerCut(m.random), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.disks, m.dark = map[string]*volatileDisk{}, false
}

// volatileDisk keeps what was written since the last sync apart.
type volatileDisk struct {
	machine *machine
	durable []byte
	seen    []byte // as the running process reads it
	waiting []unsynced
}

// unsynced is one write, or a truncation when data is nil.
type unsynced struct {
	at   int64
	data []byte
}

func (c unsynced) apply(to []byte) []byte {
	if c.data == nil {
		return resize(to, int(c.at))
	}
	if end := int(c.at) + len(c.data); end > len(to) {
		to = resize(to, end)
	}
	copy(to[c.at:], c.data)
	return to
}

func resize(data []byte, size int) []byte {
	if size <= len(data) {
		return data[:size]
	}
	return append(data, make([]byte, size-len(data))...)
}

// sectors cuts a write where a disk may cut it.
func (c unsynced) sectors() []unsynced {
	if c.data == nil {
		return []unsynced{c}
	}
	var cut []unsynced
	for rest := c; len(rest.data) > 0; {
		n := min(len(rest.data), int(sector-rest.at%sector))
		cut = append(cut, unsynced{rest.at, rest.data[:n]})
		rest = unsynced{rest.at + int64(n), rest.data[n:]}
	}
	return cut
}

func (d *volatileDisk) afterPowerCut(random *rand.Rand) []byte {
	kept := append([]byte(nil), d.durable...)
	chance := random.Float64()
	for _, c := range d.waiting {
		for _, s := range c.sectors() {
			if random.Float64() < chance {
				kept = s.apply(kept)
			}
		}
	}
	return kept
}

func (d *volatileDisk) ReadAt(p []byte, at int64) (int, error) {
	d.machine.mutex.Lock()
	defer d.machine.mutex.Unlock()
	if at >= int64(len(d.seen)) {
		return 0, io.EOF
	}
	n := copy(p, d.seen[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *volatileDisk) WriteAt(p []byte, at int64) (int, error) {
	d.machine.mutex.Lock()
	defer d.machine.mutex.Unlock()
	c := unsynced{at, append([]byte{}, p...)}
	err := d.machine.spend()
	if err != nil {
		c.data = c.data[:d.machine.random.IntN(len(p)+1)]
	}
	d.waiting, d.seen = append(d.waiting, c), c.apply(d.seen)
	return len(c.data), err
}

func (d *volatileDisk) Truncate(size int64) error {
	d.machine.mutex.Lock()
	defer d.machine.mutex.Unlock()
	if err := d.machine.spend(); err != nil {
		return err
	}
	c := unsynced{at: size}
	d.waiting, d.seen = append(d.waiting, c), c.apply(d.seen)
	return nil
}

func (d *volatileDisk) Sync() error {
	d.machine.mutex.Lock()
	defer d.machine.mutex.Unlock()
	if err := d.machine.spend(); err != nil {
		return err
	}
	if !d.machine.lying {
		d.durable, d.waiting = append([]byte(nil), d.seen...), nil
	}
	return nil
}

func (d *volatileDisk) Size() (int64, error) {
	d.machine.mutex.Lock()
	defer d.machine.mutex.Unlock()
	return int64(len(d.seen)), nil
}

func (d *volatileDisk) Close() error { return nil }

// powerCut runs a ledger under load until the power goes, and answers what was acknowledged.
func powerCut(t *testing.T, m *machine, dir string, life int) (acknowledged []rest.Outcome, err error) {
	t.Helper()
	m.left = 1 << 30
	s := settings(dir)
	s.open = m.open
	l, err := Open(s)
	if err != nil {
		return nil, err
	}
	m.mutex.Lock()
	m.left = life
	m.mutex.Unlock()
	var mutex sync.Mutex
	var serial atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				key := fmt.Sprintf("life %d/%d", life, serial.Add(1))
				o, err := submit(l, "Put", key, string(make([]byte, serial.Load()%2000+1)))
				if err != nil {
					return
				}
				mutex.Lock()
				acknowledged = append(acknowledged, o)
				mutex.Unlock()
			}
		})
	}
	group.Wait()
	m.restart(t, dir)
	abandon(l)
	return acknowledged, nil
}

// abandon lets go of a ledger as a crash would: nothing in memory is written.
func abandon(l *Ledger) {
	l.executor.stop()
	close(l.closing)
	l.closed.Wait()
	l.index.close()
	l.lock.Close()
}

// survives opens the ledger on what a power cut left and looks for everything that was acknowledged.
func survives(t *testing.T, dir string, acknowledged []rest.Outcome) error {
	t.Helper()
	if _, err := Check(dir, notebooks); err != nil {
		return err
	}
	l, err := Open(settings(dir))
	if err != nil {
		return err
	}
	defer closeLedger(t, l)
	for _, o := range acknowledged {
		status, err := l.Transaction(context.Background(), o.TxID)
		if err != nil {
			return fmt.Errorf("acknowledged and lost: %w", err)
		}
		if status.Block != o.Block {
			return fmt.Errorf("acknowledged in block %d and found in %d", o.Block, status.Block)
		}
	}
	return nil
}

func TestEveryAcknowledgedTransactionSurvivesAPowerCut(t *testing.T) {
	const lives = 20 // of one ledger: every check reads all of it
	total := 0
	for range points(40, 500) / lives {
		total += len(survivesCuts(t, lives))
	}
	if total < 100 {
		t.Errorf("only %d transactions were acknowledged: the test tests little", total)
	}
}

func survivesCuts(t *testing.T, lives int) (all []rest.Outcome) {
	t.Helper()
	dir := t.TempDir()
	closeLedger(t, mustOpen(t, settings(dir)))
	seed := uint64(time.Now().UnixNano())
	m := &machine{disks: map[string]*volatileDisk{}, random: rand.New(rand.NewPCG(seed, 1))}
	for cut := range lives {
		acknowledged, err := powerCut(t, m, dir, m.random.IntN(60))
		if err != nil {
			t.Fatalf("seed %d, cut %d: %v", seed, cut, err)
		}
		all = append(all, acknowledged...)
		if err := survives(t, dir, all); err != nil {
			t.Fatalf("seed %d, cut %d: %v", seed, cut, err)
		}
	}
	return all
}

func TestWithoutTheSyncAPowerCutIsNoticed(t *testing.T) {
	m := &machine{disks: map[string]*volatileDisk{}, random: rand.New(rand.NewPCG(1, 1)), lying: true}
	for range 20 {
		dir := t.TempDir()
		closeLedger(t, mustOpen(t, settings(dir)))
		acknowledged, err := powerCut(t, m, dir, 40)
		if err == nil {
			err = survives(t, dir, acknowledged)
		}
		if err != nil {
			return
		}
	}
	t.Error("disks that do not sync lost nothing: the test of power cuts would not see a missing sync")
}
