package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/bril-edge/bril/uplink/durable"
)

const (
	// maxRestarts are how many the service may ask for in restartWindow.
	maxRestarts   = 3
	restartWindow = time.Hour
	// refusedFor is how long a restart that was refused is not looked at again: each look
	// writes to the card.
	refusedFor = 10 * time.Second
)

// restarts makes restarts, and keeps when: each one forgets what its process knew, so
// it stands in a file. One goroutine's.
type restarts struct {
	path string // "" keeps nothing, and allows none
	now  func() time.Time

	refused error // the last one
	at      time.Time
}

// make has restart called if there may be one now, and says why there is none.
func (r *restarts) make(restart func() error) error {
	if r.refused != nil && time.Since(r.at) < refusedFor {
		return r.refused
	}
	r.refused, r.at = r.try(restart), time.Now()
	return r.refused
}

// try counts a restart before it is made: whatever happens then, it is not one too many.
func (r *restarts) try(restart func() error) error {
	if r.path == "" {
		return errors.New("it cannot be counted here")
	}
	list, err := r.recent()
	if err != nil {
		return err
	}
	if len(list) >= maxRestarts {
		return fmt.Errorf("there were %d within %v already", len(list), restartWindow)
	}
	if err := r.write(append(list, r.now())); err != nil {
		return err
	}
	if err := restart(); err != nil {
		return errors.Join(err, r.write(list))
	}
	return nil
}

// recent are those of the window. What a clock that was set back has put into the
// future was at an unknown time: it counts as now, and from now on as then.
func (r *restarts) recent() (list []time.Time, err error) {
	now, moved := r.now(), false
	all, err := r.read()
	if err != nil {
		return nil, err
	}
	for _, at := range all {
		if at.After(now) {
			at, moved = now, true
		}
		if now.Sub(at) < restartWindow {
			list = append(list, at)
		}
	}
	if moved {
		return list, r.write(list)
	}
	return list, nil
}

// read returns all that are kept. A file that says nothing may have said the worst.
func (r *restarts) read() (list []time.Time, err error) {
	data, err := os.ReadFile(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the last restarts: %w", err)
	}
	if json.Unmarshal(data, &list) != nil || len(list) > maxRestarts {
		now := r.now()
		list = []time.Time{now, now, now}
		return list, r.write(list)
	}
	return list, nil
}

func (r *restarts) write(list []time.Time) error {
	data, err := json.Marshal(list)
	if err == nil {
		err = durable.WriteFile(r.path, data)
	}
	if err != nil {
		return fmt.Errorf("keep the last restarts: %w", err)
	}
	return nil
}
