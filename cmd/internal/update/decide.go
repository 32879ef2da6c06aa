package update

import (
	"slices"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// Action is what is to be done.
type Action string

// The actions.
const (
	Nothing Action = "nothing" // what is installed is the newest
	Wait    Action = "wait"    // there is a newer one, and now is no good moment
	Install Action = "install" // it can be installed
	Skip    Action = "skip"    // the newer one was gone back from
	Resume  Action = "resume"  // an update was cut short
)

// Seen is what a decision is made of.
type Seen struct {
	Installed, Candidate string
	Newer                bool            // the candidate is, as dpkg compares
	Daemon               *control.Status // nil where none answers
	Running              bool            // the service is meant to run
}

// Decide says what is to be done, and why not more.
func Decide(s State, now Seen) (Action, string) {
	why := unsafe(now)
	switch {
	case s.Installing != "" && why != "" && now.Daemon != nil: // one that does not answer may be why
		return Wait, why
	case s.Installing != "":
		return Resume, ""
	case now.Candidate == "" || !now.Newer:
		return Nothing, ""
	case slices.Contains(s.Bad, now.Candidate):
		return Skip, "it did not work here before"
	case why != "":
		return Wait, why
	}
	return Install, ""
}

// unsafe says why now is no moment for an update; "" where it is one.
func unsafe(now Seen) string {
	s := now.Daemon
	switch {
	case s == nil && now.Running:
		return "the daemon does not answer"
	case s == nil:
		return ""
	case s.Busy() != "":
		return "the daemon is " + s.Busy()
	case s.Battery != nil && !s.Battery.Charging && s.Battery.State != "fine":
		return "the battery is low"
	}
	return ""
}
