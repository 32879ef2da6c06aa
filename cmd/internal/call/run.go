package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/calls"
)

const (
	// liveTime is for the session to take an order, which it does at once.
	liveTime = 5 * time.Second
	// posts is how often the endpoint is told that a call is declined or over: what
	// does not arrive, it finds out by its own timeouts.
	posts = 5
)

// Config says what a Control works with. All of it is needed.
type Config struct {
	// Answer and End tell the endpoint, as calls.Client does.
	Answer func(ctx context.Context, conversation string, accept bool) error
	End    func(ctx context.Context, conversation string) error
	// LiveOn has the session go live, and LiveOff end.
	LiveOn  func(ctx context.Context) error
	LiveOff func(ctx context.Context, reason session.Reason) error
	// Cue and Hush let the advisor hear a cue, and end one. They return at once.
	Cue  func(session.Cue)
	Hush func(session.Cue)
	Log  *slog.Logger
}

// Control follows calls. Tell and State may be called from anywhere, and beside Run.
type Control struct {
	cfg  Config
	wake chan struct{} // holds one value while something waits
	done chan struct{} // closed when Run has returned

	mu    sync.Mutex
	inbox []letter
	state State
}

// letter is an event with what the policy does not need to see.
type letter struct {
	event Event
	err   error      // of Answered
	reply chan error // of a press; holds one
}

// press is one that waits for the endpoint's answer.
type press struct {
	conversation string
	reply        chan error
}

// New makes a Control; Run runs it.
func New(cfg Config) *Control {
	return &Control{cfg: cfg, wake: make(chan struct{}, 1), done: make(chan struct{}), state: State{Phase: Idle}}
}

// State returns how it is with the call, at once.
func (c *Control) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Tell takes an event, and returns at once: the session tells from its own loop. What
// waits is bounded by what calls.Client takes of an endpoint.
func (c *Control) Tell(e Event) { c.put(letter{event: e}) }

