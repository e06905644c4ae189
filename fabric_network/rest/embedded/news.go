package embedded

import "sync"

// news wakes everyone who waits for the next block.
type news struct {
	mutex sync.Mutex
	wake  chan struct{}
}

func (n *news) tell() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	close(n.wake)
	n.wake = make(chan struct{})
}

func (n *news) next() <-chan struct{} {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.wake
}
