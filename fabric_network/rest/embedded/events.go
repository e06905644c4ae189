package embedded

import (
	"context"
	"fmt"

	"custody/fabric_network/rest"
)

const eventChunk = 1 << 20

// Events writes lines straight from the log: the payload's bytes are those that the contract wrote.
func (l *Ledger) Events(ctx context.Context, from rest.Position, follow bool, deliver func([]byte) error) error {
	for ctx.Err() == nil {
		wake := l.news.next()
		frames, _, err := l.log.frames(from.Block, eventChunk)
		if err != nil {
			return err
		}
		if len(frames) > 0 {
			from, err = deliverEvents(frames, from, deliver)
		} else if follow {
			err = waitFor(ctx, wake, l.closing)
		} else {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func waitFor(ctx context.Context, wake, closing <-chan struct{}) error {
	select {
	case <-wake:
		return nil
	case <-closing:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

func deliverEvents(frames []byte, from rest.Position, deliver func([]byte) error) (rest.Position, error) {
	var lines []byte
	for len(frames) > 0 {
		var block []byte
		block, frames = cutFrame(frames)
		var err error
		if lines, err = appendEvents(lines, block, from); err != nil {
			return from, fmt.Errorf("read the events of block %d: %w", from.Block, err)
		}
		from = rest.Position{Block: from.Block + 1}
	}
	if len(lines) == 0 {
		return from, nil
	}
	return from, deliver(lines)
}

func appendEvents(dst, block []byte, from rest.Position) ([]byte, error) {
	if from.Block == 0 {
		return dst, nil // the configuration makes no event
	}
	parts, err := whole(block).split(3)
	if err != nil {
		return dst, err
	}
	err = parts[1].each(func(n int, tx span) error {
		if uint32(n) >= from.Tx {
			dst, err = appendEvent(dst, rest.Position{Block: from.Block, Tx: uint32(n)}, tx)
		}
		return err
	})
	return dst, err
}

func appendEvent(dst []byte, at rest.Position, tx span) ([]byte, error) {
	parts, err := tx.split(3)
	if err != nil {
		return dst, err
	}
	changes, err := parts[2].split(5)
	if err != nil || changes[3].size() == 0 {
		return dst, err
	}
	id := txidOf(parts[0].bytes())
	return rest.AppendEvent(dst, at, id.String(), string(changes[3].bytes()), changes[4].bytes()), nil
}
