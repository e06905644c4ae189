package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	keptFor    = 24 * time.Hour
	keepRhythm = time.Second
)

// row is what is kept of a write with an Idempotency-Key: first its envelope, then its answer.
type row struct {
	Request  []byte    `json:"request"` // hash of function and body
	KeptAt   time.Time `json:"kept_at"`
	Envelope Envelope  `json:"envelope"`
	Final    bool      `json:"final"`
	Block    uint64    `json:"block,omitempty"`
	Result   []byte    `json:"result,omitempty"` // not raw JSON: its bytes are to stay as they are
	Code     Code      `json:"code,omitempty"`   // of a refusal
	Text     string    `json:"text,omitempty"`
}

func (r row) answer() (Outcome, error) {
	if r.Code != "" {
		return Outcome{}, &Error{Code: r.Code, Text: r.Text, TxID: r.Envelope.TxID}
	}
	return Outcome{TxID: r.Envelope.TxID, Block: r.Block, Result: r.Result}, nil
}

var keptBucket = []byte("kept")

// Kept remembers writes by their Idempotency-Key for a day. Envelopes are durable before keep returns; answers follow
// within a second, and until then can be had again from the ledger.
type Kept struct {
	db     *bolt.DB
	clock  func() time.Time
	logger *slog.Logger
	claims claims

	mutex   sync.Mutex
	waiting map[string]row
	writing map[string]row
	written chan struct{} // closed when what waits now has been written
	failed  *error        // where that write's error will be
	urgent  chan struct{}
	closing chan struct{}
	closed  sync.WaitGroup
}

// OpenKept opens the file, whose only writer is this process.
func OpenKept(path string, clock func() time.Time, logger *slog.Logger) (*Kept, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("open the kept envelopes: %w", err)
	}
	k := &Kept{db: db, clock: clock, logger: logger, claims: claims{held: map[string]chan struct{}{}}, urgent: make(chan struct{}, 1), closing: make(chan struct{})}
	k.turn()
	if err := k.forget(); err != nil {
		db.Close()
		return nil, err
	}
	k.closed.Go(k.run)
	return k, nil
}

// Close writes what waits.
func (k *Kept) Close() error {
	close(k.closing)
	k.closed.Wait()
	return errors.Join(k.write(), k.db.Close())
}

func (k *Kept) run() {
	tick := time.NewTicker(keepRhythm)
	hourly := time.NewTicker(time.Hour)
	defer tick.Stop()
	defer hourly.Stop()
	for {
		var err error
		select {
		case <-k.urgent:
			err = k.write()
		case <-tick.C:
			err = k.write()
		case <-hourly.C:
			err = k.forget()
		case <-k.closing:
			return
		}
		if err != nil {
			k.logger.Error("envelopes could not be kept", "error", err)
		}
	}
}

// turn takes what waits, and starts a new collection.
func (k *Kept) turn() (rows map[string]row, written chan struct{}, failed *error) {
	rows, written, failed = k.waiting, k.written, k.failed
	k.waiting, k.written, k.failed = map[string]row{}, make(chan struct{}), new(error)
	k.writing = rows
	return rows, written, failed
}

func (k *Kept) write() error {
	k.mutex.Lock()
	rows, written, failed := k.turn()
	k.mutex.Unlock()
	if len(rows) > 0 {
		*failed = k.db.Update(func(tx *bolt.Tx) error { return putRows(tx, rows) })
	}
	k.mutex.Lock()
	k.writing = nil
	k.mutex.Unlock()
	close(written)
	return *failed
}

func putRows(tx *bolt.Tx, rows map[string]row) error {
	bucket, err := tx.CreateBucketIfNotExists(keptBucket)
	if err != nil {
		return err
	}
	for key, r := range rows {
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if err := bucket.Put([]byte(key), data); err != nil {
			return err
		}
	}
	return nil
}

// keep returns once the row is durable.
func (k *Kept) keep(key string, r row) error {
	k.mutex.Lock()
	k.waiting[key] = r
	written, failed := k.written, k.failed
	k.mutex.Unlock()
	select {
	case k.urgent <- struct{}{}:
	default:
	}
	<-written
	if *failed != nil {
		return fmt.Errorf("keep an envelope: %w", *failed)
	}
	return nil
}

// note lets the row become durable with the next ones.
func (k *Kept) note(key string, r row) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.waiting[key] = r
}

func (k *Kept) find(key string) (found row, ok bool, err error) {
	k.mutex.Lock()
	for _, rows := range []map[string]row{k.writing, k.waiting} {
		if r, here := rows[key]; here {
			found, ok = r, true
		}
	}
	k.mutex.Unlock()
	if ok {
		return found, true, nil
	}
	err = k.db.View(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(keptBucket)
		if bucket == nil {
			return nil
		}
		data := bucket.Get([]byte(key))
		ok = data != nil
		if !ok {
			return nil
		}
		return json.Unmarshal(data, &found)
	})
	return found, ok, err
}

// forget removes what is older than a day.
func (k *Kept) forget() error {
	limit := k.clock().Add(-keptFor)
	return k.db.Update(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(keptBucket)
		if bucket == nil {
			return nil
		}
		cursor := bucket.Cursor()
		for key, data := cursor.First(); key != nil; key, data = cursor.Next() {
			var r struct {
				KeptAt time.Time `json:"kept_at"`
			}
			if err := json.Unmarshal(data, &r); err != nil || r.KeptAt.Before(limit) {
				if err := cursor.Delete(); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
