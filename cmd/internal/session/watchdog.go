package session

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bril-edge/bril/hardware/monotonic"
)

// A device that delivers nothing for stallTime, and says nothing, has stalled. To
// begin, a camera may take firstTime: it measures the light.
const (
	stallTime  = 2 * time.Second
	firstTime  = 5 * time.Second
	guardEvery = 500 * time.Millisecond
)

// stalled is why a device is closed and opened again.
type stalled struct{ name string }

func (s *stalled) Error() string {
	return fmt.Sprintf("read %s: it stalled: nothing came for %v", s.name, stallTime)
}

// Hint returns what the user can do, as one line.
func (s *stalled) Hint() string {
	return "it is opened again; where that does not help, unplug it and plug it in"
}

// watchdog ends reads of a device that has stalled. Between two reads, as long as
// there is no connection, a device may rest. What is read pays for two stores;
// the clock is looked at beside it.
type watchdog struct {
	due   atomic.Int64 // on CLOCK_MONOTONIC, when the read that runs has taken too long; 0: none runs
	begun bool         // something has come
}

// begin is to be called before each read, end after it.
func (w *watchdog) begin() {
	patience := stallTime
	if !w.begun {
		patience = firstTime
	}
	w.due.Store(int64(monotonic.Now() + patience))
}

func (w *watchdog) end() {
	w.due.Store(0)
	w.begun = true
}

// guard runs reads of the device name with a context that ends when one of them
// stalls, and returns a *stalled then.
func (w *watchdog) guard(ctx context.Context, name string, reads func(context.Context) error) error {
	w.begun = false
	w.due.Store(0)
	reading, end := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { w.watch(reading, func() { end(&stalled{name}) }) })
	err := reads(reading)
	if ctx.Err() == nil && reading.Err() != nil {
		err = context.Cause(reading)
	}
	end(nil)
	watching.Wait()
	return err
}

func (w *watchdog) watch(ctx context.Context, stall func()) {
	ticker := time.NewTicker(guardEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if due := w.due.Load(); due != 0 && monotonic.Now() > time.Duration(due) {
				stall()
			}
		case <-ctx.Done():
			return
		}
	}
}
