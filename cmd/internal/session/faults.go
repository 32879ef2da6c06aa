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

// faults is what does not work now, by component.
type faults struct {
	log *slog.Logger

	mu   sync.Mutex
	list []control.Fault
}

// report adds a failure; of a component that has failed already it counts. The
// log gets the first of equal ones.
func (f *faults) report(component string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault := control.Fault{Component: component, Message: err.Error(), Hint: hint(err), Since: time.Now(), Count: 1}
	i := slices.IndexFunc(f.list, func(old control.Fault) bool { return old.Component == component })
	if i < 0 {
		f.list = append(f.list, fault)
	} else {
		same := f.list[i].Message == fault.Message
		fault.Since, fault.Count = f.list[i].Since, f.list[i].Count+1
		f.list[i] = fault
		if same {
			return
		}
	}
	f.log.Warn(component+" failed, will be tried again", "error", err)
}

func (f *faults) clear(component string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.list)
	f.list = slices.DeleteFunc(f.list, func(old control.Fault) bool { return old.Component == component })
	if len(f.list) < n {
		f.log.Info(component + " works again")
	}
}

func (f *faults) clearAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

func (f *faults) snapshot() []control.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.list)
}

// hint returns what an error anywhere in the chain advises.
func hint(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return whip.Hint(err)
}
