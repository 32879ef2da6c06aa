package fleet

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/configs/fleet"
)

// Config is what a service is made of. Zero means the default.
type Config struct {
	Records *records.DB                                    // needed
	Fleet   string                                         // its name; needed
	Keys    []string                                       // ed25519:BASE64, that may sign
	Holder  func(*http.Request) (records.Device, error)    // the device that asks; needed
	Staff   func(r *http.Request) (name string, err error) // a manager by the staff's session; default: only tokens
	// Support is the folder of support bundles, which is made; default: none are taken.
	Support    string
	Lines      int              // of devices at once; default 8192
	Handshakes int              // new lines a second; default 200
	Clock      func() time.Time // default: time.Now
	Log        *slog.Logger     // default: none
}

// Service is the fleet's. Run has to run while requests are answered.
type Service struct {
	cfg    Config
	log    *slog.Logger
	accept *rate.Limiter
	lines  sync.WaitGroup
	// sending says that offers are being written, by senders.
	sending atomic.Bool
	senders sync.WaitGroup
	wake    chan struct{} // holds a value once there is something to look at

	mu      sync.Mutex
	keys    []string          // that sign: those of Config and their successors
	next    map[string]string // the successor of a key
	devices map[string]*device
	bundles []*bundle // by serial, rising
	dirty   map[string]bool
	open    int // lines
	closing bool
	verdict verdict
}

// device is one pair of glasses, as far as it is known.
type device struct {
	id, name, label string
	labels          map[string]string
	model           string
	report          fleet.Report
	effective, base string
	health          json.RawMessage
	seen            time.Time
	line            *line     // nil while it is offline
	asked           time.Time // for a support bundle; zero once that came
}

// bundle is one that a manager has signed.
type bundle struct {
	fleet.Bundle
	content        string
	envelope       []byte
	hash           []byte // of the envelope
	author, reason string
	created        time.Time
	plan           plan
	key            string // that signed it, of one that is pushed
	foreign        bool   // the server has the key no more that signed it
}

const (
	defaultLines      = 8192
	defaultHandshakes = 200
	// tickEvery is between two looks at the rollouts, and flushEvery between two writes of
	// what devices tell.
	tickEvery  = 200 * time.Millisecond
	flushEvery = time.Second
	// refreshEvery is between two looks at who is enrolled.
	refreshEvery = 30 * time.Second
)

// Open takes up what is kept. It starts nothing.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	cfg.Lines = cmp.Or(cfg.Lines, defaultLines)
	cfg.Handshakes = cmp.Or(cfg.Handshakes, defaultHandshakes)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	s := &Service{
		cfg: cfg, log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)), accept: rate.NewLimiter(rate.Limit(cfg.Handshakes), cfg.Handshakes),
		wake: make(chan struct{}, 1), keys: slices.Clone(cfg.Keys), next: map[string]string{}, devices: map[string]*device{}, dirty: map[string]bool{},
	}
	if err := s.load(ctx); err != nil {
		return nil, fmt.Errorf("open the fleet's service: %w", err)
	}
	return s, nil
}

func (s *Service) load(ctx context.Context) error {
	kept, err := s.cfg.Records.FleetBundles(ctx)
	if err != nil {
		return err
	}
	for _, k := range kept {
		b := &bundle{content: k.Content, envelope: k.Envelope, hash: sum(k.Envelope), author: k.Author, reason: k.Reason, created: k.Created}
		if err := json.Unmarshal([]byte(k.Rollout), &b.plan); err != nil {
			return fmt.Errorf("bundle %d: %w", k.Serial, err)
		}
		if err := s.read(b); err != nil {
			return fmt.Errorf("bundle %d: %w", k.Serial, err)
		}
		s.bundles = append(s.bundles, b)
	}
	told, err := s.cfg.Records.FleetDevices(ctx)
	if err != nil {
		return err
	}
	if err := s.refresh(ctx); err != nil {
		return err
	}
	for _, t := range told {
		if d := s.devices[t.Device]; d != nil {
			d.restore(t)
		}
	}
	return nil
}

func (d *device) restore(t records.FleetDevice) {
	_ = json.Unmarshal([]byte(t.Labels), &d.labels) // what cannot be read is told anew
	_ = json.Unmarshal([]byte(t.Report), &d.report)
	d.effective, d.base, d.model, d.seen = t.Effective, t.Base, t.Model, t.Seen
	if t.Health != "" {
		d.health = json.RawMessage(t.Health)
	}
}

// read reads a bundle that is kept. One whose key is gone from the server, as a lost one
// should be, stays in the history and is offered no more.
func (s *Service) read(b *bundle) error {
	key, err := s.opened(b)
	if errors.Is(err, fleet.ErrSignature) {
		b.foreign = true
		b.Bundle, err = fleet.Reread(b.envelope)
		return err
	}
	if err == nil {
		s.follow(b.Bundle, key)
	}
	return err
}

// follow takes the key that a bundle names as its successor for one that signs.
func (s *Service) follow(b fleet.Bundle, key string) {
	if b.Successor == "" {
		return
	}
	s.next[key] = b.Successor
	if !slices.Contains(s.keys, b.Successor) {
		s.keys = append(s.keys, b.Successor)
	}
}

// opened verifies a bundle by the keys that sign, and returns the one that did.
func (s *Service) opened(b *bundle) (key string, err error) {
	err = fleet.ErrSignature
	for _, text := range s.keys {
		var one ed25519.PublicKey
		if one, err = fleet.ParseKey(text); err != nil {
			return "", err
		}
		if b.Bundle, err = fleet.Open(b.envelope, []ed25519.PublicKey{one}); !errors.Is(err, fleet.ErrSignature) {
			return text, err
		}
	}
	return "", err
}

