package spool

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/bril-edge/bril/uplink/spool/internal/disk"
)

// sidecar is item.json: all that is known of an item without the key. The
// folder's name is what counts for the state; a refused item keeps the state
// that it goes back to.
type sidecar struct {
	SchemaVersion int       `json:"schema_version"`
	ID            string    `json:"id"`
	State         State     `json:"state"`
	Bytes         int64     `json:"bytes"`
	SHA256        string    `json:"sha256"`
	DeleteAfter   time.Time `json:"delete_after,omitzero"` // missing until a clock was confirmed
}

// maxSidecar bounds what is read of one.
const maxSidecar = 4096

func (c sidecar) write(fsys disk.FS, dir string) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return disk.Replace(fsys, filepath.Join(dir, sideName), append(data, '\n'))
}

// errBroken is what a folder is that can never become an item, unlike one on a
// disk that fails now.
var errBroken = errors.New("broken item")

func readSidecar(fsys disk.FS, dir, id string) (sidecar, error) {
	f, err := fsys.Open(filepath.Join(dir, sideName))
	if err != nil {
		return sidecar{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSidecar+1))
	if err != nil {
		return sidecar{}, err
	}
	c, err := parseSidecar(data)
	if err == nil && c.ID != id {
		err = errors.New("it is another item's")
	}
	if err != nil {
		return sidecar{}, fmt.Errorf("%w: %s: %w", errBroken, sideName, err)
	}
	return c, nil
}

func parseSidecar(data []byte) (sidecar, error) {
	var c sidecar
	if len(data) > maxSidecar {
		return c, fmt.Errorf("more than %d bytes", maxSidecar)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, err
	}
	sum, err := hex.DecodeString(c.SHA256)
	written := c.State == Ready || c.State == Interrupted
	switch {
	case c.SchemaVersion != SchemaVersion:
		return c, fmt.Errorf("version %d", c.SchemaVersion)
	case !ValidID(c.ID):
		return c, errors.New("no valid id")
	case !written && c.State != Writing && c.State != New:
		return c, fmt.Errorf("unknown state %.32q", c.State)
	case c.Bytes < 0, err != nil, written && len(sum) != 32:
		return c, errors.New("no valid size and checksum")
	}
	return c, nil
}
