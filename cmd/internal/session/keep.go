package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bril-edge/bril/hardware"
)

// Photos and clips without a conversation: as long as somebody needs what is
// captured the sources run for the Tap alone, and nobody is called. A conversation
// that begins goes on with them; it is another recording. One that is paused is
// not over: nobody gets pictures of a pause.
//
//	       Keep          Opened                 nobody needs it
//	ready ──────> opens ────────> runs (Record) ───────────────> closes ─Hung─> ready
//	                │ Failed: who asked is told                    ^
//	                └──────────────────────────────────────────────┘

// keep is the policy for who needs what is captured without a conversation.
func keep(s State, on bool) (State, []Action) {
	switch {
	case !on && s.Kept:
		return release(s)
	case !on, s.Kept, s.Wanted, s.Quitting, s.Battery == hardware.BatteryEmpty:
		return s, nil
	}
	s.Kept = true
	if s.Phase == Stopping || s.Closing {
		return s, nil
	}
	return openKept(s)
}

func openKept(s State) (State, []Action) {
	s.Generation++
	return s, []Action{Open{s.Generation}}
}

// release is what nobody needs any longer.
func release(s State) (State, []Action) {
	if s.Phase == Stopping || s.Closing { // it has not been opened
		s.Kept = false
		return s, nil
	}
	return closeKept(s)
}

func closeKept(s State) (State, []Action) {
	s.Kept, s.Opened, s.Closing = false, false, true
	s.Generation++
	return s, []Action{Close{}}
}

// join goes on with what runs without a conversation, or is being opened.
func join(s State, now time.Duration) (State, []Action) {
	s.Kept, s.Wanted, s.Phase, s.LiveSince, s.DownSince = false, true, Connecting, now, now
	if !s.Opened {
		return s, []Action{Join{}}
	}
	s.Generation++
	return s, []Action{Join{}, Dial{s.Generation}}
}

// endKept ends what runs without a conversation. It has an end of its own: an
// advisor who ends conversations does not mean it.
func endKept(s State, reason Reason) (State, []Action) {
	var actions []Action
	if s.Kept && (reason.forbids() || reason == EndOfFile && !s.Closing) {
		s, actions = release(s)
	}
	if s.Quitting {
		s.Phase, s.Closing = Stopping, false
	}
	return s, actions
}

// forbids says that nothing is to be captured afterwards.
func (r Reason) forbids() bool { return r == Shutdown || r == NoCharge }

// Claim is the right to what is captured, of somebody who needs it.
type Claim struct {
	// Alone says that the sources run without a conversation. They may have just
	// begun: no picture need have come.
	Alone bool
	// Release gives it back. Sources that nobody else needs close.
	Release func()
}

// keeper is who has a Claim, or waits for one.
type keeper struct {
	sound  bool
	answer chan answer // holds one
}

type answer struct {
	alone bool
	err   error
}

// openTime is how long sources may take to open until who asked is told so.
const openTime = 5 * time.Second

// Keep returns once what is captured is shown to the Tap: at once in a
// conversation that is live, and where Config.Outside allows it without one, for
// which the camera runs until the claim is released, and with sound the microphone.
// It returns why that cannot be within 5 s. What is captured may end before that; the
// Tap is told.
func (s *Session) Keep(ctx context.Context, sound bool) (Claim, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, openTime, errLate{})
	defer cancel()
	k := &keeper{sound: sound, answer: make(chan answer, 1)}
	select {
	case s.events <- message{event: Keep{true}, keeper: k}:
	case <-s.done:
		return Claim{}, errStopped
	case <-ctx.Done():
		return Claim{}, context.Cause(ctx)
	}
	release := sync.OnceFunc(func() {
		select {
		case s.events <- message{event: Keep{false}, keeper: k}:
		case <-s.done:
		}
	})
	a := s.wait(ctx, k)
	if a.err != nil {
		release()
		return Claim{}, a.err
	}
	return Claim{Alone: a.alone, Release: release}, nil
}

func (s *Session) wait(ctx context.Context, k *keeper) answer {
	select {
	case a := <-k.answer:
		return a
	case <-s.done:
		return answer{err: errStopped}
	case <-ctx.Done():
		return answer{err: context.Cause(ctx)}
	}
}

// Recordable returns why Keep would fail now; nil when nothing is known to be in
// its way.
func (s *Session) Recordable() error {
	return s.shown.Load().state.recordable(s.cfg.Outside)
}

func (s State) recordable(outside bool) error {
	switch {
	case s.records():
		return nil
	case s.Quitting, s.Phase == Off:
		return errStopped
	case s.Muted:
		return errPaused{}
	case s.Wanted:
		return errNotLive{}
	case !outside:
		return errNoConversation{}
	case s.Battery == hardware.BatteryEmpty:
		return errNoCapture{}
	}
	return nil
}

// note notes a keeper who comes or goes, and returns what the policy is to know.
func (l *loop) note(m message) Event {
	if m.event == (Keep{true}) {
		l.keepers[m.keeper] = true
	} else {
		delete(l.keepers, m.keeper)
	}
	if l.state.Kept && l.media != nil && l.hears() {
		l.media.hear(true)
	}
	return Keep{l.cfg.Outside && len(l.keepers) > 0}
}

// hears says that somebody needs sound.
func (l *loop) hears() bool {
	for k := range l.keepers {
		if k.sound {
			return true
		}
	}
	return false
}

// answer tells the keepers that what they need is there, or will not be; why is
// what has just failed, if something has.
func (l *loop) answer(why error) {
	switch {
	case len(l.keepers) == 0:
	case l.state.records():
		for k := range l.keepers {
			k.tell(answer{alone: l.state.Kept})
		}
	case !l.state.Kept:
		err := cmp.Or(l.state.recordable(l.cfg.Outside), why, errSourceEnded)
		for k := range l.keepers {
			k.tell(answer{err: err})
		}
		clear(l.keepers)
	}
}

// tell is heard once.
func (k *keeper) tell(a answer) {
	select {
	case k.answer <- a:
	default:
	}
}

var (
	errStopped     = errors.New("the daemon stops")
	errSourceEnded = errors.New("the source has ended")
)

// errNoConversation is why photos and clips are refused where there is nobody to
// ask for them.
type errNoConversation struct{}

func (errNoConversation) Error() string {
	return "photos and clips are of a conversation, and none is live"
}

func (errNoConversation) Hint() string {
	return "bril live on; or set media.outside_session to take them without one"
}

// errPaused is why they are refused although there is one.
type errPaused struct{}

func (errPaused) Error() string {
	return "the conversation is paused: until it goes on nothing is captured"
}
func (errPaused) Hint() string { return "bril live on goes on" }

// errNotLive is why they are refused before there is one.
type errNotLive struct{}

func (errNotLive) Error() string { return "the conversation is not live yet" }
func (errNotLive) Hint() string  { return "bril status shows what it waits for" }

type errNoCapture struct{}

func (errNoCapture) Error() string { return string(NoCharge) }
func (errNoCapture) Hint() string  { return errNoCharge{}.Hint() }

// errLate is why who waits for pictures gets none.
type errLate struct{}

func (errLate) Error() string {
	return fmt.Sprintf("camera and microphone did not open within %v", openTime)
}
func (errLate) Hint() string {
	return "bril status shows what is in their way; bril doctor looks further"
}
