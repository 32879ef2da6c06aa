package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/cmd/internal/adoption"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/support"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/hardware/serial"
	fleetline "github.com/bril-edge/bril/uplink/fleet"
	"github.com/bril-edge/bril/uplink/origin"
)

// Fleet is what the daemon gives an agent whose configuration a fleet may set.
type Fleet struct {
	Adoption *adoption.Adoption
	// Own is what the agent would run without a bundle.
	Own configs.Config
	// Configure lays a bundle over the board's own configuration, within its ceilings. The
	// error may be adoption.ErrNotNow.
	Configure func(b fleet.Bundle, secretsDir string) (configs.Config, error)
	// Restart ends the daemon, so that it is started anew; nil where nobody would.
	Restart func() error
	// Support gathers a support bundle; nil where there is none.
	Support func(ctx context.Context) ([]byte, error)
	// Telemetry is what is counted, as JSON; nil while nothing is.
	Telemetry func() []byte
}

// openLine makes the line to the fleet's service; nil where the enrolment has none.
func (a *Agent) openLine() *fleetline.Link {
	if a.opts.Fleet == nil || a.identity == nil || a.identity.Document().FleetURL == "" {
		return nil
	}
	d := a.identity.Document()
	client, err := origin.New(origin.Config{
		URL: d.FleetURL, Key: "the enrolment's fleet_url", Foreign: errors.New("not a fleet's service"), UserAgent: "bril/" + a.opts.Version,
		TrustedOrigins: d.TrustedOrigins,
		Date:           a.clock.Heard, Time: a.clock.TLSTime, Confirmed: a.clock.Confirmed, Identity: a.identity.Origin(),
	})
	if err != nil {
		a.opts.Log.Error("no line to the fleet's service", "error", err)
		return nil
	}
	cfg := fleetline.Config{
		URL: d.FleetURL, Device: d.Device, Version: a.opts.Version, Model: serial.Read().Model, Client: client,
		Offer: a.opts.Fleet.Adoption.Offer, Report: a.fleetReport, Effective: sync.OnceValues(a.effective), Health: a.fleetHealth,
		Enrolment: a.identity.Doubt,
		Restart:   a.fleetRestart, Restarts: configs.FleetPath(a.opts.StateDir) + "/restarts.json", Log: a.opts.Log,
	}
	if d.SupportURL != "" && d.Recipient != "" && a.opts.Fleet.Support != nil {
		cfg.Support = func(ctx context.Context) error { return a.sendSupport(ctx, client, d.SupportURL, d.Recipient) }
	}
	line, err := fleetline.New(cfg)
	if err != nil {
		a.opts.Log.Error("no line to the fleet's service", "error", err)
		return nil
	}
	return line
}

// runFleet keeps the line to the fleet's service, and takes up what comes over it.
func (a *Agent) runFleet(ctx context.Context) {
	if a.opts.Fleet == nil {
		return
	}
	reached := closed()
	if a.line != nil {
		reached = a.line.Reached()
		a.background.Go(func() { _ = a.line.Run(ctx) }) // it ends with ctx, and with nothing else
	}
	a.opts.Fleet.Adoption.Watch(a.tellFleet)
	a.background.Go(func() {
		defer a.opts.Fleet.Adoption.Watch(nil)
		_ = a.opts.Fleet.Adoption.Run(ctx, fleetBoard{a, reached}) // likewise
	})
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (a *Agent) tellFleet() {
	if a.line != nil {
		a.line.Tell()
	}
}

func (a *Agent) fleetReport() fleet.Report {
	r, s := a.opts.Fleet.Adoption.Report(), a.Status()
	r.State, r.Version = s.State, a.opts.Version
	if s.Battery != nil {
		r.Battery, r.Charging = s.Battery.Percent, s.Battery.Charging
	}
	for _, f := range s.Errors {
		r.Problems = append(r.Problems, f.Component+": "+f.Message)
	}
	if a.opts.Fleet.Telemetry != nil {
		r.Telemetry = a.opts.Fleet.Telemetry()
	}
	return r
}

// effective are the configurations that are told: what runs, and what would without a
// bundle. Both stay as long as the agent.
func (a *Agent) effective() (effective, base []byte) {
	effective, err := support.Effective(a.cfg)
	if err == nil {
		base, err = support.Effective(a.opts.Fleet.Own)
	}
	if err != nil {
		a.opts.Log.Warn("tell the configuration in effect", "error", err)
	}
	return effective, base
}

func (a *Agent) fleetHealth() fleetline.Health {
	s := a.Status()
	h := fleetline.Health{Healthy: len(s.Errors) == 0, Status: s.State, Parts: map[string]fleetline.Health{}}
	for _, part := range []string{"camera", "encoder", "microphone", "uplink", "light", "spool", "upload", "calls"} {
		h.Parts[part] = fleetline.Health{Healthy: true}
	}
	for _, f := range s.Errors {
		h.Parts[f.Component] = fleetline.Health{Error: f.Message, Since: f.Since}
		h.Error = f.Component + ": " + f.Message
	}
	return h
}

// fleetRestart ends the daemon where nobody is cut off by that.
func (a *Agent) fleetRestart() error {
	switch busy := a.busy(); {
	case busy != "":
		return errors.New("not now: " + busy)
	case a.opts.Fleet.Restart == nil:
		return errors.New("nobody would start the agent anew")
	}
	return a.opts.Fleet.Restart()
}

// sendSupport gathers a support bundle, which only the endpoint's recipient can read.
func (a *Agent) sendSupport(ctx context.Context, client *origin.Client, to, recipient string) error {
	bundle, err := a.opts.Fleet.Support(ctx)
	if err != nil {
		return fmt.Errorf("gather a support bundle: %w", err)
	}
	reader, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		return fmt.Errorf("encrypt the support bundle: %w", err)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, reader)
	if err == nil {
		_, err = io.Copy(w, bytes.NewReader(bundle))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("encrypt the support bundle: %w", err)
	}
	return fleetline.SendSupport(ctx, client, to, sealed.Bytes())
}

