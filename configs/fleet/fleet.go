// Package fleet is the configuration that a fleet's manager signs for many glasses:
// its envelope, whom it is for, what it may not change, and the steps by which a board
// takes it up, tries it, and keeps it or returns. It opens no file, no connection and
// no device, and reads no clock: all of it is pure.
package fleet

import (
	"strings"
	"time"
)

// PayloadType is what a DSSE envelope of a Bundle says that it holds.
const PayloadType = "application/vnd.bril.configuration+json"

// MaxEnvelope is the longest envelope that is looked at, in bytes.
const MaxEnvelope = 128 << 10

// MaxSerial is the highest serial: what JSON's readers and SQLite hold exactly.
const MaxSerial = 1<<53 - 1

// SchemaVersion counts the incompatible changes of Bundle, State and Report.
const SchemaVersion = 1

// Audience says whose a bundle is: all of the fleet, or of these those that have all
// labels, and are one of the devices where any are named.
type Audience struct {
	Fleet   string            `json:"fleet"`
	Labels  map[string]string `json:"labels,omitempty"`
	Devices []string          `json:"devices,omitempty"` // IDs
}

// Member is who a board is in its fleet, by its enrolment.
type Member struct {
	Fleet  string
	Device string // its ID
	Labels map[string]string
}

// Bundle is what an envelope holds: the whole of what the fleet sets on a board. What
// it does not set is as the board's own file, its enrolment and the defaults have it.
type Bundle struct {
	SchemaVersion int       `json:"schema_version"`
	Audience      Audience  `json:"audience"`
	Serial        uint64    `json:"serial"` // rises with each bundle of a fleet
	NotBefore     time.Time `json:"not_before"`
	Expires       time.Time `json:"expires"` // until when it may arrive; what runs has no end
	// Successor is the key, ed25519:BASE64, that signs from the next bundle on; "" for
	// the same.
	Successor string `json:"successor,omitempty"`
	// Retry lifts the quarantine of content that failed before.
	Retry bool `json:"retry,omitempty"`
	// Secrets are what files hold that the configuration names as secrets/NAME.
	Secrets map[string]string `json:"secrets,omitempty"`
	// Configuration is YAML as in a configuration file, with the keys that are set.
	Configuration string `json:"configuration"`
}

// Phase is how far a bundle has come on a board.
type Phase string

// The phases, in their order; the last three are ends.
const (
	Received  Phase = "received"  // the signature is not looked at yet
	Verified  Phase = "verified"  // signed, for this board, in time, newer than the floor
	Schema    Phase = "schema"    // the keys and values are being checked
	DryRun    Phase = "dry-run"   // against the hardware
	Staged    Phase = "staged"    // waits for a safe time
	Probation Phase = "probation" // runs, and has to show that it works
	Confirmed Phase = "confirmed"
	Refused   Phase = "refused"  // before it ran
	Returned  Phase = "returned" // after it ran: the last known good runs again
	// Superseded is in the history alone: a newer one came while it waited.
	Superseded Phase = "superseded"
)

// Attempt is what became of the newest bundle that a board was offered.
type Attempt struct {
	Serial  uint64    `json:"serial"`
	Content string    `json:"content"` // hex, as Bundle.Content; "" when it could not be read
	Phase   Phase     `json:"phase"`
	During  Phase     `json:"during,omitempty"`  // of Refused and Returned: where it failed
	Element string    `json:"element,omitempty"` // what failed: a key, or camera, encoder, whip, light, control-plane, start, signature, …
	Error   string    `json:"error,omitempty"`
	Hint    string    `json:"hint,omitempty"`
	Waits   string    `json:"waits,omitempty"` // of Staged: for what, such as "live"
	Log     []string  `json:"log,omitempty"`   // the last lines before it failed
	At      time.Time `json:"at"`              // of the newest phase
}

// Cause is what failed and its error, which of a key names it already.
func (a Attempt) Cause() string {
	if strings.Contains(a.Error, a.Element+": ") {
		return a.Error
	}
	return a.Element + ": " + a.Error
}

// Running is the configuration in effect.
type Running struct {
	Serial  uint64    `json:"serial"` // 0 for none of the fleet's
	Content string    `json:"content,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

// Report is what a board tells its fleet, whenever something of it changes.
type Report struct {
	SchemaVersion int    `json:"schema_version"`
	Floor         uint64 `json:"floor"`
	// Labels are those that the board knows of itself; nil where it does not tell.
	Labels    map[string]string `json:"labels"`
	Running   Running           `json:"running"`
	Attempted *Attempt          `json:"attempted,omitempty"` // nil before the first
	State     string            `json:"state"`               // of the session: ready, live, …
	Version   string            `json:"version"`
	Battery   *int              `json:"battery,omitempty"` // in percent
	Charging  bool              `json:"charging,omitempty"`
	Problems  []string          `json:"problems,omitempty"` // component: message
	// Telemetry is one of the telemetry's snapshots, as JSON; nil while it is off.
	Telemetry []byte `json:"telemetry,omitempty"`
}
