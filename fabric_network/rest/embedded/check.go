package embedded

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
)

// Report is what a check has verified.
type Report struct {
	Genesis      string `json:"genesis"`
	Height       uint64 `json:"height"`
	Head         string `json:"head"`
	Transactions int    `json:"transactions"`
	Keys         int    `json:"keys"`
	Tail         string `json:"tail,omitempty"` // what lies after the newest block, if that is no damage
}

// Check verifies a ledger from its bytes alone: frames, hash chain, the ledger's and the creators' signatures, the
// certificates up to the CAs of block 0, txids, the versions that were read, and that the rules still say what each
// transaction wrote. The error names the first thing that is wrong. A ledger that is being served can be checked, too.
func Check(dir string, rules func(genesis string) Rules) (Report, error) {
	mark, err := openForCheck(filepath.Join(dir, acknowledgedName))
	if err != nil {
		return Report{}, err
	}
	defer mark.Close()
	disk, err := openForCheck(filepath.Join(dir, logName))
	if err != nil {
		return Report{}, err
	}
	defer disk.Close()
	promised := acknowledged{mark}.read()
	size, err := disk.Size()
	if err != nil {
		return Report{}, fmt.Errorf("measure the log: %w", err)
	}
	log := &blockLog{disk: disk, starts: []int64{0}}
	c := &checker{rules: rules, log: log, state: map[string]entry{}, seen: map[txid]struct{}{}}
	walk := newWalk(disk, size)
	err = walk.each(func(number uint64, block []byte) error {
		return c.block(number, block, walk.at, walk.previous)
	})
	var bad *damage
	if errors.As(err, &bad) {
		err = c.tail(bad, size, promised)
	}
	if err == nil {
		err = log.keepsPromise(promised)
	}
	return c.report(), err
}

func (c *checker) tail(bad *damage, size int64, promised *uint64) error {
	if err := c.log.mayBeTorn(bad, size, promised); err != nil {
		return fmt.Errorf("%w (%w)", bad, err)
	}
	c.unacknowledged = fmt.Sprintf("%d bytes of block %d, which nobody was told of", size-bad.at, bad.number)
	return nil
}

// checker replays a ledger.
type checker struct {
	rules          func(genesis string) Rules
	log            *blockLog
	genesis        genesis
	creators       *creators
	contract       Rules
	state          map[string]entry
	seen           map[txid]struct{}
	transactions   int
	unacknowledged string
}

func (c *checker) report() Report {
	r := Report{Genesis: hex.EncodeToString(c.genesis.hash[:]), Transactions: c.transactions, Keys: len(c.state), Tail: c.unacknowledged}
	if c.log.blocks() > 0 {
		height, head := c.log.newest()
		r.Height, r.Head = height, hex.EncodeToString(head[:])
	}
	return r
}

func (c *checker) block(number uint64, data []byte, end int64, hash digest) (err error) {
	if number == 0 {
		if c.genesis, err = readGenesis(data); err != nil {
			return err
		}
		c.creators, c.contract = newCreators(c.genesis.organisations), c.rules(hex.EncodeToString(c.genesis.hash[:]))
		c.log.grow(end, hash)
		return nil
	}
	b, err := decodeBlock(data)
	if err != nil {
		return err
	}
	if err := b.verify(c.genesis.ledgerKey); err != nil {
		return err
	}
	if len(b.transactions) == 0 {
		return fmt.Errorf("block %d is empty", number)
	}
	at := end - 4 - int64(len(data))
	if err := c.each(number, data, at); err != nil {
		return err
	}
	c.log.grow(end, hash)
	return nil
}

func (c *checker) each(number uint64, data []byte, at int64) error {
	parts, err := whole(data).split(3)
	if err != nil {
		return err
	}
	changed := newLayer()
	return parts[1].each(func(n int, tx span) error {
		place := version{number, uint32(n)}
		if err := c.transaction(place, tx.bytes()); err != nil {
			return fmt.Errorf("block %d, transaction %d: %w", number, n, err)
		}
		if err := changed.addTransaction(place, tx, at); err != nil {
			return err
		}
		for key, to := range changed.state {
			c.state[key] = to.entry
		}
		clear(changed.state)
		return nil
	})
}

func (c *checker) transaction(place version, data []byte) error {
	tx, err := decodeTransaction(data)
	if err != nil {
		return err
	}
	p, err := decodeProposal(tx.proposal)
	if err != nil {
		return err
	}
	id := txidOf(tx.proposal)
	if _, twice := c.seen[id]; twice {
		return fmt.Errorf("transaction %s is on the ledger twice", id)
	}
	c.seen[id] = struct{}{}
	c.transactions++
	if p.genesis != c.genesis.hash {
		return errors.New("its proposal is for another ledger")
	}
	if err := c.signed(p, id, tx.signature); err != nil {
		return err
	}
	return c.effects(p, id, tx.effects)
}

func (c *checker) signed(p proposal, id txid, signature []byte) error {
	who, err := c.creators.identify(p.creator)
	if err != nil {
		return err
	}
	if err := who.validAt(p.time()); err != nil {
		return err
	}
	return who.verify(digest(id), signature)
}

// effects runs the contract again, on the state that the transaction found.
func (c *checker) effects(p proposal, id txid, said effects) error {
	for _, r := range said.reads {
		at, found := c.state[r.key]
		if found != (r.version != nil) || found && at.version != *r.version {
			return fmt.Errorf("it says that it read another version of %q than the ledger had", r.key)
		}
	}
	again, err := simulate(c.contract, c, p, id)
	if err != nil {
		return fmt.Errorf("the rules refuse it: %w", err)
	}
	if !bytes.Equal(again.encode(), said.encode()) {
		return errors.New("its effects are not what the rules say")
	}
	return nil
}

// get is the state that the transaction being checked found; values are read from the log itself.
func (c *checker) get(key string) ([]byte, version, bool, error) {
	place, found := c.state[key]
	if !found {
		return nil, version{}, false, nil
	}
	value, err := (&values{c.log}).value(key, place)
	return value, place.version, err == nil, err
}
