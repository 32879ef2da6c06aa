package adoption

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/uplink/durable"
)

const (
	stateFile    = "state.json"
	pinsFile     = "pins.json"
	floorPrefix  = "floor-"
	envelopesDir = "envelopes"
	secretsDir   = "secrets"
	damaged      = ".damaged" // ends the name of what was put aside

	maxFile = 1 << 20 // bytes of any of these
)

// files are the folder. Each write is on the disk when it returns, and leaves the old
// file or the new one.
type files struct {
	dir    string
	before func(op string) error // of tests; nil otherwise
}

// pins is whose device this is. Root names the first key, by which the floor is kept.
type pins struct {
	SchemaVersion int      `json:"schema_version"`
	Device        string   `json:"device"`
	Root          string   `json:"root,omitempty"`
	Keys          []string `json:"keys,omitempty"`
}

func openFiles(dir string, before func(string) error) (*files, error) {
	for _, d := range []string{dir, filepath.Join(dir, envelopesDir), filepath.Join(dir, secretsDir)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make the fleet's directory: %w", err)
		}
	}
	return &files{dir, before}, nil
}

func (f *files) path(parts ...string) string {
	return filepath.Join(append([]string{f.dir}, parts...)...)
}

func (f *files) write(data []byte, parts ...string) error {
	name := filepath.Join(parts...)
	if f.before != nil {
		if err := f.before(name); err != nil {
			return err
		}
	}
	if err := durable.WriteFile(f.path(name), data); err != nil {
		return fmt.Errorf("keep the fleet's configuration: %w", err)
	}
	return nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxFile))
}

// readState returns the empty state where there is none, and puts aside one that
// cannot be read.
func (f *files) readState() (fleet.State, error) {
	data, err := readFile(f.path(stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fleet.State{}, nil
	}
	var s fleet.State
	if err == nil {
		s, err = fleet.ReadState(data)
	}
	if err != nil {
		aside := os.Rename(f.path(stateFile), f.path(stateFile+damaged))
		return fleet.State{}, errors.Join(fmt.Errorf("%w: what the fleet had set is dropped until it is offered anew", err), aside)
	}
	return s, nil
}

func (f *files) writeState(s fleet.State) error {
	s.SchemaVersion = fleet.SchemaVersion
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return f.write(append(data, '\n'), stateFile)
}

func (f *files) readPins() (p pins, err error) {
	data, err := readFile(f.path(pinsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("read the fleet's keys: %w", err)
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return pins{}, fmt.Errorf("read the fleet's keys in %s: %w", f.path(pinsFile), err)
	}
	return p, nil
}

func (f *files) writePins(p pins) error {
	p.SchemaVersion = fleet.SchemaVersion
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return f.write(append(data, '\n'), pinsFile)
}

// readFloor returns 0 where no bundle has been seen yet.
func (f *files) readFloor(root string) (uint64, error) {
	if root == "" {
		return 0, nil
	}
	data, err := readFile(f.path(floorPrefix + root))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the lowest serial that may come: %w", err)
	}
	floor, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the lowest serial that may come: %s is damaged", f.path(floorPrefix+root))
	}
	return floor, nil
}

func (f *files) writeFloor(root string, floor uint64) error {
	return f.write([]byte(strconv.FormatUint(floor, 10)+"\n"), floorPrefix+root)
}

// writeBundle keeps what a candidate brings, before a state names it.
func (f *files) writeBundle(c *candidate) error {
	content := c.bundle.Content()
	if len(c.bundle.Secrets) > 0 {
		if err := os.MkdirAll(f.path(secretsDir, content), 0o700); err != nil {
			return fmt.Errorf("keep the bundle's secrets: %w", err)
		}
	}
	for name, value := range c.bundle.Secrets {
		if err := f.write([]byte(value), secretsDir, content, name); err != nil {
			return err
		}
	}
	if err := durable.SyncDir(f.path(secretsDir)); err != nil {
		return fmt.Errorf("keep the bundle's secrets: %w", err)
	}
	return f.write(c.envelope, envelopesDir, c.hash)
}

// readBundle returns one that the state names, by the key that had signed it.
func (f *files) readBundle(k fleet.Kept) (fleet.Bundle, error) {
	data, err := readFile(f.path(envelopesDir, k.Envelope))
	if err != nil {
		return fleet.Bundle{}, fmt.Errorf("read bundle %d: %w", k.Serial, err)
	}
	key, err := fleet.ParseKey(k.Key)
	if err != nil || hashOf(data) != k.Envelope {
		return fleet.Bundle{}, fmt.Errorf("read bundle %d: it is damaged", k.Serial)
	}
	b, err := fleet.Open(data, []ed25519.PublicKey{key})
	if err != nil {
		return b, fmt.Errorf("read bundle %d: %w", k.Serial, err)
	}
	for name := range b.Secrets {
		if _, err := os.Lstat(f.path(secretsDir, k.Content, name)); err != nil {
			return b, fmt.Errorf("read the secrets of bundle %d: %w", k.Serial, err)
		}
	}
	return b, nil
}

func (f *files) secretsDir(content string) string { return f.path(secretsDir, content) }

// sweep removes what nothing names, and what is being tried does not need. What cannot
// be removed now, goes another time.
func (f *files) sweep(s fleet.State, tried *candidate) {
	named := map[string]bool{}
	if tried != nil {
		named[tried.hash], named[tried.bundle.Content()] = true, true
	}
	for _, k := range []*fleet.Kept{s.Good, s.Trial, s.Staged} {
		if k != nil {
			named[k.Envelope], named[k.Content] = true, true
		}
	}
	for _, dir := range []string{envelopesDir, secretsDir} {
		entries, _ := os.ReadDir(f.path(dir)) // without it there is nothing to remove
		for _, e := range entries {
			if !named[e.Name()] {
				_ = os.RemoveAll(f.path(dir, e.Name()))
			}
		}
	}
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
