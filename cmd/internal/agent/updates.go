package agent

import (
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/update"
)

// showUpdate adds what the timer of the package has found. A board without the package
// has none.
func (a *Agent) showUpdate(s *control.Status) {
	state, err := update.Load(update.Dir)
	if err != nil {
		s.Warnings = append(s.Warnings, err.Error())
		return
	}
	if state.Installed == "" {
		return
	}
	s.Update = &control.Update{
		Installed: state.Installed, Previous: state.Previous, Waiting: state.Waiting, Why: state.Why,
		Problem: state.Problem, Checked: state.Checked,
	}
	if state.Problem != "" {
		s.Warnings = append(s.Warnings, "update: "+state.Problem)
	}
}
