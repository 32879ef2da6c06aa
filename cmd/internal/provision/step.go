// Package provision is the mode in which the glasses look for the QR code of a
// technician with their own camera, and do what it says: join the Wi-Fi, take the time,
// enrol. It looks at no picture outside the mode, and is the only package that reads
// codes (a test reads the imports for it): photos and what is live never are.
package provision

import "time"

// MaxTime is how long the mode lasts at most.
const MaxTime = 5 * time.Minute

// Phase is where the mode is.
//
//	Off --Start--> Looking --Seen--> Joining --Joined--> Clock --Told--> Enrolling
//	 ^                ^                 |                                 |    |
//	 |                +----Refused------+---------------------------------+    |
//	 +---Stop, Late, Broken (any phase)------------------------------Enrolled--+
type Phase string

// The phases.
const (
	Off       Phase = "off"
	Looking   Phase = "looking"   // for a code
	Joining   Phase = "joining"   // the Wi-Fi of one
	Clock     Phase = "time"      // asking for it
	Enrolling Phase = "enrolling" // at the server
	Done      Phase = "done"
	Failed    Phase = "failed" // it looks no longer
)

// Event is what happens.
type Event string

// The events.
const (
	Start    Event = "start"
	Seen     Event = "seen"   // a code with a right signature
	Joined   Event = "joined" // or there is no Wi-Fi in the code
	Told     Event = "told"   // the time, or that nobody tells it
	Enrolled Event = "enrolled"
	Refused  Event = "refused" // the code, by whomever
	Stop     Event = "stop"    // as was asked
	Late     Event = "late"    // MaxTime is over
	Broken   Event = "broken"  // there are no pictures
)

// Action is what is to be done for an event.
type Action string

// The actions.
const (
	Look     Action = "look" // at pictures, from now on
	Join     Action = "join"
	AskTime  Action = "ask-time"
	Enrol    Action = "enrol"
	Keep     Action = "keep"   // the network, over restarts
	Forget   Action = "forget" // the network
	Blind    Action = "blind"  // look no longer: the camera is closed
	SayBegun Action = "say-begun"
	SayDone  Action = "say-done"
	SayNo    Action = "say-no"
)

// Step decides. What does not fit a phase changes nothing.
func Step(p Phase, e Event) (Phase, []Action) {
	over := p == Off || p == Done || p == Failed
	switch {
	case over && e == Start:
		return Looking, []Action{SayBegun, Look}
	case over:
		return p, nil
	case e == Stop:
		return Off, []Action{Forget, Blind}
	case e == Late, e == Broken:
		return Failed, []Action{Forget, Blind, SayNo}
	case p == Looking && e == Refused:
		return Looking, []Action{SayNo}
	case e == Refused:
		return Looking, []Action{Forget, SayNo, Look}
	case p == Looking && e == Seen:
		return Joining, []Action{Blind, Join}
	case p == Joining && e == Joined:
		return Clock, []Action{AskTime}
	case p == Clock && e == Told:
		return Enrolling, []Action{Enrol}
	case p == Enrolling && e == Enrolled:
		return Done, []Action{Keep, SayDone}
	}
	return p, nil
}