func (c *Control) put(l letter) {
	c.mu.Lock()
	c.inbox = append(c.inbox, l)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Press does what a press or a command asks for, an Accept, Decline or Hangup, and
// returns once the call is accepted, or why it cannot be done.
func (c *Control) Press(ctx context.Context, e Event) error {
	reply := make(chan error, 1)
	c.put(letter{event: e, reply: reply})
	select {
	case err := <-reply:
		return err
	case <-c.done:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// loop is what only Run's goroutine touches.
type loop struct {
	*Control
	ctx     context.Context
	state   State
	waiting []press
	posting sync.WaitGroup
}

// Run follows the call until ctx ends. It returns after everything that it started.
func (c *Control) Run(ctx context.Context) error {
	defer close(c.done)
	l := &loop{Control: c, ctx: ctx, state: State{Phase: Idle}}
	defer l.posting.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Stop()
		if at, ok := l.state.Deadline(); ok {
			timer.Reset(max(0, at-monotonic.Now()))
		}
		select {
		case <-c.wake:
			for _, letter := range c.take() {
				l.handle(letter)
			}
		case <-timer.C:
			l.handle(letter{event: Tick{}})
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *Control) take() []letter {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.inbox
	c.inbox = nil
	return all
}

func (l *loop) handle(m letter) {
	before := l.state
	if m.reply != nil {
		if err := before.refuses(m.event); err != nil {
			m.reply <- err
			return
		}
	}
	var actions []Action
	l.state, actions = Step(before, m.event, monotonic.Now())
	l.mu.Lock()
	l.Control.state = l.state
	l.mu.Unlock()
	if l.state.Phase != before.Phase {
		l.cfg.Log.Info("call is "+string(l.state.Phase), "was", string(before.Phase), "conversation", cmp.Or(l.state.Conversation, before.Conversation))
	}
	l.answer(m)
	for _, a := range actions {
		l.act(a)
	}
}

// answer replies to presses whose outcome is known.
func (l *loop) answer(m letter) {
	if m.reply != nil {
		if l.state.Pending {
			l.waiting = append(l.waiting, press{l.state.Conversation, m.reply})
			return
		}
		m.reply <- nil
	}
	if l.state.Pending {
		return
	}
	for _, p := range l.waiting {
		var err error
		if l.state.Conversation != p.conversation || l.state.Phase == Ringing {
			err = cmp.Or(m.err, errOver)
		}
		p.reply <- err
	}
	l.waiting = nil
}

func (l *loop) act(a Action) {
	switch a := a.(type) {
	case session.Cue:
		l.cfg.Cue(a)
	case Hush:
		l.cfg.Hush(session.CueRing)
	case Answer:
		l.posting.Go(func() { l.post(a) })
	case End:
		l.posting.Go(func() {
			l.insist("end", func(ctx context.Context) error { return l.cfg.End(ctx, a.Conversation) })
		})
	case LiveOn:
		if err := l.order(l.cfg.LiveOn); err != nil {
			l.cfg.Log.Warn("the call is accepted, and cannot go live", "error", err)
			l.Tell(Hangup{})
		}
	case LiveOff:
		err := l.order(func(ctx context.Context) error { return l.cfg.LiveOff(ctx, a.Reason) })
		if err != nil {
			l.cfg.Log.Warn("the conversation is over, and live goes on", "error", err)
		}
	}
}

func (l *loop) order(do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(l.ctx, liveTime)
	defer cancel()
	return do(ctx)
}

// post delivers an answer. An acceptance is delivered once: who presses is told, and
// may press again.
func (l *loop) post(a Answer) {
	if !a.Accept {
		l.insist("decline", func(ctx context.Context) error { return l.cfg.Answer(ctx, a.Conversation, false) })
		return
	}
	err := l.cfg.Answer(l.ctx, a.Conversation, true)
	result := Undelivered
	switch {
	case err == nil:
		result = Taken
	case errors.Is(err, calls.ErrGone):
		result = Gone
	}
	if err != nil {
		l.cfg.Log.Warn("the call is not accepted", "error", err)
		if result == Undelivered {
			err = fmt.Errorf("%w: %w", ErrUndelivered, err)
		}
		err = fmt.Errorf("accept the call: %w", err)
	}
	l.put(letter{event: Answered{a.Conversation, result}, err: err})
}

// insist tells the endpoint again and again what it would have to find out by itself.
func (l *loop) insist(what string, post func(context.Context) error) {
	wait := time.Second
	for try := 1; ; try++ {
		err := post(l.ctx)
		switch {
		case err == nil, errors.Is(err, calls.ErrGone), l.ctx.Err() != nil:
			return
		case try == posts, errors.Is(err, calls.ErrUnauthorized), errors.Is(err, calls.ErrAbsent), errors.Is(err, ErrNoEndpoint):
			l.cfg.Log.Warn(what+" the call: the endpoint is not told", "error", err)
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-l.ctx.Done():
			timer.Stop()
			return
		}
		wait *= 2
	}
}

// ErrNoEndpoint is for Config's Answer and End where it is not known whom to tell.
var ErrNoEndpoint = errors.New("nobody is known to tell")

// ErrUndelivered is for an acceptance of which the endpoint may not have heard.
var ErrUndelivered = errors.New("the answer did not arrive")

var (
	errStopped = errors.New("the daemon stops")
	errOver    = errors.New("accept the call: it is over")
)

// refuses returns why a press can do nothing.
func (s State) refuses(e Event) error {
	switch e.(type) {
	case Accept, Decline:
		if s.Phase != Ringing {
			return errNoCall{}
		}
	case Hangup:
		if s.Phase == Idle || s.Phase == Ringing {
			return errNoConversation{}
		}
	}
	return nil
}

// errNoCall is why there is nothing to answer.
type errNoCall struct{}

func (errNoCall) Error() string { return "no call rings" }
func (errNoCall) Hint() string  { return "bril status shows the call, where the endpoint has any" }

// errNoConversation is why there is nothing to end.
type errNoConversation struct{}

func (errNoConversation) Error() string { return "there is no conversation with a customer to end" }
func (errNoConversation) Hint() string {
	return "bril live off ends what is live; bril call decline declines a call that rings"
}