// Keys are those that a board is to trust that is enrolled now: a key whose successor the
// server was given, too, is none of them.
func (s *Service) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.cfg.Keys), func(key string) bool { return slices.Contains(s.cfg.Keys, s.next[key]) })
}

// refresh looks who is enrolled.
func (s *Service) refresh(ctx context.Context) error {
	list, err := s.cfg.Records.Devices(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	there := map[string]bool{}
	for _, one := range list {
		if !one.Revoked.IsZero() {
			continue
		}
		there[one.ID] = true
		s.known(one)
	}
	for id, d := range s.devices {
		if !there[id] {
			s.drop(d)
		}
	}
	return nil
}

// known returns a device, which it makes when it is new.
func (s *Service) known(one records.Device) *device {
	d := s.devices[one.ID]
	if d == nil {
		d = &device{id: one.ID, labels: map[string]string{}}
		s.devices[one.ID] = d
	}
	d.name, d.label, d.model = one.Name, one.Label, cmp.Or(d.model, one.Model)
	d.report.Version = cmp.Or(d.report.Version, one.Version)
	return d
}

// Enrolled takes in a device that is new.
func (s *Service) Enrolled(one records.Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known(one)
}

// Revoked ends the line of a device that is no more.
func (s *Service) Revoked(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.devices[id]; d != nil {
		s.drop(d)
	}
}

func (s *Service) drop(d *device) {
	if d.line != nil {
		d.line.end()
	}
	delete(s.devices, d.id)
	delete(s.dirty, d.id)
}

// Labels returns those of a device.
func (s *Service) Labels(id string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	labels := map[string]string{}
	if d := s.devices[id]; d != nil {
		for key, value := range d.labels {
			labels[key] = value
		}
	}
	return labels
}

// Run takes rollouts forward and keeps what devices tell, until ctx ends. Lines are
// closed then, and what was told last is kept.
func (s *Service) Run(ctx context.Context) error {
	tick, flush, refresh := time.NewTicker(tickEvery), time.NewTicker(flushEvery), time.NewTicker(refreshEvery)
	defer tick.Stop()
	defer flush.Stop()
	defer refresh.Stop()
	for {
		select {
		case <-tick.C:
			select { // a look without a reason is cheap, and not free
			case <-s.wake:
				s.look(ctx)
			default:
			}
		case <-flush.C:
			s.flush(ctx)
			s.poke() // soaks pass
		case <-refresh.C:
			if err := s.refresh(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("look who is enrolled", "error", err)
			}
		case <-ctx.Done():
			s.closeLines()
			s.senders.Wait()
			s.flush(context.WithoutCancel(ctx))
			return nil
		}
	}
}

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// look takes each rollout forward, and offers what is wanted now.
func (s *Service) look(ctx context.Context) {
	s.mu.Lock()
	for _, b := range s.bundles {
		if !b.plan.watched() {
			continue
		}
		next := b.plan.step(s.waves(b), s.cfg.Clock())
		if next.State != b.plan.State || next.Wave != b.plan.Wave {
			b.plan = next
			s.keepPlan(ctx, b.Serial, next) // under the lock, as a pause is
		}
	}
	s.mu.Unlock()
	s.sendOffers()
}

// sendOffers offers what is wanted now, beside what else the service does: a line that is
// full takes its time. What has come up meanwhile is offered after that.
func (s *Service) sendOffers() {
	if !s.sending.CompareAndSwap(false, true) {
		return
	}
	s.mu.Lock()
	offers := s.offers()
	s.mu.Unlock()
	s.senders.Go(func() {
		send(offers)
		s.sending.Store(false)
		if len(offers) > 0 {
			s.poke()
		}
	})
}

// keepPlan keeps what the service itself has decided.
func (s *Service) keepPlan(ctx context.Context, serial uint64, p plan) {
	s.log.Info("rollout", "bundle", serial, "state", p.State, "wave", p.Wave+1, "why", p.Why)
	e := records.FleetEntry{At: s.cfg.Clock(), Who: "the service", Object: fmt.Sprintf("bundle %d", serial), Action: "rollout " + p.State, Reason: p.Why}
	if p.State == StateRunning {
		e.Action = fmt.Sprintf("rollout wave %d", p.Wave+1)
	}
	if err := s.setPlan(ctx, serial, p, &e); err != nil && ctx.Err() == nil {
		s.log.Error("keep a rollout", "bundle", serial, "error", err)
	}
}

func (s *Service) setPlan(ctx context.Context, serial uint64, p plan, e *records.FleetEntry) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return s.cfg.Records.SetFleetRollout(ctx, serial, string(text), e)
}

// flush keeps what devices have told since the last time.
func (s *Service) flush(ctx context.Context) {
	s.mu.Lock()
	var list []records.FleetDevice
	for id := range s.dirty {
		if d := s.devices[id]; d != nil {
			list = append(list, d.kept())
		}
	}
	taken := s.dirty
	s.dirty = map[string]bool{}
	s.mu.Unlock()
	if len(list) == 0 {
		return
	}
	if err := s.cfg.Records.SetFleetDevices(ctx, list); err != nil {
		s.mu.Lock()
		for id := range taken {
			s.dirty[id] = true
		}
		s.mu.Unlock()
		if !errors.Is(err, context.Canceled) {
			s.log.Error("keep what devices tell", "error", err)
		}
	}
}

func (d *device) kept() records.FleetDevice {
	labels, _ := json.Marshal(d.labels) // maps and reports of ours can be written
	report, _ := json.Marshal(d.report)
	return records.FleetDevice{
		Device: d.id, Labels: string(labels), Report: string(report), Effective: d.effective, Base: d.base,
		Health: string(d.health), Model: d.model, Seen: d.seen,
	}
}
