package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"
)

// Dir is where the package's timer keeps what updates have to remember.
const Dir = "/var/lib/bril-update"

// SchemaVersion counts the incompatible changes of State.
const SchemaVersion = 1

// State is what outlives an update, and a power cut within it. Everybody may read it.
type State struct {
	SchemaVersion int       `json:"schema_version"`
	Installed     string    `json:"installed"`            // at the last look
	Previous      string    `json:"previous,omitempty"`   // the version before, whose package is kept
	Waiting       string    `json:"waiting,omitempty"`    // a newer one, not installed yet
	Why           string    `json:"why,omitempty"`        // what it waits for
	Installing    string    `json:"installing,omitempty"` // while it is under way: not known yet to work
	Bad           []string  `json:"bad,omitempty"`        // were gone back from, and are not tried again
	Problem       string    `json:"problem,omitempty"`    // of the last try
	Checked       time.Time `json:"checked_at,omitzero"`
}

// Load reads the state in dir: the zero State where there is none.
func Load(dir string) (s State, err error) {
	data, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil && s.SchemaVersion != SchemaVersion {
		err = fmt.Errorf("schema_version %d is not %d", s.SchemaVersion, SchemaVersion)
	}
	if err != nil {
		return State{}, fmt.Errorf("read the state of updates: %w", err)
	}
	return s, nil
}

func save(dir string, s State) error {
	s.SchemaVersion = SchemaVersion
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("keep the state of updates: %w", err)
	}
	path := filepath.Join(dir, "state.json")
	if err := renameio.WriteFile(path, append(data, '\n'), 0o644, renameio.WithTempDir(dir), renameio.WithStaticPermissions(0o644)); err != nil {
		return fmt.Errorf("keep the state of updates: %w", err)
	}
	return sync(dir)
}

// worse notes that a version was gone back from.
func (s *State) worse(version string) {
	if !slices.Contains(s.Bad, version) {
		s.Bad = append(s.Bad, version)
	}
}
