package enrol

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// recordFile holds all of an enrolment but its key.
const recordFile = "enrolment.json"

// record is what recordFile holds.
type record struct {
	SchemaVersion int             `json:"schema_version"`
	Key           string          `json:"key"`         // its name in the KeyStore
	Certificate   string          `json:"certificate"` // PEM, the device's first
	Document      json.RawMessage `json:"document"`    // as the endpoint wrote it
}

// readRecord returns ErrNotEnrolled where there is none.
func readRecord(dir string) (record, error) {
	var r record
	path := filepath.Join(dir, recordFile)
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return r, ErrNotEnrolled
	}
	if err != nil {
		return r, fmt.Errorf("read the enrolment: %w", err)
	}
	defer f.Close()
	data, err := readBounded(f)
	if err != nil {
		return r, fmt.Errorf("read the enrolment: %w", err)
	}
	if json.Unmarshal(data, &r) != nil || r.SchemaVersion != schemaVersion || r.Key == "" || r.Key != filepath.Base(r.Key) {
		return record{}, hinted{fmt.Errorf("read %s: %w", path, ErrDamaged), againHint}
	}
	return r, nil
}

// commit makes r what counts, and destroys the keys that it does not name.
func commit(cfg Config, f *folder, r record) error {
	r.SchemaVersion = schemaVersion
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the enrolment: %w", err)
	}
	if err := f.write(recordFile, append(data, '\n')); err != nil {
		return fmt.Errorf("write the enrolment: %w", err)
	}
	if err := cfg.keys(f).KeepOnly(r.Key); err != nil { // the next change does it
		cfg.log().Warn("a key that is not needed stays on the disk", "error", err)
	}
	return nil
}
