package call

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/uplink/calls"
)

// world is what the policy's promises are checked against.
type world struct {
	t       *testing.T
	state   State
	now     time.Duration
	pressed string        // the call that the advisor has accepted
	network time.Duration // when its cue was heard last
	history []string
}

// Whatever happens in whatever order, no camera begins without a press, nothing of
// another conversation ends this one, the timer gets on, and nobody talks over the
// conversation.
func FuzzStep(f *testing.F) {
	for _, seed := range []string{
		"hra+TEl+x", "hraTd....H", "rd", "raG", "raU.a", "Nra", "NraTXE", "Lhe", "raTElp..........f......g...........p", "raX.T", "EXra",
		"raTElVRr", "lNX", "raTElDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDh",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		w := &world{t: t, state: State{Phase: Idle}, now: time.Second}
		for _, c := range script[:min(len(script), 200)] {
			w.happen(c)
		}
		w.pass(time.Hour)
	})
}

func (w *world) happen(c byte) {
	switch c {
	case '.':
		w.pass(time.Second)
	case '+':
		w.pass(time.Minute)
	case 'a':
		if w.state.Phase == Ringing {
			w.pressed = w.state.Conversation
		}
		w.event(Accept{})
	case 'd':
		w.event(Decline{})
	case 'H':
		w.event(Hangup{})
	default:
		w.event(told(c))
	}
}

// told is an event that is not of the advisor's.
func told(c byte) Event {
	switch c {
	case 'r':
		return rings(one)
	case 'R':
		return rings(two)
	case 'g':
		return customer("joined", "good")
	case 'p':
		return customer("joined", "poor")
	case 'f':
		return customer("", "frozen")
	case 'P':
		return customer("left", "")
	case 'T', 'G', 'U':
		return Answered{one, map[byte]Result{'T': Taken, 'G': Gone, 'U': Undelivered}[c]}
	case 'V':
		return Answered{two, Taken}
	case 'c':
		return changed(one, calls.Agreed, "")
	case 'l':
		return changed(one, calls.Live, "")
	case 'L':
		return changed(two, calls.Live, "")
	case 'x':
		return changed(one, calls.Ended, "customer")
	case 'b':
		return changed(two, "booked", "")
	case 'D':
		return calls.Down{}
	case 'h':
		return hello("", "")
	case 'e':
		return hello(one, calls.Live)
	case 'i':
		return hello(two, calls.Ringing)
	case 'o':
		return gone(one)
	case 'E':
		return Entered{one}
	case 'N':
		return Entered{"anna"}
	case 'X':
		return Left{session.ByAdvisor}
	case 'Y':
		return Left{session.Concluded}
	case 'u':
		return rating(one, "up")
	}
	return Tick{}
}

// pass lets time pass, with each tick when it is due.
func (w *world) pass(d time.Duration) {
	until := w.now + d
	ticks := 0
	for due, ok := w.state.Deadline(); ok && due <= until; due, ok = w.state.Deadline() {
		if due > w.now {
			w.now, ticks = due, 0
		}
		ticks++
		w.must(ticks < 4, "the timer gets on")
		w.event(Tick{})
	}
	w.now = until
}

func (w *world) event(e Event) {
	w.history = append(w.history, fmt.Sprintf("%v %T%+v: %s", w.now, e, e, w.state.Phase))
	before := w.state
	var actions []Action
	w.state, actions = Step(before, e, w.now)
	for _, a := range actions {
		w.act(before, e, a)
	}
	w.must((w.state.Phase == Idle) == (w.state.Conversation == ""), "idle is without a conversation")
	w.must(!w.state.Pending || w.state.Phase == Accepted, "who waits for the endpoint has accepted")
	if w.state.Phase == Idle {
		w.pressed, w.network = "", 0
	}
}

func (w *world) act(before State, e Event, a Action) {
	inCall := before.Phase == Accepted || before.Phase == Talking
	switch a := a.(type) {
	case LiveOn:
		w.must(w.pressed == w.state.Conversation, "live without a press")
	case LiveOff:
		w.must(inCall, "what is live ends without a conversation")
		about, some := e.(calls.Changed)
		w.must(!some || about.Conversation == before.Conversation, "another conversation ends this one")
	case End:
		w.must(inCall || a.Conversation == before.Dropped, "a conversation ends that is none")
	case session.Cue:
		if a == session.CueTheirNetwork || a == session.CueTheyFreeze {
			w.must(w.network == 0 || w.now-w.network >= networkEvery, "the network is spoken of too often")
			w.network = w.now
		}
	}
}

func (w *world) must(ok bool, what string) {
	w.t.Helper()
	if !ok {
		w.t.Fatalf("not so: %s\n%s\n%+v", what, strings.Join(w.history, "\n"), w.state)
	}
}
