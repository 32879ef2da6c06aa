package session

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/uplink/whip"
)

// faults is what does not work now: at most one fault of each part of the path.
type faults struct {
	log *slog.Logger

	mu   sync.Mutex
	list []fault
}

type fault struct {
	part string // camera, microphone or uplink
	control.Fault
}

// failure is an error of another component than the part of the path in which it
// comes up: of the encoder behind the camera. Other packages' errors tell by a
// Component of their own.
type failure struct {
	component string
	err       error
}

func (f *failure) Error() string     { return f.err.Error() }
func (f *failure) Unwrap() error     { return f.err }
func (f *failure) Component() string { return f.component }

// report shows a failure in place of the part's last one; of the same component
// it counts. The log gets the first of equal ones.
func (f *faults) report(part string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := fault{part, control.Fault{Component: part, Message: err.Error(), Hint: hint(err), Since: time.Now(), Count: 1}}
	var of interface{ Component() string }
	if errors.As(err, &of) {
		now.Component = of.Component()
	}
	if f.replace(now) {
		return
	}
	attrs := []any{"error", err}
	if now.Hint != "" {
		attrs = append(attrs, "hint", now.Hint)
	}
	f.log.Warn(now.Component+" failed, will be tried again", attrs...)
}

// replace returns whether the last fault said the same.
func (f *faults) replace(now fault) bool {
	i := slices.IndexFunc(f.list, func(old fault) bool { return old.part == now.part })
	if i < 0 {
		f.list = append(f.list, now)
		return false
	}
	old := f.list[i]
	if old.Component == now.Component {
		now.Since, now.Count = old.Since, old.Count+1
	}
	f.list[i] = now
	return old.Component == now.Component && old.Message == now.Message
}

// clear takes back the fault of a part that works.
func (f *faults) clear(part string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, old := range f.list {
		if old.part == part {
			f.log.Info(old.Component + " works again")
		}
	}
	f.list = slices.DeleteFunc(f.list, func(old fault) bool { return old.part == part })
}

func (f *faults) clearAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

func (f *faults) snapshot() []control.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []control.Fault
	for _, fault := range f.list {
		list = append(list, fault.Fault)
	}
	return list
}

// hint returns what an error anywhere in the chain advises.
func hint(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return whip.Hint(err)
}
