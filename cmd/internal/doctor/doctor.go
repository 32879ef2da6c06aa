// Package doctor finds out what does not work, and says it in one line with what to
// do. It holds the order of the checks, what depends on what, and the judgement over
// what was measured: limits, words and hints, all of it pure. What is measured, by
// which device or endpoint, is its caller's business.
package doctor

import (
	"errors"
	"slices"
)

// SchemaVersion counts the incompatible changes of Report.
const SchemaVersion = 1

// ID names a check.
type ID string

// The checks, in the order in which they are told: what others stand on comes first.
const (
	Kernel        ID = "kernel"
	Permissions   ID = "permissions"
	Camera        ID = "camera"
	Encoder       ID = "encoder"
	Microphone    ID = "microphone"
	Output        ID = "output"
	Buttons       ID = "buttons"
	Light         ID = "light"
	Battery       ID = "battery"
	Temperature   ID = "temperature"
	Disk          ID = "disk"
	Clock         ID = "clock"
	DNS           ID = "dns"
	TCP           ID = "tcp"
	TLS           ID = "tls"
	UDP           ID = "udp"
	TURN          ID = "turn"
	Uplink        ID = "uplink"
	WHIP          ID = "whip"
	Enrolment     ID = "enrolment"
	Configuration ID = "configuration"
	Spool         ID = "spool"
)

// IDs returns all of them, in order.
func IDs() []ID {
	return []ID{Kernel, Permissions, Camera, Encoder, Microphone, Output, Buttons, Light, Battery, Temperature, Disk,
		Clock, DNS, TCP, TLS, UDP, TURN, Uplink, WHIP, Enrolment, Configuration, Spool}
}

// Known says whether there is a check of this name.
func Known(id ID) bool { return slices.Contains(IDs(), id) }

// Status is what came of a check.
type Status string

// The statuses, the best first.
const (
	OK      Status = "ok"
	Skipped Status = "skipped" // not looked at; the message says why
	Warn    Status = "warn"    // it works, and deserves a look
	Fail    Status = "fail"
)

// Verdict is what is made of a measurement.
type Verdict struct {
	Status   Status   `json:"status"`
	Message  string   `json:"message"`
	Measured *float64 `json:"measured"` // null where nothing has a figure
	Unit     string   `json:"unit"`
	Hint     string   `json:"hint"` // what to do; "" where there is nothing to do
	// On is the check that failed, and without which this one tells nothing.
	On ID `json:"on,omitempty"`
	// Code is the exit code of a command that ends with this failure; 0 is 1.
	Code int `json:"code,omitempty"`
}

// Result is the verdict of one check.
type Result struct {
	ID ID `json:"id"`
	Verdict
}

// Report is all of it, as JSON.
type Report struct {
	SchemaVersion int      `json:"schema_version"`
	Result        Status   `json:"result"` // the worst: ok, warn or fail
	Checks        []Result `json:"checks"`
}

// ErrFailed is a report with a failure in it.
var ErrFailed = errors.New("something does not work")

// The exit codes that say more than that something failed, as the commands have them.
const (
	codeFailed        = 1
	codeConfiguration = 4
	codeDevice        = 5
	codePermission    = 6
)

// NewReport makes one of results.
func NewReport(results []Result) Report {
	r := Report{SchemaVersion: SchemaVersion, Result: OK, Checks: append([]Result{}, results...)}
	for _, c := range results {
		if c.Status == Fail || c.Status == Warn && r.Result == OK {
			r.Result = c.Status
		}
	}
	return r
}

// Code is the exit code: that of the first failure, 0 without one.
func (r Report) Code() int {
	i := slices.IndexFunc(r.Checks, func(c Result) bool { return c.Status == Fail })
	switch {
	case i < 0:
		return 0
	case r.Checks[i].Code == 0:
		return codeFailed
	}
	return r.Checks[i].Code
}

func good(message string) Verdict { return Verdict{Status: OK, Message: message} }

func bad(message, hint string) Verdict { return Verdict{Status: Fail, Message: message, Hint: hint} }

func look(message, hint string) Verdict { return Verdict{Status: Warn, Message: message, Hint: hint} }

// Skip is the verdict where there is nothing to look at.
func Skip(why string) Verdict { return Verdict{Status: Skipped, Message: why} }

// SkipOn is the verdict of a check that stands on one that failed.
func SkipOn(on ID) Verdict {
	return Verdict{Status: Skipped, Message: "needs " + string(on) + ", which failed", On: on}
}

func (v Verdict) with(measured float64, unit string) Verdict {
	v.Measured, v.Unit = &measured, unit
	return v
}

func (v Verdict) code(code int) Verdict {
	v.Code = code
	return v
}
