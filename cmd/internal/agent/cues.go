package agent

import (
	"context"
	"log/slog"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/cue"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware/speaker"
)

// newCues makes what plays the cues; nil where none are wanted.
func newCues(cfg configs.Config, ear *speaker.Mixer, log *slog.Logger) *cue.Player {
	c := cfg.Cues
	if c.Device == string(configs.None) {
		return nil
	}
	player := cue.Config{Device: c.Device, Language: cue.Language(c.Language), Volume: c.VolumeDB, Log: log}
	if cfg.Talkback.Enabled && cfg.TalkbackDevice() == c.Device {
		player.Open = func(fill func([]int16)) (cue.Output, error) {
			s, err := ear.Above(fill)
			if err != nil {
				return nil, err // not s: a nil *Source is not a nil interface
			}
			return s, nil
		}
	}
	return cue.NewPlayer(player)
}

// cue lets the advisor hear c.
func (a *Agent) cue(c session.Cue) {
	a.opts.Log.Debug("cue " + string(c))
	if a.cues != nil {
		a.cues.Cue(c)
	}
}

// playCues plays cues until the function that it returns is called, which waits
// for the last ones.
func (a *Agent) playCues(ctx context.Context) (end func()) {
	if a.cues == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.background.Go(func() { _ = a.cues.Run(ctx) }) // it ends with ctx, and with nothing else
	return cancel
}

// warnings are the session's, and that the advisor hears nothing.
func (a *Agent) warnings(s control.Status) []string {
	if a.cues != nil {
		if w := a.cues.Warning(); w != "" {
			return append(s.Warnings, w)
		}
	}
	return s.Warnings
}

// Status returns what the agent is doing, at once.
func (a *Agent) Status() control.Status {
	s := a.Session.Status()
	s.Warnings = a.warnings(s)
	a.board.show(&s)
	a.showPower(&s)
	a.showSpool(&s)
	a.recorder.Show(&s)
	a.showTalkback(&s)
	a.showUpdate(&s)
	a.showCall(&s)
	a.showEnrolment(&s)
	a.showFleet(&s)
	return s
}
