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

func (o *outlet) get() Publisher {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.publisher
}

// wait returns the connection as soon as there is one.
func (o *outlet) wait(ctx context.Context) (Publisher, error) {
	for {
		o.mu.Lock()
		publisher, changed := o.publisher, o.changed
		o.mu.Unlock()
		if publisher != nil {
			return publisher, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
