package showroom

import (
	"context"
	"sync"
)

// underway is what owners have running that ends when they lose their right to it.
// The zero value is ready.
type underway struct {
	mu      sync.Mutex
	running map[string]map[*context.CancelFunc]struct{} // by owner
}

// begin returns a context that lasts until end; done is owed.
func (u *underway) begin(owner string) (until context.Context, done func()) {
	until, cancel := context.WithCancel(context.Background())
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.running == nil {
		u.running = map[string]map[*context.CancelFunc]struct{}{}
	}
	if u.running[owner] == nil {
		u.running[owner] = map[*context.CancelFunc]struct{}{}
	}
	u.running[owner][&cancel] = struct{}{}
	return until, func() {
		cancel()
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.running[owner], &cancel)
		if len(u.running[owner]) == 0 {
			delete(u.running, owner)
		}
	}
}

// end ends all that an owner has running.
func (u *underway) end(owner string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for cancel := range u.running[owner] {
		(*cancel)()
	}
}
