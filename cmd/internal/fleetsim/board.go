// Package fleetsim is glasses that have a line to their fleet's service and nothing
// else: real certificates, real OpAMP, real signatures, and a board that only says that
// it has tried a configuration. It is for thousands of them in one process.
package fleetsim

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/bril-edge/bril/configs/fleet"
	line "github.com/bril-edge/bril/uplink/fleet"
	"github.com/bril-edge/bril/uplink/origin"
)

// Config is what a board is made of. Zero means the default.
type Config struct {
	Server string // https://host:port
	Roots  *x509.CertPool
	ID     string // of the device
	Cert   *tls.Certificate
	Fleet  string
	Labels map[string]string
	Keys   []ed25519.PublicKey
	// Probation is how long it takes until a configuration is shown to work.
	Probation time.Duration
	// Works says whether a configuration does; default: all do.
	Works func(fleet.Bundle) error
	// Changed hears of each new attempt; it returns at once. Default: nobody.
	Changed func(b *Board, a fleet.Attempt)
}

// Board is one pair of glasses. What it runs stays while its line comes and goes.
type Board struct {
	cfg Config

	mu      sync.Mutex
	link    *line.Link // nil while it is off
	report  fleet.Report
	bundle  fleet.Bundle // that was offered last
	applied map[uint64]int
	putOff  int // in earlier runs
	timer   *time.Timer
}

// New returns a board that is off.
func New(cfg Config) *Board {
	if cfg.Works == nil {
		cfg.Works = func(fleet.Bundle) error { return nil }
	}
	if cfg.Changed == nil {
		cfg.Changed = func(*Board, fleet.Attempt) {}
	}
	return &Board{cfg: cfg, report: fleet.Report{SchemaVersion: fleet.SchemaVersion, State: "ready", Version: "simulated"}, applied: map[uint64]int{}}
}

// ID is the device's.
func (b *Board) ID() string { return b.cfg.ID }

// Run keeps the board's line until ctx ends.
func (b *Board) Run(ctx context.Context) error {
	fleetURL := b.cfg.Server + "/api/fleet"
	client, err := origin.New(origin.Config{
		URL: fleetURL, Key: "the simulated board's address", UserAgent: "bril/simulated",
		Identity: &origin.Identity{Origins: []string{b.cfg.Server}, Roots: b.cfg.Roots, Certificate: func() *tls.Certificate { return b.cfg.Cert }},
	})
	if err != nil {
		return err
	}
	defer client.CloseIdle()
	link, err := line.New(line.Config{
		URL: fleetURL, Device: b.cfg.ID, Version: "simulated", Model: "Simulated board", Client: client,
		Offer: b.offer, Report: b.Report, Effective: b.effective,
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.link = link
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.putOff += link.Status().PutOff
		b.link = nil
		b.mu.Unlock()
	}()
	return link.Run(ctx)
}

// Connected says whether its line stands.
func (b *Board) Connected() bool { return !b.Since().IsZero() }

// Since is when its line was made; zero while there is none.
func (b *Board) Since() time.Time {
	b.mu.Lock()
	link := b.link
	b.mu.Unlock()
	if link == nil {
		return time.Time{}
	}
	s := link.Status()
	if !s.Connected {
		return time.Time{}
	}
	return s.Since
}

// PutOff is how often the service has told it to come again later.
func (b *Board) PutOff() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.link == nil {
		return b.putOff
	}
	return b.putOff + b.link.Status().PutOff
}

// Report is what the board tells.
func (b *Board) Report() fleet.Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.report
	if r.Attempted != nil {
		a := *r.Attempted
		r.Attempted = &a
	}
	return r
}

// Applied is how often a bundle was put on probation.
func (b *Board) Applied(serial uint64) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.applied[serial]
}

func (b *Board) effective() (effective, base []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return []byte(b.bundle.Configuration), []byte("{}\n")
}

// offer verifies an envelope as glasses do, and puts it on probation.
func (b *Board) offer(envelope []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bundle, err := fleet.Open(envelope, b.cfg.Keys)
	if err == nil && b.report.Attempted != nil && b.report.Attempted.Serial == bundle.Serial {
		return // it came again
	}
	if err == nil {
		err = bundle.Check(time.Now(), fleet.Member{Fleet: b.cfg.Fleet, Device: b.cfg.ID, Labels: b.cfg.Labels}, b.report.Floor)
	}
	a := fleet.Attempt{Serial: bundle.Serial, Phase: fleet.Probation, At: time.Now()}
	if err != nil {
		a.Phase, a.During, a.Element, a.Error = fleet.Refused, fleet.Received, fleet.Element(err, "bundle"), err.Error()
		b.tell(a)
		return
	}
	a.Content = bundle.Content()
	b.report.Floor, b.bundle = bundle.Serial, bundle
	b.applied[bundle.Serial]++
	b.tell(a)
	b.timer = time.AfterFunc(b.cfg.Probation, func() { b.end(bundle, a) })
}

// end is what becomes of a bundle on probation.
func (b *Board) end(bundle fleet.Bundle, a fleet.Attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.report.Attempted.Serial != a.Serial {
		return // a newer one came
	}
	a.Phase, a.At = fleet.Confirmed, time.Now()
	if err := b.cfg.Works(bundle); err != nil {
		a.Phase, a.During, a.Element, a.Error = fleet.Returned, fleet.Probation, fleet.Element(err, "whip"), err.Error()
	} else {
		b.report.Running = fleet.Running{Serial: a.Serial, Content: a.Content, Since: a.At}
	}
	b.tell(a)
}

func (b *Board) tell(a fleet.Attempt) {
	b.report.Attempted = &a
	if b.link != nil {
		b.link.Tell()
	}
	b.cfg.Changed(b, a)
}

// ErrBad is why a configuration does not work that is bad on purpose.
var ErrBad = errors.New("404 Not Found: nothing is here")

// Bad is Works for a fleet in which a configuration fails that has text in it.
func Bad(text string) func(fleet.Bundle) error {
	return func(b fleet.Bundle) error {
		if len(text) > 0 && strings.Contains(b.Configuration, text) {
			return fmt.Errorf("publish: %w", ErrBad)
		}
		return nil
	}
}
