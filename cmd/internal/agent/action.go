package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/uplink/spool"
)

// action returns what a gesture on a button does.
func action(all configs.Buttons, button string, gesture hardware.Gesture) string {
	var of configs.Gestures
	switch button {
	case "button1":
		of = all.Button1
	case "button2":
		of = all.Button2
	}
	does := map[hardware.Gesture]string{hardware.Short: of.Short, hardware.Double: of.Double, hardware.Long: of.Long}[gesture]
	if does == "" {
		return configs.ActionNone
	}
	return does
}

// do does what a button asks for. Its error is why that is refused.
func (a *Agent) do(ctx context.Context, does string) error {
	phase := session.Phase(a.Session.Status().State)
	var wanted control.Action
	switch does {
	case configs.ActionPhoto, configs.ActionPhotoShow:
		_, err := a.Photo(ctx, does == configs.ActionPhotoShow)
		return err
	case configs.ActionClip:
		if err := a.refusedByProvisioning(); err != nil {
			return err
		}
		return a.recorder.ToggleClip(ctx)
	case configs.ActionMute:
		_, err := a.Mute(a.talk != nil && !a.talk.Muted())
		return err
	case configs.ActionLive:
		wanted = toggleLive(phase)
	case configs.ActionPause:
		if wanted = togglePause(phase, a.Paused()); wanted == "" {
			return fmt.Errorf("there is no conversation to pause")
		}
	default:
		return fmt.Errorf("action %q is unknown", does) // cannot be: the configuration was validated
	}
	_, err := a.Live(ctx, wanted)
	return err
}

// toggleLive ends whatever has begun, a pause too: there is another button to
// go on.
func toggleLive(phase session.Phase) control.Action {
	switch phase {
	case session.Off, session.Ready, session.Stopping:
		return control.On
	}
	return control.Off
}

// togglePause returns "" where there is nothing to pause.
func togglePause(phase session.Phase, paused bool) control.Action {
	switch {
	case phase == session.Off, phase == session.Ready, phase == session.Stopping:
		return ""
	case paused:
		return control.On
	}
	return control.Pause
}

// refuse lets the advisor hear that a press did nothing.
func (a *Agent) refuse(does string, err error) {
	a.opts.Log.Warn("refused", "action", does, "error", err)
	var full *spool.FullError
	if errors.As(err, &full) {
		a.Cue(session.CueFull)
		return
	}
	a.Cue(session.CueRefused)
}
