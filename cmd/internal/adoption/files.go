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

	maxFile = fleet.MaxState // bytes of any of these
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
	Changed       bool     `json:"changed,omitempty"` // by a bundle, since the enrolment
}

func openFiles(dir string, before func(string) error) (*files, error) {
	for _, d := range []string{dir, filepath.Join(dir, envelopesDir), filepath.Join(dir, secretsDir)} {
		if err := makeDir(d); err != nil {
			return nil, fmt.Errorf("make the fleet's directory: %w", err)
		}
	}
	return &files{dir, before}, nil
}

// makeDir makes a folder whose name is on the disk when it returns.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(dir))
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
		return fleet.State{}, aside(f, stateFile, fmt.Errorf("%w: what the fleet had set is dropped until it is offered anew", err))
	}
	return s, nil
}

// onDamage is what is done with a file that cannot be read, and why.
type onDamage func(f *files, name string, cause error) error

// aside renames it, for somebody to look at.
func aside(f *files, name string, cause error) error {
	return errors.Join(cause, os.Rename(f.path(name), f.path(name+damaged)))
}

// leave is for who only looks.
func leave(_ *files, _ string, cause error) error { return cause }

func (f *files) writeState(s fleet.State) error {
	s.SchemaVersion = fleet.SchemaVersion
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return f.write(append(data, '\n'), stateFile)
}

// readPins returns none where there are none, or they are damaged: then the enrolment's
// are pinned again.
func (f *files) readPins(damage onDamage) (p pins, err error) {
	data, err := readFile(f.path(pinsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return pins{}, damage(f, pinsFile, fmt.Errorf("read the fleet's keys in %s: %w", f.path(pinsFile), err))
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

// floor is the highest serial of a fleet that a board has looked at. It has the content
// too, so that a board which has lost its state knows that bundle from another one.
type floor struct {
	Serial  uint64
	Content string
}

// readFloor returns none where no bundle has been seen yet. What is damaged is put
// aside: what the state knows takes its place.
func (f *files) readFloor(root string, damage onDamage) (floor, error) {
	if root == "" {
		return floor{}, nil
	}
	data, err := readFile(f.path(floorPrefix + root))
	if errors.Is(err, fs.ErrNotExist) {
		return floor{}, nil
	}
	var at floor
	if err == nil {
		at, err = parseFloor(string(data))
	}
	if err != nil {
		return floor{}, damage(f, floorPrefix+root, fmt.Errorf("read the lowest serial that may come: %w", err))
	}
	return at, nil
}

func parseFloor(text string) (floor, error) {
	serial, content, _ := strings.Cut(strings.TrimSpace(text), " ")
	n, err := strconv.ParseUint(serial, 10, 64)
	return floor{n, content}, err
}

func (f *files) writeFloor(root string, at floor) error {
	return f.write(fmt.Appendf(nil, "%d %s\n", at.Serial, at.Content), floorPrefix+root)
}

// writeBundle keeps what a candidate brings, before a state names it.
func (f *files) writeBundle(c *candidate) error {
	if err := f.writeSecrets(c.bundle, c.bundle.Content()); err != nil {
		return err
	}
	return f.write(c.envelope, envelopesDir, c.hash)
}

// writeSecrets writes those that are not there as they are in the bundle.
func (f *files) writeSecrets(b fleet.Bundle, content string) error {
	if len(b.Secrets) == 0 {
		return nil
	}
	if err := makeDir(f.path(secretsDir, content)); err != nil {
		return fmt.Errorf("keep the bundle's secrets: %w", err)
	}
	for name, value := range b.Secrets {
		if is, err := readFile(f.path(secretsDir, content, name)); err == nil && string(is) == value {
			continue
		}
		if err := f.write([]byte(value), secretsDir, content, name); err != nil {
			return err
		}
	}
	return nil
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

// clean removes what a crash has left: files that were being written, which begin with
// a dot, and bundles that no state came to name. Nothing may be writing.
func (f *files) clean(s fleet.State) {
	f.sweep(s, nil)
	dirs, _ := os.ReadDir(f.path(secretsDir))
	f.cleanDir("")
	for _, d := range dirs {
		f.cleanDir(filepath.Join(secretsDir, d.Name()))
	}
}

func (f *files) cleanDir(dir string) {
	entries, _ := os.ReadDir(f.path(dir)) // likewise
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			_ = os.Remove(f.path(dir, e.Name()))
		}
	}
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
