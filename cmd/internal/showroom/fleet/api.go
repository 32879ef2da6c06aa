// Package fleet is the fleet's service at the endpoint: it keeps the bundles that
// managers have signed, offers them to the glasses in waves over OpAMP, stops a
// rollout that fails, and tells managers what runs where, and why. It holds no signing
// key: it can withhold a bundle and cannot make one.
package fleet

import (
	"encoding/json"
	"time"

	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
)

// SchemaVersion counts the incompatible changes of what is told here.
const SchemaVersion = 1

// Overview is the fleet at a glance.
type Overview struct {
	SchemaVersion     int       `json:"schema_version"`
	Fleet             string    `json:"fleet"`
	NextSerial        uint64    `json:"next_serial"`
	ConfigurationKeys []string  `json:"configuration_keys"` // that may sign
	Devices           Counts    `json:"devices"`
	Rollouts          []Rollout `json:"rollouts"` // the newest ten, the newest first
}

// Counts are of devices.
type Counts struct {
	Total   int `json:"total"`
	Online  int `json:"online"`
	Current int `json:"current"` // run what they are to run
	Waiting int `json:"waiting"` // have it, or will be offered it
	Drift   int `json:"drift"`   // run something else, and nothing is under way
	Failed  int `json:"failed"`  // refused it, or returned from it
}

// Devices is a list of them.
type Devices struct {
	SchemaVersion int      `json:"schema_version"`
	Found         int      `json:"found"` // that were asked for; the list may be limited
	Devices       []Device `json:"devices"`
}

// Device is one pair of glasses.
type Device struct {
	Device    string            `json:"device"` // its ID
	Name      string            `json:"name"`
	Label     string            `json:"label"`
	Labels    map[string]string `json:"labels"`
	Model     string            `json:"model"`
	Version   string            `json:"version"`
	Online    bool              `json:"online"`
	LastSeen  time.Time         `json:"last_seen,omitzero"`
	Battery   *int              `json:"battery"` // in percent; null where it does not tell
	Charging  bool              `json:"charging"`
	State     string            `json:"state"` // of the session, such as live
	Healthy   bool              `json:"healthy"`
	Problems  []string          `json:"problems"`
	Running   fleet.Running     `json:"running"`
	Wanted    uint64            `json:"wanted"` // serial; 0 for none
	Attempted *fleet.Attempt    `json:"attempted"`
	Drift     bool              `json:"drift"`  // it runs something else than is wanted
	Status    string            `json:"status"` // current, waiting, drift, failed or unmanaged
	Why       string            `json:"why"`    // in a few words; "" where it is current
}

// DeviceDetail is all that is known of one.
type DeviceDetail struct {
	SchemaVersion int `json:"schema_version"`
	Device
	Effective string          `json:"effective"` // YAML, without secrets
	Base      string          `json:"base"`      // without the bundle
	Health    json.RawMessage `json:"health"`
	Telemetry json.RawMessage `json:"telemetry,omitempty"`
}

// Push is a bundle, and how it is to be rolled out.
type Push struct {
	Envelope    json.RawMessage `json:"envelope"` // DSSE, exactly as it was signed
	Reason      string          `json:"reason"`
	Waves       []int           `json:"waves,omitempty"`        // cumulative percents; default 5, 25, 100
	MaxFailures string          `json:"max_failures,omitempty"` // as 5% or 3; default 5%
	SoakSeconds int             `json:"soak_s,omitempty"`       // from the first offer of a wave to the next
	DryRun      bool            `json:"dry_run,omitempty"`
}

// DryRun says what a push would do.
type DryRun struct {
	SchemaVersion int            `json:"schema_version"`
	Serial        uint64         `json:"serial"`
	Devices       []DeviceChange `json:"devices"`
}

// DeviceChange is what a bundle would change on one device, as far as it has told.
type DeviceChange struct {
	Device  string               `json:"device"`
	Name    string               `json:"name"`
	Wave    int                  `json:"wave"` // from 1
	Online  bool                 `json:"online"`
	Changes []configs.Difference `json:"changes"`
	Problem string               `json:"problem,omitempty"` // why it would be refused there
	Known   bool                 `json:"known"`             // it has told what it runs
}

// The states of a rollout.
const (
	StateRunning    = "running"
	StatePaused     = "paused"
	StateStopped    = "stopped" // too many failures
	StateDone       = "done"    // all that were there have it; others get it when they come
	StateSuperseded = "superseded"
)

// Rollout is how far a bundle has come.
type Rollout struct {
	SchemaVersion int            `json:"schema_version"`
	Serial        uint64         `json:"serial"`
	Content       string         `json:"content"`
	State         string         `json:"state"`
	Why           string         `json:"why"`
	Audience      fleet.Audience `json:"audience"`
	Waves         []Wave         `json:"waves"`
	Wave          int            `json:"wave"` // that is under way, from 1
	MaxFailures   string         `json:"max_failures"`
	SoakSeconds   int            `json:"soak_s"`
	Author        string         `json:"author"`
	Reason        string         `json:"reason"`
	Created       time.Time      `json:"created"`
}

// Wave counts its devices, each once.
type Wave struct {
	Percent   int `json:"percent"` // cumulative
	Devices   int `json:"devices"`
	Offered   int `json:"offered"` // are at it
	Confirmed int `json:"confirmed"`
	Failed    int `json:"failed"`
	Pending   int `json:"pending"` // online, and not offered yet
	Offline   int `json:"offline"`
}

// Bundles is the history.
type Bundles struct {
	SchemaVersion int       `json:"schema_version"`
	Bundles       []Rollout `json:"bundles"` // the newest first
}

// Bundle is one of it, whole.
type Bundle struct {
	Rollout
	Successor     string          `json:"successor,omitempty"`
	NotBefore     time.Time       `json:"not_before"`
	Expires       time.Time       `json:"expires"`
	Configuration string          `json:"configuration"` // YAML
	Secrets       []string        `json:"secrets"`       // names
	Envelope      json.RawMessage `json:"envelope"`
}

// Audit is a part of it.
type Audit struct {
	SchemaVersion int     `json:"schema_version"`
	Entries       []Entry `json:"entries"`
	Intact        bool    `json:"intact"` // the hashes follow each other, from the beginning
}

// Entry is one of the audit.
type Entry struct {
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	Who    string    `json:"who"`
	Action string    `json:"action"`
	Object string    `json:"object"`
	Reason string    `json:"reason"`
	Hash   string    `json:"hash"`
}

// Why is the reason for what somebody does.
type Why struct {
	Reason string `json:"reason"`
}

// SetLabels replaces a device's labels.
type SetLabels struct {
	Labels map[string]string `json:"labels"`
	Reason string            `json:"reason"`
}

// Problem is what is wrong with a bundle's configuration.
type Problem struct {
	Line    int    `json:"line,omitempty"`
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}
