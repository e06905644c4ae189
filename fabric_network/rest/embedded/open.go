package embedded

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"custody/fabric_network/rest/authority"
)

// Open opens the ledger in a folder, founding it when there is none, and checks every block's checksum and place in the
// chain before it answers anything.
func Open(s Settings) (*Ledger, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the ledger's folder: %w", err)
	}
	held, err := lock(s.Dir)
	if err != nil {
		return nil, err
	}
	if s.open == nil {
		s.open = openDisk
	}
	l := &Ledger{settings: s, lock: held, closing: make(chan struct{})}
	if err := l.open(); err != nil {
		l.release()
		return nil, err
	}
	l.start()
	return l, nil
}

func (l *Ledger) open() error {
	started := time.Now()
	if err := l.openFolder(); err != nil {
		return err
	}
	if err := l.openFiles(); err != nil {
		return err
	}
	if err := l.replay(); err != nil {
		return err
	}
	l.settings.Logger.Info("opened the ledger", "genesis", l.Genesis(), "height", l.log.blocks()-1, "seconds", time.Since(started).Seconds())
	return nil
}

// openFolder makes keys only for a ledger that is being founded: new keys for old blocks would hide that keys were lost.
func (l *Ledger) openFolder() (err error) {
	_, err = os.Stat(l.path(logName))
	founded := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for the log: %w", err)
	}
	if founded {
		if _, err := os.Stat(l.path("identities", "ledger.key")); err != nil {
			return fmt.Errorf("find the keys of the ledger: %w", err)
		}
	} else if _, err := os.Stat(l.path(acknowledgedName)); err == nil && !l.unfounded() {
		return fmt.Errorf("%s is missing, and %s says that there was one", logName, acknowledgedName)
	}
	if l.folder, err = authority.Open(l.settings.Dir, l.settings.Clock); err != nil {
		return fmt.Errorf("open the authority: %w", err)
	}
	if !founded {
		return found(l.settings.Dir, l.folder, l.settings.Clock())
	}
	return nil
}

// unfounded says that founding was interrupted between the mark and the log: the mark is of block 0, the log still new.
func (l *Ledger) unfounded() bool {
	_, err := os.Stat(l.path(logName + ".new"))
	return err == nil
}

func (l *Ledger) openFiles() error {
	mark, err := l.settings.open(l.path(acknowledgedName))
	if err != nil {
		return fmt.Errorf("open the acknowledged mark: %w", err)
	}
	l.mark = acknowledged{mark}
	log, err := l.settings.open(l.path(logName))
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	found, reason := openIndex(l.path(indexName))
	l.index = found
	if l.log, err = l.openLog(log); err != nil {
		log.Close()
		return err
	}
	l.values = &values{l.log}
	if err := l.readGenesis(); err != nil {
		return err
	}
	if reason == nil {
		reason = l.indexFits()
	}
	if reason != nil {
		return l.rebuild(reason)
	}
	return nil
}

func (l *Ledger) path(names ...string) string {
	return filepath.Join(append([]string{l.settings.Dir}, names...)...)
}

// openLog takes the index's checkpoint as a second mark: it is synced, and so can outlive a power cut that the first did not.
func (l *Ledger) openLog(log disk) (*blockLog, error) {
	promised := l.mark.read()
	if promised != nil && l.index != nil && l.indexIsOurs(log) {
		newer := max(*promised, l.index.checkpoint.number)
		promised = &newer
	}
	found, torn, err := recoverLog(log, promised)
	if err != nil {
		return nil, err
	}
	if torn != nil {
		l.settings.Logger.Warn("cut the torn end of the log: a block that nobody was told of", "block", torn.number, "at", torn.at, "bytes", torn.size)
	}
	if err := l.mark.write(found.blocks() - 1); err != nil {
		return nil, err
	}
	return found, nil
}

// indexIsOurs keeps the index of another ledger from making promises for this one.
func (l *Ledger) indexIsOurs(log disk) bool {
	data := make([]byte, 8+headerSize)
	if _, err := log.ReadAt(data, 0); err != nil {
		return false
	}
	h, err := decodeHeader(data[8:])
	return err == nil && h.hash() == l.index.checkpoint.genesis
}

func (l *Ledger) readGenesis() error {
	first, err := l.log.block(0)
	if err != nil {
		return err
	}
	if first == nil {
		return errors.New("the log has no block 0")
	}
	if l.genesis, err = readGenesis(first); err != nil {
		return err
	}
	if !l.folder.Ledger.Public().(ed25519.PublicKey).Equal(l.genesis.ledgerKey) {
		return errors.New("identities/ledger.key is not the key that block 0 names")
	}
	l.creators = newCreators(l.genesis.organisations)
	return nil
}

func (l *Ledger) indexFits() error {
	c := l.index.checkpoint
	if c.genesis != l.genesis.hash {
		return errors.New("it belongs to another ledger")
	}
	data, err := l.log.block(c.number)
	if err != nil || data == nil {
		return fmt.Errorf("it knows block %d, which the log does not have", c.number)
	}
	if b, err := decodeBlock(data); err != nil || b.header.hash() != c.head {
		return fmt.Errorf("its block %d is not the log's", c.number)
	}
	return nil
}

func (l *Ledger) rebuild(reason error) error {
	if l.log.blocks() > 1 {
		l.settings.Logger.Warn("rebuilding the index from the log", "reason", reason.Error(), "blocks", l.log.blocks())
	}
	if l.index != nil {
		l.index.close()
		l.index = nil
	}
	if err := os.Remove(l.path(indexName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the index: %w", err)
	}
	made, err := createIndex(l.path(indexName), l.genesis.hash)
	if err != nil {
		return err
	}
	l.index = made
	return l.index.unsynced(l.replay)
}

// replay brings the index from its checkpoint up to the newest block.
func (l *Ledger) replay() error {
	from := l.index.height + 1
	for number := from; number < l.log.blocks(); {
		frames, at, err := l.log.frames(number, replayChunk)
		if err != nil {
			return err
		}
		for rest := frames; len(rest) > 0; number++ {
			block, next := cutFrame(rest)
			if err := l.index.add(block, at+4); err != nil {
				return fmt.Errorf("index block %d: %w", number, err)
			}
			at, rest = at+int64(len(rest)-len(next)), next
		}
		if l.index.pending() > checkpointEntries {
			if err := l.index.write(); err != nil {
				return err
			}
		}
	}
	return nil
}
