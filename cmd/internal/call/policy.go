// Package call decides what the advisor hears of a call and what a press does to it:
// a pure state machine (policy.go, step.go) beside the session's, and one loop that
// owns its state (run.go). The session stays the only one that goes live; it gets
// told from here as from a button. With an endpoint that has no calls nothing of
// this ever moves.
package call

import (
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/uplink/calls"
)

// Phase is how it is with a call, in the words of `bril status`.
//
//	      Call              Accept              conversation live
//	idle ──────> ringing ───────────> accepted ──────────────────> talking
//	 ^  ^           │  ^                 │                            │
//	 │  └───────────┘  └─not delivered───┤                            │
//	 │   gone, declined                  │                            │
//	 └───────────────────────────────────┴──────── ended ─────────────┘
//
// While the events of the endpoint are lost an accepted call and a conversation go on,
// and a call rings for no longer than the endpoint would wait.
type Phase string

// The phases.
const (
	Idle     Phase = "idle"
	Ringing  Phase = "ringing"
	Accepted Phase = "accepted" // not live yet
	Talking  Phase = "talking"  // in conversation
)

const (
	// ringEvery is from one ring to the next.
	ringEvery = 4 * time.Second
	// ringTime is how long a call rings here at most. The endpoint goes to the next
	// glasses after 30 s, and says so.
	ringTime = 45 * time.Second
	// lostTime is how long it rings without the endpoint's events: then it rings
	// elsewhere.
	lostTime = 10 * time.Second

	// A customer who leaves, or whose network is poor, may be back at once, as after
	// a reload of the page: it counts when it has lasted leftTime or poorTime. A network
	// is well again when it has been for wellTime.
	leftTime = 3 * time.Second
	poorTime = 3 * time.Second
	wellTime = 10 * time.Second
	// networkEvery is the least time between two cues of the customer's network.
	networkEvery = 30 * time.Second
)

// State is all that the policy remembers. Times are on CLOCK_MONOTONIC; zero means
// not.
type State struct {
	Phase        Phase
	Conversation string // of a call that rings or was accepted; "" while idle
	Kind         string // now or booked
	Pending      bool   // accepted here, and the endpoint has yet to say so

	Room    string // where the session publishes; "" while it does not
	Dropped string // a conversation that was ended before the endpoint had answered
	Last    string // the conversation before, which may still be rated
	Over    string // the one that was ended here, which the endpoint may not know yet
	Refused string // the call that was declined, which the endpoint may not know yet

	RingAt  time.Duration // the next ring
	RingEnd time.Duration // it ceases by itself

	Lost       bool // the endpoint tells nothing
	Presence   steady
	Network    steady
	NetworkAt  time.Duration // when the advisor heard last of the customer's network
	Microphone bool          // the customer's is on
}

// steady is a word that changes, and counts when it has stayed for a while.
type steady struct {
	Now   string        // as it was told last
	Since time.Duration // since when it is that
	Heard string        // what the advisor knows
}

// Event is what has happened: those of package calls, and the following.
type Event any

// The events, beside the endpoint's.
type (
	Accept  struct{} // the advisor takes the call
	Decline struct{}
	Hangup  struct{} // the advisor ends the conversation

	// Answered is what has become of an Answer.
	Answered struct {
		Conversation string
		Result       Result
	}

	Entered struct{ Room string }           // the session publishes there
	Left    struct{ Reason session.Reason } // the session has ended

	Tick struct{} // a moment of State.Deadline has come
)

// Result is how the endpoint took an acceptance.
type Result string

// The results.
const (
	Taken       Result = "taken"
	Gone        Result = "gone"        // it rings here no longer
	Undelivered Result = "undelivered" // it may still ring
)

// Action is what the loop is to do, in order; a session.Cue is one to be heard.
type Action any

// The actions, beside a session.Cue.
type (
	Hush   struct{} // end the ring that is heard
	Answer struct { // tell the endpoint
		Conversation string
		Accept       bool
	}
	End     struct{ Conversation string }   // tell the endpoint that it is over
	LiveOn  struct{}                        // go live, or on after a pause
	LiveOff struct{ Reason session.Reason } // end what is live
)

// progress is what the endpoint says of a conversation, from either of two events.
func progress(p calls.Progress) Phase {
	switch p {
	case calls.Ringing:
		return Ringing
	case calls.Agreed:
		return Accepted
	case calls.Live:
		return Talking
	}
	return Idle // ended, or no longer with these glasses
}