// busy is what must not be cut off; "" for nothing.
func (a *Agent) busy() string {
	if busy := a.Status().Busy(); busy != "" {
		return busy
	}
	if a.refusedByProvisioning() != nil {
		return "looking for a code"
	}
	return ""
}

// move wakes what waits for the session to be in another phase.
func (a *Agent) move() {
	select {
	case a.moved <- struct{}{}:
	default:
	}
	a.tellFleet()
}

// whenIdle waits until nothing is under way.
func (a *Agent) whenIdle(ctx context.Context) error {
	tick := time.NewTicker(idleLook)
	defer tick.Stop()
	for a.busy() != "" {
		select {
		case <-tick.C:
		case <-a.moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// idleLook is how often it is looked whether nothing is under way any more: calls and
// clips do not tell.
const idleLook = 500 * time.Millisecond

// fleetBoard is the agent as an adoption needs it.
type fleetBoard struct {
	*Agent
	reached <-chan struct{}
}

// Configure lays a bundle over the board's own configuration.
func (b fleetBoard) Configure(bundle fleet.Bundle, secretsDir string) (configs.Config, error) {
	return b.opts.Fleet.Configure(bundle, secretsDir)
}

// DryRun says whether the board can do what a configuration asks for.
func (b fleetBoard) DryRun(_ context.Context, cfg configs.Config) error { return b.dryRun(cfg) }

// Busy is what would be cut off by a change.
func (b fleetBoard) Busy() string { return b.busy() }

// Moved has a value when the session has another phase.
func (b fleetBoard) Moved() <-chan struct{} { return b.moved }

// Prove shows whether what runs works.
func (b fleetBoard) Prove(ctx context.Context) error { return b.prove(ctx, b.reached) }

// Anew has the agent made anew, of what is to run now.
func (b fleetBoard) Anew() { b.takeUp() }

// showFleet adds what the fleet has set, and what is wrong with that.
func (a *Agent) showFleet(s *control.Status) {
	if a.opts.Fleet == nil || a.line == nil {
		return
	}
	r, line := a.opts.Fleet.Adoption.Report(), a.line.Status()
	f := &control.FleetStatus{Connected: line.Connected, Serial: r.Running.Serial, Floor: r.Floor}
	if line.Trouble != nil {
		f.Problem = line.Trouble.Error()
	}
	if at := r.Attempted; at != nil {
		f.Attempt = at
		if at.Phase == fleet.Refused || at.Phase == fleet.Returned {
			s.Warnings = append(s.Warnings, fmt.Sprintf("the fleet's bundle %d is %s: %s", at.Serial, at.Phase, at.Cause()))
		}
	}
	s.Warnings = append(s.Warnings, r.Problems...)
	s.Fleet = f
}

// Fleet is what the board has of its fleet, for `bril config`.
func (a *Agent) Fleet() (adoption.View, error) {
	if a.opts.Fleet == nil {
		return adoption.View{}, nil
	}
	return a.opts.Fleet.Adoption.View()
}
