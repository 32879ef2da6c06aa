package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bril-edge/bril/cmd/internal/call"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware/serial"
	"github.com/bril-edge/bril/uplink/enrol"
	enroltoken "github.com/bril-edge/bril/uplink/enrol/token"
	"github.com/bril-edge/bril/uplink/origin"
	"github.com/bril-edge/bril/uplink/whip"
)

// ErrAnew is how Run ends when the board has become somebody else: the agent is to be
// made anew, of a configuration that is read anew.
var ErrAnew = errors.New("the enrolment has changed")

// errConversation keeps an enrolment from beginning at the wrong moment.
var errConversation = hinted{errors.New("not during a conversation"), "bril live off"}

// EnrolConfig returns what an enrolment in a state directory needs of this board.
func EnrolConfig(state, version string, log *slog.Logger) enrol.Config {
	board := serial.Read()
	return enrol.Config{
		Dir: configs.EnrolmentPath(state), Serial: board.Serial, Model: board.Model, Version: version, Log: log,
		Accept: func(d enrol.Document) error { return Enrolled(d).Defaults().Validate() },
	}
}

// Enrolled returns what the configuration takes of a document.
func Enrolled(d enrol.Document) configs.Enrolled {
	return configs.Enrolled{
		WHIPURL: d.WHIPURL, UploadsURL: d.UploadsURL, EventsURL: d.EventsURL, TrustedOrigins: d.TrustedOrigins,
		Recipient: d.Recipient, Name: d.Name, Label: d.Label,
	}
}

func (a *Agent) enrolConfig() enrol.Config {
	cfg := EnrolConfig(a.opts.StateDir, a.opts.Version, a.opts.Log)
	cfg.Date, cfg.Time, cfg.Confirmed = a.clock.Heard, a.clock.TLSTime, a.clock.Confirmed
	return cfg
}

// openIdentity reads who the board is. One that cannot be read is a fault that the
// status shows: the glasses work, as far as their endpoint takes them.
func (a *Agent) openIdentity() {
	a.identity, a.nobody = enrol.Load(a.enrolConfig())
	a.nobodySince = time.Now()
	if a.nobody != nil && !errors.Is(a.nobody, enrol.ErrNotEnrolled) {
		a.opts.Log.Error(a.nobody.Error())
	}
}

// relays returns the STUN and TURN servers of the configuration, or without any those
// of the enrolment.
func (a *Agent) relays() ([]whip.ICEServer, error) {
	servers, err := iceServers(a.cfg.Uplink.ICEServers)
	if err != nil || len(servers) > 0 || a.identity == nil {
		return servers, err
	}
	for _, r := range a.identity.Document().ICEServers {
		for _, u := range r.URLs {
			servers = append(servers, whip.ICEServer{URL: u, Username: r.Username, Credential: r.Credential})
		}
	}
	return servers, nil
}

// runIdentity keeps the certificate fresh.
func (a *Agent) runIdentity(ctx context.Context) {
	if a.identity == nil {
		return
	}
	a.background.Go(func() { _ = a.identity.Run(ctx) }) // it ends with ctx, and with nothing else
	a.background.Go(func() {
		select {
		case <-a.identity.Changed():
			a.opts.Log.Info("the endpoint has moved something: it is taken up once nothing is under way")
			a.takeUp()
		case <-ctx.Done():
		}
	})
}

// Enrol does what `bril enrol` asks for. What it brings is taken up at once, or after
// a conversation that has begun meanwhile.
func (a *Agent) Enrol(ctx context.Context, server string, t enroltoken.Token) (control.Enrolment, error) {
	if a.talking() {
		return control.Enrolment{}, errConversation
	}
	if server == "" && a.identity != nil {
		server = a.identity.Document().Server
	}
	if server == "" {
		return control.Enrolment{}, ErrNoServer
	}
	i, err := enrol.Enrol(ctx, a.enrolConfig(), server, t)
	if err != nil {
		return control.Enrolment{}, err
	}
	a.takeUp()
	return ShowEnrolment(i, nil), nil
}

// ErrNoServer says that it is not known where to enrol.
var ErrNoServer error = hinted{errors.New("a board that is not enrolled needs to be told where to be"), "bril enrol --server URL --token-file F"}

