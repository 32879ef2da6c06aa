package session

import (
	"context"
	"sync"
)

// outlet is where stages find the connection to write to.
type outlet struct {
	mu        sync.Mutex
	publisher Publisher // nil while there is none
	changed   chan struct{}
}

func newOutlet() *outlet { return &outlet{changed: make(chan struct{})} }

func (o *outlet) set(p Publisher) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.publisher = p
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *outlet) get() (Publisher, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.publisher, o.changed
}

// wait returns the connection as soon as there is one, and ctx's error once that
// has ended.
func (o *outlet) wait(ctx context.Context) (Publisher, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		publisher, changed := o.get()
		if publisher != nil {
			return publisher, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}
