package clock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// keepEvery is how far the floor on the disk may fall behind: the dates that it is
// compared with are days apart, and a card wears out.
const keepEvery = time.Hour

// Open raises the floor to what the file at path has kept, where there is one, and
// has Run keep it there. It is to be called before the clock is used by others. A file
// that cannot be read is an error, with which the clock works all the same: the file
// is written anew.
func (c *Clock) Open(path string) error {
	c.path, c.raised = path, make(chan struct{}, 1)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the last time that a server told: %w", err)
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("read the last time that a server told, in %s: not a time of RFC 3339", path)
	}
	c.kept = at
	c.NotBefore(at)
	return nil
}

// Run writes what servers tell to the file of Open, at most once an hour, until ctx
// ends, and what was told before that: an enrolment tells the time, and ends the run
// that it was asked in. What cannot be written it tells failed, and tries again with
// the next.
func (c *Clock) Run(ctx context.Context, failed func(error)) {
	for {
		select {
		case <-c.raised:
		case <-ctx.Done():
			select {
			case <-c.raised:
			default:
				return
			}
		}
		if err := c.keep(); err != nil {
			failed(err)
		}
	}
}

func (c *Clock) keep() error {
	_, mono := c.machine()
	c.mu.Lock()
	lowest := c.floor.lowest(mono).UTC().Truncate(time.Second)
	c.mu.Unlock()
	if lowest.Sub(c.kept) < keepEvery {
		return nil
	}
	if err := write(c.path, []byte(lowest.Format(time.RFC3339)+"\n")); err != nil {
		return fmt.Errorf("keep the time that a server told: %w", err)
	}
	c.kept = lowest
	return nil
}

// write leaves the old file or the new one, and its name on the disk.
func write(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := renameio.WriteFile(path, data, 0o600, renameio.WithTempDir(dir), renameio.WithStaticPermissions(0o600)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
