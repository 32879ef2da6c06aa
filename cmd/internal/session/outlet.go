package session

import (
	"context"
	"sync"
)

// destination is where goes what a stage makes. The zero value is nowhere.
type destination struct {
	publisher Publisher // nil while there is no connection
	take      take      // 0 while there is no recording
	alone     bool      // the recording is not of a conversation: nobody misses what is not sent
}

// outlet is where stages find their destination.
type outlet struct {
	mu      sync.Mutex
	to      destination
	changed chan struct{}
}

func newOutlet() *outlet { return &outlet{changed: make(chan struct{})} }

// set changes the connection.
func (o *outlet) set(p Publisher) { o.change(func(to *destination) { to.publisher = p }) }

// record changes the take, and says whether it is not of a conversation.
func (o *outlet) record(t take, alone bool) {
	o.change(func(to *destination) { to.take, to.alone = t, alone && t != 0 })
}

func (o *outlet) change(how func(*destination)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	how(&o.to)
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *outlet) get() (destination, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.to, o.changed
}

// wait returns the connection as soon as there is one, and ctx's error once that
// has ended.
func (o *outlet) wait(ctx context.Context) (Publisher, error) {
	to, err := o.until(ctx, func(to destination) bool { return to.publisher != nil })
	return to.publisher, err
}

// anywhere returns the destination as soon as there is one, be it a recording
// only, and ctx's error once that has ended.
func (o *outlet) anywhere(ctx context.Context) (destination, error) {
	return o.until(ctx, func(to destination) bool { return to != destination{} })
}

func (o *outlet) until(ctx context.Context, enough func(destination) bool) (destination, error) {
	for {
		if err := ctx.Err(); err != nil {
			return destination{}, err
		}
		to, changed := o.get()
		if enough(to) {
			return to, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}
