// Package setup makes of a bare board one that works: it finds the hardware, writes a
// configuration with a reason for each line, takes a picture to look at, tries light
// and buttons, enrols, has the service started, and lets the doctor look at it all.
// It asks where it may, and changes nothing that is as it should be: a second run
// says so. It does nothing itself that another command does.
package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/configs"
)

// SchemaVersion counts the incompatible changes of Report.
const SchemaVersion = 1

// The steps, in their order.
const (
	StepHardware      = "hardware"
	StepConfiguration = "configuration"
	StepSnapshot      = "snapshot"
	StepTest          = "test" // of light and buttons
	StepEnrolment     = "enrolment"
	StepService       = "service"
	StepDoctor        = "doctor"
)

// Status is what became of a step.
type Status string

// The results of a step.
const (
	OK      Status = "ok"      // as it should be, and nothing was changed
	Changed Status = "changed" // as it should be now
	Skipped Status = "skipped" // not wanted, or not possible here
	Warn    Status = "warn"    // it works, but deserves a look
	Failed  Status = "failed"
)

// Step is what became of one step.
type Step struct {
	ID      string `json:"id"`
	Status  Status `json:"status"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Lines are those of the configuration.
	Lines []Line `json:"lines,omitempty"`
	// Checks are those of the doctor.
	Checks []Check `json:"checks,omitempty"`

	err error // of a step that failed
}

// Check is one of the doctor's.
type Check struct {
	ID      string `json:"id"`
	Status  string `json:"status"` // ok, warn, fail or skipped
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Report is what became of all of them.
type Report struct {
	SchemaVersion int    `json:"schema_version"`
	Result        Status `json:"result"`  // ok, warn or failed
	Changed       bool   `json:"changed"` // false: everything was as it should be
	Config        string `json:"config"`  // the file
	Steps         []Step `json:"steps"`
	Text          string `json:"-"` // of the file that is proposed
}

// Choices are what a technician may decide; "" leaves it to what is found.
type Choices struct {
	Profile    string // of the board
	Camera     string // as --camera of bril run
	Microphone string
	Output     string // where the customer is heard: in-ear or open
	Language   string // of the cues: none, nl, de or en
}

// Config says what is set up, and by what.
type Config struct {
	Version string
	Path    string // of the configuration file
	Choices Choices
	Server  string // to enrol at; "" for none
	Print   bool   // proposes only: nothing is changed, captured or asked
	Picture string // file for the snapshot; "" for none
	NoInput bool   // nobody is there to press a button
	Service bool   // is to be started

	// Ask asks a technician; nil takes what is proposed.
	Ask *Asker
	// Tell is called with each step once it is over.
	Tell func(Step)

	Board   Board
	Enrol   Enroller
	Doctor  Doctor  // nil where there is none
	Manager Manager // of services
}

// Board is the hardware.
type Board interface {
	List(configs.Config) (agent.Devices, error)
	// Snapshot returns a JPEG.
	Snapshot(context.Context, configs.Config) ([]byte, error)
}

// Enroller is where the board gets its certificate from.
type Enroller interface {
	// Enrolled tells as whom and where the board is enrolled; "" when it is not.
	Enrolled(context.Context) (name, server string, err error)
	Enrol(ctx context.Context, server string) (name string, err error)
}

// Doctor runs checks; all of them when only is empty.
type Doctor interface {
	Check(ctx context.Context, only []string, input bool) ([]Check, error)
}

// Manager is what starts services.
type Manager interface {
	// Busy tells what the daemon does that setup would cut; "" for nothing, and where
	// there is none.
	Busy(context.Context) (string, error)
	// Running tells whether a daemon runs that holds the devices.
	Running(context.Context) bool
	// Stop ends the service, so that it lets go of the devices, until back is called;
	// back is nil where it is none of the service's daemons.
	Stop(context.Context) (back func(context.Context) error, err error)
	// Start has the service started now and at each boot, or once more where the
	// configuration is new.
	Start(ctx context.Context, again bool) (Step, error)
}

// setup is a run.
type setup struct {
	Config
	devices agent.Devices
	cfg     configs.Config // that is in effect at the end
	report  Report
	fresh   bool // the configuration is not the one of before

	enrolled bool
}

// Run goes through the steps. Its error is that of the step that ended it, or of the
// doctor's result; the report is complete up to there.
func Run(ctx context.Context, cfg Config) (Report, error) {
	s := &setup{Config: cfg, report: Report{SchemaVersion: SchemaVersion, Config: cfg.Path, Steps: []Step{}}}
	if cfg.Print {
		s.Ask = nil
	}
	err := s.run(ctx)
	s.report.Result = result(s.report.Steps)
	if err != nil {
		s.report.Result = Failed
	}
	return s.report, err
}

func (s *setup) run(ctx context.Context) error {
	if !s.Print {
		if err := s.free(ctx); err != nil {
			return err
		}
	}
	for _, step := range []struct {
		id string
		do func(context.Context) (Step, error)
	}{
		{StepHardware, s.hardware}, {StepConfiguration, s.configuration}, {StepSnapshot, s.snapshot}, {StepTest, s.test},
		{StepEnrolment, s.enrolment}, {StepService, s.service}, {StepDoctor, s.examine},
	} {
		done, err := step.do(ctx)
		if done.ID = step.id; err != nil {
			done.Status, done.Message, done.err = Failed, err.Error(), err
			if h := (interface{ Hint() string })(nil); errors.As(err, &h) {
				done.Hint = h.Hint()
			}
		}
		s.report.Steps = append(s.report.Steps, done)
		s.report.Changed = s.report.Changed || done.Status == Changed
		s.Tell(done)
		if err != nil {
			return err
		}
		if s.Print && step.id == StepConfiguration {
			return nil
		}
	}
	return nil
}

// free says why the daemon must not be ended now. It is asked at the beginning, and
// before each end of the daemon: answers take their time, and a call may have come.
func (s *setup) free(ctx context.Context) error {
	doing, err := s.Manager.Busy(ctx)
	if err != nil || doing == "" {
		return err
	}
	return hinted{fmt.Errorf("set up: the daemon is %s, which setup would cut", doing), "bril live off"}
}

// result is the worst of the steps.
func result(steps []Step) Status {
	for _, worst := range []Status{Failed, Warn} {
		if slices.ContainsFunc(steps, func(s Step) bool { return s.Status == worst }) {
			return worst
		}
	}
	return OK
}

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint is the next command, or what to do.
func (h hinted) Hint() string { return h.hint }
