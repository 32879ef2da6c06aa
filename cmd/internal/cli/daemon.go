package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bril-edge/bril/cmd/internal/adoption"
	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/journal"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/cmd/internal/support"
	"github.com/bril-edge/bril/cmd/internal/telemetry"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
)

// daemon is what stays while the agent is made anew.
type daemon struct {
	options agent.Options
	app     *options
	socket  *control.Listener
	lines   *journal.Ring
	level   *slog.LevelVar
	log     *slog.Logger
	read    func() (*layers, error) // the board's own layers
	first   *layers                 // read already, for the first agent; nil afterwards
	last    *layers                 // of the newest agent
	manager *managed
	counts  *telemetry.Telemetry

	now atomic.Pointer[agent.Agent] // nil between two
}

// progress is how far the parts of the session are.
func (d *daemon) progress(ctx context.Context) ([]session.Part, error) {
	if a := d.now.Load(); a != nil {
		return a.Progress(ctx)
	}
	return nil, nil
}

// run runs one agent after another until ctx ends.
func (d *daemon) run(ctx context.Context, live bool) error {
	for {
		err := d.one(ctx, live)
		if !errors.Is(err, agent.ErrAnew) {
			return err
		}
		live = false
	}
}

// one runs an agent until ctx ends, or it is to be made anew. Commands that come
// while there is none wait.
func (d *daemon) one(ctx context.Context, live bool) error {
	a, cfg, err := d.make()
	if err != nil {
		return err
	}
	defer a.Close()
	socket, err := d.socket.Lend()
	if err != nil {
		return err
	}
	d.log.Info("ready", "endpoint", cfg.Uplink.WHIPURL)
	if !live {
		d.log.Info("waiting: a button or `bril live on` goes live")
	}
	d.now.Store(a)
	defer d.now.Store(nil)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.Run(ctx, live) })
	g.Go(func() error {
		select { // who asks before has to wait, and is not told that the daemon stops
		case <-a.Begun():
		case <-ctx.Done():
		}
		return control.Server{Daemon: a, Describe: Describe, Log: d.log, Lines: d.lines, Metrics: d.counts.Handler()}.Run(ctx, socket)
	})
	return g.Wait()
}

// make makes an agent, by what the fleet has set where that works: nothing that is
// signed keeps the daemon from running. What has had its starts is given up before
// anything is read.
func (d *daemon) make() (*agent.Agent, configs.Config, error) {
	l, err := d.layers()
	if err != nil {
		return nil, configs.Config{}, err
	}
	taken := d.adoption(l)
	for {
		var start adoption.Start
		if taken != nil {
			if start, err = taken.Begin(); err != nil {
				d.log.Error("run without what the fleet has set", "error", err)
			}
		}
		a, err := d.with(l, taken, start)
		if err == nil {
			return a, l.cfg, nil
		}
		if start.Bundle == nil || !d.works(l) {
			return nil, configs.Config{}, err
		}
		if kept := taken.Broken(err); kept != nil {
			d.log.Error("run without what the fleet has set", "error", kept)
			taken = nil
		}
	}
}

// layers are the board's own, as they are now. A file that is being edited, and is wrong
// just now, is no reason to end: an agent is made anew at a moment that nobody chooses.
func (d *daemon) layers() (l *layers, err error) {
	if l, d.first = d.first, nil; l == nil {
		l, err = d.read()
	}
	if err != nil && d.last != nil {
		d.log.Error("the configuration file is left as it was read before", "error", err)
		l, err = d.last, nil
	}
	d.last = l
	return l, err
}

// works says whether an agent can be made of the board's own configuration: where it
// cannot either, such as beside another daemon, the bundle is not at fault.
func (d *daemon) works(l *layers) bool {
	a, err := d.with(l, nil, adoption.Start{})
	if err != nil {
		return false
	}
	_ = a.Close() // nothing was captured
	return true
}

// with makes an agent of the layers and a bundle.
func (d *daemon) with(l *layers, taken *adoption.Adoption, start adoption.Start) (*agent.Agent, error) {
	own, err := l.flags(l.own)
	if err != nil {
		return nil, err
	}
	if err := l.over(start.Bundle, start.SecretsDir); err != nil {
		return nil, err
	}
	setLevel(d.level, l.cfg.Log)
	d.counts.On(l.cfg.Telemetry.Enabled)
	o := d.options
	if taken != nil {
		o.Fleet = d.fleet(taken, own)
		o.Fleet.Telemetry = d.counts.Snapshot
	}
	if start.Bundle != nil {
		d.log.Info("the fleet's configuration", "bundle", start.Bundle.Serial, "probation", start.Probation)
	}
	return agent.New(l.cfg, o)
}

// adoption takes up what the fleet has set on this board; nil where it may not, or
// nobody has enrolled the board.
func (d *daemon) adoption(l *layers) *adoption.Adoption {
	if l.document == nil || !l.own.Fleet.Enabled {
		return nil
	}
	m := fleet.Member{Fleet: l.document.Fleet, Device: l.document.Device, Labels: l.document.Labels}
	taken, err := adoption.Open(adoption.Config{
		Dir: configs.FleetPath(d.options.StateDir), Member: m, Keys: l.document.ConfigurationKeys, Tail: d.tail, Log: d.log,
		Now: d.time,
	})
	if err != nil {
		d.log.Error("what the fleet has set is left out", "error", err)
		return nil
	}
	return taken
}

// status is what the agent says of itself.
func (d *daemon) status() (s control.Status, ok bool) {
	a := d.now.Load()
	if a == nil {
		return s, false
	}
	return a.Status(), true
}

// time is what the agent knows of it, which never falls.
func (d *daemon) time() time.Time {
	if a := d.now.Load(); a != nil {
		return a.Time()
	}
	return time.Now()
}

// fleet is what an agent needs to take something else up; own is its configuration
// without a bundle.
func (d *daemon) fleet(taken *adoption.Adoption, own configs.Config) *agent.Fleet {
	f := &agent.Fleet{
		Adoption: taken, Own: own,
		Configure: func(b fleet.Bundle, secretsDir string) (configs.Config, error) {
			l, err := d.read()
			if err != nil { // that is not the bundle's fault
				return configs.Config{}, fmt.Errorf("%w, as the board's own configuration is not valid: %w", adoption.ErrNotNow, err)
			}
			if err := l.over(&b, secretsDir); err != nil {
				return configs.Config{}, err
			}
			return l.cfg, nil
		},
		Support: d.support,
	}
	if d.manager.restarts() {
		f.Restart = d.manager.restart
	}
	return f
}

// tailLines are how many of the log go with a report.
const tailLines = 30

func (d *daemon) tail() []string {
	lines, _ := d.lines.Last(tailLines)
	return lines
}

// support gathers a support bundle.
func (d *daemon) support(ctx context.Context) ([]byte, error) {
	bundle, err := support.Gather(ctx, d.app.supportConfig(supportFlags{}))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := bundle.Write(&b); err != nil {
		return nil, fmt.Errorf("write the support bundle: %w", err)
	}
	return b.Bytes(), nil
}
