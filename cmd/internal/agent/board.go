package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	periph "periph.io/x/conn/v3/gpio"

	"github.com/bril-edge/bril/cmd/internal/call"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/lit"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/hardware/gpio"
)

// board is what the agent has of its board: lights and buttons.
type board struct {
	name    string          // of its profile
	light   *hardware.Light // the capture light
	signals *signals
	buttons []button
	zones   []string // types of the thermal zones that count; none for all
	cooled  bool     // by a fan, as a PC is
}

// button is what the agent needs of a gpio.Button.
type button interface {
	Run(ctx context.Context, press func(hardware.Press))
	Status() gpio.ButtonStatus
}

// useBoard finds out which board this is, and puts its devices under its light.
func (a *Agent) useBoard() error {
	a.board = a.opts.board
	if a.board == nil {
		profile, compatible, err := findBoard(a.cfg)
		if err != nil {
			return err
		}
		a.board = newBoard(profile, a.cfg.Board.Buttons, a.opts.Log)
		a.board.cooled = len(compatible) == 0
	}
	system := a.opts.system
	if system == nil {
		system = lit.Machine()
	}
	a.devices = lit.New(a.board.light, system)
	return nil
}

// findBoard returns this machine's profile, and what its device tree says.
func findBoard(cfg configs.Config) (p configs.Profile, compatible []string, err error) {
	if compatible, err = configs.DeviceTree(); err != nil {
		return p, nil, hinted{fmt.Errorf("find out which board this is: %w", err),
			"a container or sandbox hides /proc or /sys/firmware: show them, as a board's light depends on them"}
	}
	p, err = cfg.BoardProfile(compatible)
	return p, compatible, err
}

// newBoard opens nothing yet.
func newBoard(p configs.Profile, actions configs.Buttons, log *slog.Logger) *board {
	b := &board{name: p.Name, light: newLight("capture light", p.Light), zones: p.ThermalZones}
	lamp := b.light
	if p.Status != (configs.Lamp{}) {
		lamp = newLight("status light", p.Status)
	}
	b.signals = newSignals(lamp, log)
	for _, of := range p.Buttons {
		cfg := gpio.ButtonConfig{
			Name: of.Name, Line: of.Line, ActiveLow: of.ActiveLow, Pull: pull(of.Pull), Key: of.Key,
			Double: action(actions, of.Name, hardware.Double) != configs.ActionNone,
		}
		b.buttons = append(b.buttons, gpio.NewButton(cfg, log))
	}
	return b
}

// newLight makes none only of a profile that has none.
func newLight(name string, l configs.Lamp) *hardware.Light {
	if l == (configs.Lamp{}) {
		return hardware.NoLight()
	}
	cfg := gpio.LampConfig{Line: l.Line, ActiveLow: l.ActiveLow, LED: l.LED, Consumer: "bril light"}
	return hardware.NewLight(name, cfg.String(), func() (hardware.Lamp, error) { return gpio.OpenLamp(cfg) })
}

func pull(name string) periph.Pull {
	return map[string]periph.Pull{"up": periph.PullUp, "down": periph.PullDown, "none": periph.Float}[name] // "" is PullNoChange
}

// runBoard serves the board in the background, until ctx ends.
func (a *Agent) runBoard(ctx context.Context) {
	b := a.board
	for _, button := range b.buttons {
		a.background.Go(func() { button.Run(ctx, func(p hardware.Press) { a.press(ctx, p) }) })
	}
	a.background.Go(func() { b.signals.run(ctx) })
	if b.signals.lamp != b.light { // which otherwise opens it and puts it out
		a.background.Go(func() { newSignals(b.light, a.opts.Log).run(ctx) })
	}
}

// close is to be called when nothing captures any more.
func (b *board) close() error {
	return errors.Join(b.signals.lamp.Close(), b.light.Close())
}

// noLight says what the profile generic means.
const noLight = "this board has no capture light: nobody can see that it captures"

func (b *board) show(s *control.Status) {
	light := b.light.Status()
	s.Light = control.Light{Line: light.Line, State: string(light.State)}
	if light.State == hardware.LightNone {
		s.Light.Note = noLight
	}
	s.Errors = lightFaults(s.Errors, light)
	if lamp := b.signals.lamp; lamp != b.light {
		if err := lamp.Status().Err; err != nil { // nothing depends on it
			s.Warnings = append(s.Warnings, err.Error())
		}
	}
	for _, button := range b.buttons {
		of := button.Status()
		shown := control.Button{Name: of.Name, Line: of.Line, State: "working"}
		switch {
		case of.Err != nil:
			shown.State, shown.Message = "fault", of.Err.Error()
			s.Errors = append(s.Errors, control.Fault{Component: of.Name, Message: shown.Message, Hint: hint(of.Err), Since: of.Since, Count: 1})
		case of.Stuck:
			shown.State, shown.Message = "stuck", "it has been down for longer than anyone presses it"
			s.Warnings = append(s.Warnings, of.Name+" is stuck: "+shown.Message)
		}
		s.Buttons = append(s.Buttons, shown)
	}
}

// lightFaults shows a light that fails once, whether a camera and a microphone
// want it or nobody does.
func lightFaults(list []control.Fault, light hardware.LightStatus) []control.Fault {
	const component = "light"
	isLight := func(f control.Fault) bool { return f.Component == component }
	if first := slices.IndexFunc(list, isLight); first >= 0 {
		kept := list[first]
		return append([]control.Fault{kept}, slices.DeleteFunc(list, isLight)...)
	}
	if light.Err == nil {
		return list
	}
	return append([]control.Fault{{Component: component, Message: light.Err.Error(), Hint: hint(light.Err), Since: light.Since, Count: 1}}, list...)
}

func hint(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}

// What a press asks for has so long. The session answers at once; a photo or clip
// is answered for once it is safe on the disk, which may be a slow one.
const (
	actionTime = 5 * time.Second
	mediaTime  = time.Minute
)

// press does what a gesture is for, as `bril live` would.
func (a *Agent) press(ctx context.Context, p hardware.Press) {
	if a.exams.takes(p) {
		return
	}
	if p.Gesture == hardware.HeldAtStart {
		a.provisionByButton(p.Button)
		return
	}
	does := action(a.cfg.Board.Buttons, p.Button, p.Gesture)
	answers := false
	if a.call.State().Phase == call.Ringing {
		does, answers = whileRinging(p, does)
	}
	a.opts.Log.Info("button pressed", "button", p.Button, "gesture", string(p.Gesture), "action", does)
	if does == configs.ActionNone {
		return
	}
	if answers {
		a.background.Go(func() { a.answerCall(ctx, does) })
		return
	}
	switch does {
	case configs.ActionPhoto, configs.ActionPhotoShow, configs.ActionClip:
		a.background.Go(func() { a.answer(ctx, does, mediaTime) }) // the next press does not wait
	default:
		a.answer(ctx, does, actionTime)
	}
}

// answer does it, or lets the advisor hear that it cannot be done.
func (a *Agent) answer(ctx context.Context, does string, limit time.Duration) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := a.do(limited, does); err != nil && ctx.Err() == nil {
		a.refuse(does, err)
	}
}
