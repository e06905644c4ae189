package rest

import (
	"context"
	"sync"
)

// claims lets one request at a time work under a key.
type claims struct {
	mutex sync.Mutex
	held  map[string]chan struct{}
}

func (c *claims) take(ctx context.Context, key string) (release func(), err error) {
	for {
		c.mutex.Lock()
		holder, held := c.held[key]
		if !held {
			mine := make(chan struct{})
			c.held[key] = mine
			c.mutex.Unlock()
			return func() { c.let(key, mine) }, nil
		}
		c.mutex.Unlock()
		select {
		case <-holder:
		case <-ctx.Done():
			return nil, &Error{Code: Busy, Text: "another request with this Idempotency-Key is under way"}
		}
	}
}

func (c *claims) let(key string, mine chan struct{}) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.held, key)
	close(mine)
}
