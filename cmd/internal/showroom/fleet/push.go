package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
)

// Error is a refusal that the client is told.
type Error struct {
	Status   int
	Word     string // of the problem's type, urn:bril:problem:WORD; may be empty
	Detail   string
	Problems []Problem // of a configuration
	Next     uint64    // the serial that would do
}

func (e *Error) Error() string { return e.Detail }

func refuse(status int, word, format string, args ...any) *Error {
	return &Error{Status: status, Word: word, Detail: fmt.Sprintf(format, args...)}
}

const (
	maxReason = 500 // bytes
	// maxSkip is how many serials a push may leave out: those of bundles that were signed
	// and never pushed.
	maxSkip = 1000
)

// push takes a bundle, or says what it would do.
func (s *Service) push(ctx context.Context, who string, p Push) (any, error) {
	if len(p.Reason) > maxReason || strings.TrimSpace(p.Reason) == "" && !p.DryRun {
		return nil, refuse(http.StatusBadRequest, "reason", "a reason is needed, of at most %d bytes: who reads the history wants to know why", maxReason)
	}
	now := s.cfg.Clock()
	plan, err := newPlan(p, now)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "rollout", "%v", err)
	}
	b := &bundle{envelope: p.Envelope, hash: sum(p.Envelope), author: who, reason: p.Reason, created: now, plan: plan}
	if p.DryRun {
		return s.dryRun(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.admit(b); err != nil {
		return nil, err
	}
	b.plan.First = s.first(b)
	if err := s.keep(ctx, b); err != nil {
		return nil, err
	}
	s.supersede(ctx, b)
	s.bundles = append(s.bundles, b)
	s.follow(b.Bundle, b.key)
	s.poke()
	s.log.Info("a bundle was pushed", "bundle", b.Serial, "by", who, "audience", b.Audience.String())
	return s.showRollout(b), nil
}

// admit verifies a bundle as the glasses do, so that a manager hears at once what they
// would say.
func (s *Service) admit(b *bundle) error {
	key, err := s.opened(b)
	if err != nil {
		if errors.Is(err, fleet.ErrSignature) {
			return refuse(http.StatusForbidden, "signature", "the bundle is %v: start showroom with --configuration-key of the key that signs", err)
		}
		return refuse(http.StatusBadRequest, "bundle", "%v", err)
	}
	b.content, b.key = b.Content(), key
	if next := s.next[key]; next != "" && b.Successor != next {
		return refuse(http.StatusForbidden, "signature", "the key that signs has a successor: sign with that one; with this one only what names it again, for boards that have not heard of it (--successor)")
	}
	if b.Audience.Fleet != s.cfg.Fleet {
		return refuse(http.StatusBadRequest, "audience", "the bundle is for fleet %s, and this is fleet %s", b.Audience.Fleet, s.cfg.Fleet)
	}
	if !s.cfg.Clock().Before(b.Expires) {
		return refuse(http.StatusBadRequest, "expired", "the bundle has expired already: sign it again, with a longer --valid")
	}
	next := s.nextSerial()
	if b.Serial > next+maxSkip {
		return refuse(http.StatusBadRequest, "serial", "serial %d is far from the next one, %d: what is left out can never be used", b.Serial, next)
	}
	if b.Serial < next {
		e := refuse(http.StatusConflict, "serial", "serial %d has been: the next one is %d", b.Serial, next)
		e.Next = next
		return e
	}
	if _, _, err := b.Over(configs.Default(), "/secrets"); err != nil {
		return configurationError(err)
	}
	return nil
}

func configurationError(err error) error {
	e := refuse(http.StatusBadRequest, "configuration", "the configuration is not valid: %v", err)
	var problems configs.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			e.Problems = append(e.Problems, Problem{p.Line, p.Key, p.Message, p.Hint})
		}
	}
	return e
}

func (s *Service) nextSerial() uint64 {
	if len(s.bundles) == 0 {
		return 1
	}
	return s.bundles[len(s.bundles)-1].Serial + 1
}

