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

// maxRestarts are how many the service may ask for in restartWindow.
const (
	maxRestarts   = 3
	restartWindow = time.Hour
)

// restarts keeps when the service has restarted the agent: each one forgets what its
// process knew, so it stands in a file.
type restarts struct {
	path string // "" keeps nothing, and allows none
	now  func() time.Time
}

func (r restarts) read() (list []time.Time, err error) {
	data, err := os.ReadFile(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("read the last restarts: %w", err)
	}
	return list, nil
}

// recent are those of the window. What a clock that was set back puts into the future
// counts, as one does not know when it was.
func (r restarts) recent() (list []time.Time, err error) {
	all, err := r.read()
	for _, at := range all {
		if r.now().Sub(at) < restartWindow {
			list = append(list, at)
		}
	}
	return list, err
}

// may says why there is none now.
func (r restarts) may() error {
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
	return nil
}

func (r restarts) note() error {
	list, err := r.recent()
	if err != nil {
		return err
	}
	data, err := json.Marshal(append(list, r.now()))
	if err != nil {
		return err
	}
	return durable.WriteFile(r.path, data)
}
