package agent

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/bril-edge/bril/cmd/internal/call"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/uplink/calls"
	"github.com/bril-edge/bril/uplink/discover"
	"github.com/bril-edge/bril/uplink/origin"
)

// What two gestures do while a call rings; no configuration changes that.
const (
	actionAccept  = "accept"
	actionDecline = "decline"
)

// whileRinging returns what a gesture does while a call rings, which otherwise does,
// and whether that answers the call. To go live is to take it, also where the endpoint
// cannot be told.
func whileRinging(p hardware.Press, does string) (now string, answers bool) {
	switch {
	case p.Gesture == hardware.Short && p.Button == "button1":
		return actionAccept, true
	case p.Gesture == hardware.Short && p.Button == "button2":
		return actionDecline, true
	}
	return does, does == configs.ActionLive
}

// newCall makes what follows calls. The session, by which it goes live, is made
// after it.
func (a *Agent) newCall() *call.Control {
	return call.New(call.Config{
		Answer: func(ctx context.Context, conversation string, accept bool) error {
			if c := a.events.Load(); c != nil {
				return c.Answer(ctx, conversation, accept)
			}
			return call.ErrNoEndpoint
		},
		End: func(ctx context.Context, conversation string) error {
			if c := a.events.Load(); c != nil {
				return c.End(ctx, conversation)
			}
			return call.ErrNoEndpoint
		},
		LiveOn: func(ctx context.Context) error {
			_, err := a.Session.Live(ctx, control.On)
			return err
		},
		LiveOff: func(ctx context.Context, reason session.Reason) error { return a.Session.End(ctx, reason) },
		Cue:     a.cue,
		Hush:    a.hush,
		Log:     a.opts.Log,
	})
}

// hush ends a cue that is heard.
func (a *Agent) hush(c session.Cue) {
	if a.cues != nil {
		a.cues.Hush(c)
	}
}

// runCalls follows calls until ctx ends, once it is known where the endpoint tells of
// them. It does nothing where it does not.
func (a *Agent) runCalls(ctx context.Context) {
	a.background.Go(func() { _ = a.call.Run(ctx) }) // it ends with ctx, and with nothing else
	a.background.Go(func() {
		if c := a.findCalls(ctx); c != nil {
			a.events.Store(c)
			_ = c.Run(ctx, func(e calls.Event) {
				a.call.Tell(e)
				if a.call.State().Phase == call.Ringing {
					a.exams.yield(ctx)
				}
				a.hearSoon(e)
			}) // likewise
		}
	})
}

// noEventsLast is between two questions to an endpoint that has told of none.
const noEventsLast = 10 * time.Minute

// findCalls returns what follows calls once it is known where they are told of; nil
// when ctx ends before, or where nobody tells. An endpoint on this machine that has
// none is asked ever more seldom.
func (a *Agent) findCalls(ctx context.Context) *calls.Client {
	where := a.cfg.Calls.EventsURL
	if where == configs.CallsNone || where == "" && !discover.Applies(a.cfg.Uplink.WHIPURL) {
		return nil
	}
	ask := discover.Config{WHIPURL: a.cfg.Uplink.WHIPURL, UserAgent: "bril/" + a.opts.Version,
		Time: a.clock.TLSTime, Confirmed: a.clock.Confirmed, Identity: a.identity.Origin()}
	for wait := askFirst; where == ""; {
		var err error
		where, err = discover.Events(ctx, ask)
		if err == nil {
			break
		}
		a.opts.Log.Debug("the endpoint tells of no calls", "error", err)
		longest := askLast
		if errors.Is(err, discover.ErrNoEvents) {
			longest = noEventsLast
		}
		if !pause(ctx, wait) {
			return nil
		}
		wait = min(2*wait, longest)
	}
	c, err := a.newEvents(calls.Named(where, a.cfg.Uplink.WHIPURL))
	if err != nil {
		a.opts.Log.Error("calls are not heard of", "error", err)
	}
	return c
}

// pause waits, and says whether to go on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *Agent) newEvents(from string) (*calls.Client, error) {
	cfg := calls.Config{
		URL: from, TrustedOrigins: a.cfg.Uplink.TrustedOrigins, UserAgent: "bril/" + a.opts.Version,
		Date: a.clock.Heard, Time: a.clock.TLSTime, Confirmed: a.clock.Confirmed, Identity: a.identity.Origin(), Log: a.opts.Log,
	}
	var err error
	if cfg.Token, err = token(a.cfg.Uplink); err != nil {
		return nil, err
	}
	return calls.New(cfg)
}