// ResetEnrolment does what `bril enrol --reset` asks for.
func (a *Agent) ResetEnrolment(context.Context) (control.Enrolment, error) {
	if a.talking() {
		return control.Enrolment{}, errConversation
	}
	if err := enrol.Reset(a.enrolConfig()); err != nil {
		return control.Enrolment{}, err
	}
	a.takeUp()
	return ShowEnrolment(nil, enrol.ErrNotEnrolled), nil
}

// takeUp has Run end, so that the agent is made anew.
func (a *Agent) takeUp() {
	if a.stdin != nil { // what it has delivered is gone
		a.opts.Log.Warn("the enrolment is taken up when the daemon is restarted: pictures come from standard input")
		return
	}
	a.anew.want()
}

// talking says that there is a conversation, or one is about to begin.
func (a *Agent) talking() bool {
	phase, _ := a.Session.Rate()
	return phase != session.Ready && phase != session.Off || a.call.State().Phase != call.Idle
}

// Enrolment returns how it is with the enrolment.
func (a *Agent) Enrolment() control.Enrolment { return ShowEnrolment(a.identity, a.nobody) }

// ShowEnrolment returns who a board is, or why it is nobody.
func ShowEnrolment(i *enrol.Identity, nobody error) control.Enrolment {
	if i == nil {
		e := control.Enrolment{State: string(enrol.NotEnrolled)}
		if !errors.Is(nobody, enrol.ErrNotEnrolled) {
			e.Problem, e.Hint = nobody.Error(), hint(nobody)
		}
		return e
	}
	d, s := i.Document(), i.Status()
	e := control.Enrolment{
		Enrolled: true, Device: d.Device, Name: d.Name, Label: d.Label, Server: d.Server,
		NotAfter: s.NotAfter, RenewAt: s.RenewAt, State: string(s.State),
	}
	switch {
	case s.Trouble != nil:
		e.Problem, e.Hint = s.Trouble.Error(), cmp.Or(origin.Hint(s.Trouble), hint(s.Trouble))
	case s.State == enrol.Expired:
		e.Problem, e.Hint = "the certificate has expired", "the daemon renews it by itself once it reaches the endpoint; if that is refused: bril enrol --token-file F"
	}
	return e
}

// showEnrolment adds who the board is, and what is wrong with that. A certificate that
// is good and cannot be renewed just now is no more than a warning.
func (a *Agent) showEnrolment(s *control.Status) {
	e := a.Enrolment()
	if e.Enrolled {
		s.Device = &control.Device{ID: e.Device, Name: e.Name, Label: e.Label, Server: e.Server, State: e.State, NotAfter: e.NotAfter}
	}
	if e.Problem == "" {
		return
	}
	fault := control.Fault{Component: "enrolment", Message: e.Problem, Hint: e.Hint, Since: a.nobodySince, Count: 1}
	if a.identity != nil {
		now := a.identity.Status()
		fault.Since, fault.Count = now.Since, max(now.Count, 1)
		if now.Trouble == nil {
			fault.Since = now.NotAfter
		}
		if now.State == enrol.Enrolled || now.State == enrol.RenewalDue {
			if now.Count > 1 { // the first is tried again soon
				s.Warnings = append(s.Warnings, fmt.Sprintf("the enrolment, good until %s, cannot be looked after: %s", now.NotAfter.Format("2006-01-02"), e.Problem))
			}
			return
		}
	}
	s.Errors = append(s.Errors, fault)
}

// anew has a run of the session end with ErrAnew once that is wanted and nothing is
// under way.
type anew struct {
	mu     sync.Mutex
	wanted bool
	idle   bool
	end    context.CancelCauseFunc // nil while nothing runs
}

func (n *anew) want() { n.change(func() { n.wanted = true }) }

// phase hears of each phase of the session.
func (n *anew) phase(p session.Phase) { n.change(func() { n.idle = p == session.Ready }) }

// over returns the context of a run.
func (n *anew) over(ctx context.Context) (own context.Context, cancel func()) {
	own, end := context.WithCancelCause(ctx)
	n.change(func() { n.end = end })
	return own, func() {
		n.change(func() { n.end = nil })
		end(nil)
	}
}

func (n *anew) change(set func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	set()
	if n.wanted && n.idle && n.end != nil {
		n.end(ErrAnew)
	}
}