func (s *Service) keep(ctx context.Context, b *bundle) error {
	text, err := json.Marshal(b.plan)
	if err != nil {
		return err
	}
	e := records.FleetEntry{At: b.created, Who: b.author, Action: "push", Object: fmt.Sprintf("bundle %d for %v", b.Serial, b.Audience), Reason: b.reason}
	err = s.cfg.Records.AddFleetBundle(ctx, records.FleetBundle{
		Serial: b.Serial, Content: b.content, Envelope: b.envelope, Author: b.author, Reason: b.reason, Created: b.created, Rollout: string(text),
	}, e)
	if errors.Is(err, records.ErrSerial) {
		return &Error{Status: http.StatusConflict, Word: "serial", Detail: err.Error(), Next: s.nextSerial()}
	}
	return err
}

// supersede ends rollouts whose devices are all in the new one. What was done stays so.
func (s *Service) supersede(ctx context.Context, by *bundle) {
	for _, b := range s.bundles {
		if !b.plan.watched() && b.plan.State != StatePaused || !covers(by.Audience, b.Audience) {
			continue
		}
		b.plan.Final = s.waves(b)
		if b.plan.State != StateDone {
			b.plan.State, b.plan.Why = StateSuperseded, fmt.Sprintf("bundle %d takes its place", by.Serial)
		}
		if err := s.setPlan(ctx, b.Serial, b.plan, nil); err != nil {
			s.log.Error("keep a rollout", "bundle", b.Serial, "error", err)
		}
	}
}

// covers says whether everybody in b is in a, too.
func covers(a, b fleet.Audience) bool {
	for key, value := range a.Labels {
		if b.Labels[key] != value {
			return false
		}
	}
	if len(a.Devices) == 0 {
		return true
	}
	return len(b.Devices) > 0 && !slices.ContainsFunc(b.Devices, func(id string) bool { return !slices.Contains(a.Devices, id) })
}

// first is the device that goes first where nobody else would: in a small fleet a wave of
// five percent is often empty. It is "" where somebody does.
func (s *Service) first(b *bundle) (id string) {
	var lowest uint64
	for _, d := range s.devices {
		if !b.Audience.Includes(s.member(d)) {
			continue
		}
		if b.plan.waveOf(b.Serial, d.id) == 0 {
			return ""
		}
		if n := lot(b.Serial, d.id); id == "" || n < lowest {
			id, lowest = d.id, n
		}
	}
	return id
}

func (s *Service) sorted() []*device {
	list := make([]*device, 0, len(s.devices))
	for _, d := range s.devices {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b *device) int { return strings.Compare(a.name+"\x00"+a.id, b.name+"\x00"+b.id) })
	return list
}

// turn pauses a rollout, or has it go on.
func (s *Service) turn(ctx context.Context, who string, serial uint64, to string, why Why) (Rollout, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.find(serial)
	if b == nil {
		return Rollout{}, refuse(http.StatusNotFound, "", "there is no bundle %d", serial)
	}
	p := b.plan
	switch {
	case to == StatePaused && p.State == StateRunning:
	case to == StateRunning && p.State == StateStopped && s.after(b) != nil:
		return Rollout{}, refuse(http.StatusConflict, "state", "bundle %d is stopped, and bundle %d came after it for the same devices: showroom fleet rollback --to %d signs it anew",
			serial, s.after(b).Serial, serial)
	case to == StateRunning && (p.State == StatePaused || p.State == StateStopped):
		p.Since, p.Final = s.cfg.Clock(), nil
	default:
		return Rollout{}, refuse(http.StatusConflict, "state", "bundle %d is %s", serial, p.State)
	}
	if p.State == StateStopped { // what failed so far has been looked at
		p.MaxFailures = "100%"
	}
	p.State, p.Why = to, why.Reason
	e := records.FleetEntry{At: s.cfg.Clock(), Who: who, Action: map[string]string{StatePaused: "pause", StateRunning: "resume"}[to],
		Object: fmt.Sprintf("bundle %d", serial), Reason: why.Reason}
	if err := s.setPlan(ctx, serial, p, &e); err != nil {
		return Rollout{}, err
	}
	b.plan = p
	s.poke()
	return s.showRollout(b), nil
}

// after is the newest bundle after one for all of its devices; nil for none. Glasses
// that have seen it never take what was before.
func (s *Service) after(b *bundle) *bundle {
	for _, by := range slices.Backward(s.bundles) {
		if by.Serial > b.Serial && covers(by.Audience, b.Audience) {
			return by
		}
	}
	return nil
}

func (s *Service) find(serial uint64) *bundle {
	for _, b := range s.bundles {
		if b.Serial == serial {
			return b
		}
	}
	return nil
}