// conversationName is under which name photos and clips are kept: that which the
// endpoint gave the conversation, also while the connection is lost; after a crash
// the one that it says is running; without any, or where it is only that of the
// glasses, the configuration's.
func (a *Agent) conversationName() string {
	if room := a.Session.Room(); room != "" && room != a.cfg.GlassesName() {
		return room
	}
	if now := a.call.State(); now.Phase == call.Talking || now.Phase == call.Accepted {
		return now.Conversation
	}
	return a.cfg.SessionName()
}

// Live does what `bril live` asks for and returns the state after it. To go live while
// a call rings is to take it: where the answer does not arrive, the endpoint hears of it
// when it is called. To end it is to have no call go live that was taken meanwhile.
func (a *Agent) Live(ctx context.Context, action control.Action) (string, error) {
	now := a.call.State()
	if err := a.refusedByProvisioning(); err != nil && action == control.On {
		return "", err
	}
	switch {
	case action == control.On && now.Phase == call.Ringing:
		if err := a.call.Press(ctx, call.Accept{}); err != nil && !errors.Is(err, call.ErrUndelivered) {
			return "", err
		}
	case action == control.Off && now.Pending:
		if err := a.call.Press(ctx, call.Hangup{}); err != nil {
			a.opts.Log.Debug("the call that was taken is over already", "error", err)
		}
	}
	return a.Session.Live(ctx, action)
}

// Call does what `bril call` asks for and returns how it is with the call after it.
func (a *Agent) Call(ctx context.Context, action control.CallAction) (string, error) {
	if err := a.refusedByProvisioning(); err != nil && action == control.AcceptCall {
		return "", err
	}
	press := map[control.CallAction]call.Event{
		control.AcceptCall: call.Accept{}, control.DeclineCall: call.Decline{}, control.EndCall: call.Hangup{},
	}[action]
	err := a.call.Press(ctx, press)
	if err == nil && action == control.DeclineCall {
		return declined, nil // idle would say that nobody waits, and a customer who has booked does
	}
	return string(a.call.State().Phase), err
}

// declined is how it is with a call that was declined, for whoever has done it.
const declined = "declined"

// answerCall does what a button asks for while a call rings. That it cannot be done,
// the advisor hears from the call.
func (a *Agent) answerCall(ctx context.Context, does string) {
	limited, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var err error
	switch does {
	case actionAccept:
		_, err = a.Call(limited, control.AcceptCall)
	case actionDecline:
		_, err = a.Call(limited, control.DeclineCall)
	default:
		_, err = a.Live(limited, control.On)
	}
	if err != nil && ctx.Err() == nil {
		a.opts.Log.Warn("refused", "action", does, "error", err)
	}
}

// callTime is for the endpoint to take an answer.
const callTime = 10 * time.Second

// showCall adds how it is with the call, and with what the endpoint tells of calls. An
// endpoint that has none leaves no trace.
func (a *Agent) showCall(s *control.Status) {
	now := a.call.State()
	c := a.events.Load()
	told := calls.Status{State: calls.Absent}
	if c != nil {
		told = c.Status()
	}
	if told.State == calls.Absent && a.cfg.Calls.EventsURL != "" && c != nil {
		s.Warnings = append(s.Warnings, "nobody can call: "+told.Err.Error())
	}
	if told.State == calls.Absent && now.Phase == call.Idle {
		return
	}
	s.Call = &control.Call{
		State: string(now.Phase), Conversation: now.Conversation, Kind: now.Kind, Events: string(told.State),
		Customer: control.Customer{Presence: now.Presence.Now, Network: now.Network.Now, Microphone: now.Microphone},
	}
	if told.State == calls.Waiting && told.Count > 1 { // the first is tried again at once
		s.Errors = append(s.Errors, control.Fault{
			Component: "calls", Message: told.Err.Error(), Hint: cmp.Or(origin.Hint(told.Err), callsHint), Since: told.Since, Count: told.Count,
		})
	}
}

// callsHint is for what is the endpoint's own trouble.
const callsHint = "nobody can call until it works again; bril live on works as ever"
