// Package session decides when the glasses capture and publish, and does it: a
// pure state machine (policy.go, step.go) and one loop that owns the goroutines
// (run.go). Where pictures, encoders and the uplink come from is the caller's to
// say.
package session

import (
	"time"

	"github.com/bril-edge/bril/hardware"
)

// Phase is what the session is doing, in the words of `bril status`.
//
//	          On                opened, connected
//	off ─> ready ───> connecting ────────────────> live ──Mute───> paused
//	         ^   ^        │  ^ │                   │  ^              │
//	         │   └fault<──┘  │ └──<──── lost ──────┘  └──────On──────┘
//	         │  (retries)────┘                     │
//	         └────────────── stopping <──End───────┘   (from all of them)
//
// While it is ready, Keep has the sources run for the Tap alone; see State.Kept.
type Phase string

// The phases.
const (
	Off        Phase = "off"        // not running
	Ready      Phase = "ready"      // nothing is captured, or something for the Tap alone
	Connecting Phase = "connecting" // sources are opened, the endpoint is called
	Live       Phase = "live"       // what is captured leaves
	Paused     Phase = "paused"     // connected; black and silence leave
	Stopping   Phase = "stopping"   // the endpoint is told, sources close
	Fault      Phase = "fault"      // live is wanted, and a source does not open
)

// Limits say when a conversation ends by itself, so that nobody stays live by
// mistake. Zero means never.
type Limits struct {
	MaxLive  time.Duration // since the advisor went live
	NoViewer time.Duration // without anybody watching, where the endpoint tells
	Warn     time.Duration // before either
}

// State is all that the policy remembers. Times are on CLOCK_MONOTONIC; zero
// means not.
type State struct {
	Phase     Phase
	Wanted    bool // the advisor has gone live and not ended it
	Muted     bool // paused, or to be paused once connected
	Opened    bool // sources and encoders run
	Connected bool
	Reached   bool // the endpoint, since the advisor went live: what is captured may be recorded
	Quitting  bool // the daemon ends

	// Somebody takes photos or clips without a conversation: the sources run for the
	// Tap alone, or will once what runs is closed. Never while Wanted.
	Kept    bool
	Closing bool // and while it is ready these are being closed

	// Generation counts the attempts to open sources and to call the endpoint,
	// and their ends: what an earlier one still reports changes nothing.
	Generation Generation

	LiveSince time.Duration // when the advisor went live
	DownSince time.Duration // when the last outage began; what does not hold does not end it
	Away      bool          // in this outage the endpoint was not there: once it is back, the outage is over
	RetryAt   time.Duration // when to open or dial again
	AloneFrom time.Duration // since when nobody has been watching
	Warned    Reason        // of which end the advisor has been warned

	Told     Cue           // what the advisor heard last of how the conversation is; "" for nothing yet
	Strained bool          // the network carries next to nothing
	Frozen   bool          // no picture leaves
	PoorAt   time.Duration // when the advisor heard last of a poor network
	FrozenAt time.Duration // and of a frozen picture

	Battery hardware.BatteryLevel // "" until it is known; kept over conversations
	Heat    hardware.HeatLevel    // likewise
}

// Reason says why a conversation ended, or is about to.
type Reason string

// The reasons.
const (
	ByAdvisor  Reason = "ended by the advisor"
	ByCustomer Reason = "ended by the customer"
	Concluded  Reason = "ended at the endpoint"
	Moved      Reason = "left for a call"
	TooLong    Reason = "live for the longest time allowed"
	NoViewer   Reason = "nobody was watching"
	EndOfFile  Reason = "the source has ended"
	Shutdown   Reason = "the daemon stops"
	NoCharge   Reason = "the battery is nearly empty"
)

// Generation numbers an attempt. An event that carries it is a report of that
// attempt.
type Generation int

func (g Generation) generation() Generation { return g }

// Event is what has happened.
type Event interface{ event() }

// The events.
type (
	On   struct{}                // go live, or go on after a pause
	Mute struct{}                // pause
	End  struct{ Reason Reason } // end the conversation
	Hung struct{}                // everything of a conversation has been closed
	Tick struct{}                // a moment of State.Deadline has come

	Keep struct{ On bool } // what is captured is needed without a conversation, or no longer so

	Came struct{ Camera, Microphone bool } // such a device, or more than that is known

	Battery struct{ Level hardware.BatteryLevel } // it has reached another level
	Heat    struct{ Level hardware.HeatLevel }    // likewise
)

// The events that report of an attempt.
type (
	Opened struct{ Generation } // the sources run
	Failed struct {             // they do not
		Generation
		Wait time.Duration // until the next try
	}
	Connected struct{ Generation } // packets can flow
	Refused   struct {             // the endpoint was not reached, or said no
		Generation
		Wait time.Duration // until the next try
		Away bool          // it was not there
	}
	Lost struct { // the connection has gone
		Generation
		Wait time.Duration // until the next try; usually none
	}
	Watched struct { // the endpoint tells how many are watching
		Generation
		Viewers int
	}
	Over   struct{ Generation } // the endpoint says that the conversation is over
	Strain struct {             // the network carries next to nothing, or no longer so
		Generation
		On bool
	}
	Freeze struct { // pictures have ceased to leave, or leave again
		Generation
		On bool
	}
)

func (On) event()        {}
func (Mute) event()      {}
func (End) event()       {}
func (Hung) event()      {}
func (Tick) event()      {}
func (Keep) event()      {}
func (Came) event()      {}
func (Battery) event()   {}
func (Heat) event()      {}
func (Opened) event()    {}
func (Failed) event()    {}
func (Connected) event() {}
func (Refused) event()   {}
func (Lost) event()      {}
func (Watched) event()   {}
func (Over) event()      {}
func (Strain) event()    {}
func (Freeze) event()    {}

// Action is what the loop is to do, in order.
type Action interface{ action() }

// The actions, beside Cue.
type (
	Open   struct{ Generation }    // open sources and encoders
	Dial   struct{ Generation }    // call the endpoint
	Attach struct{}                // send over the connection that has come
	Detach struct{}                // stop sending, and forget the lost connection
	Record struct{ On bool }       // begin to show the Tap what is captured, or end that
	Blank  struct{ On bool }       // send black and silence, or what is captured
	HangUp struct{ Reason Reason } // close sources and connection, and tell Hung
	Join   struct{}                // go on for a conversation with what was opened without one
	Close  struct{}                // close what was opened without a conversation, and tell Hung
	Ease   struct {                // do as much as the board can bear
		Heat hardware.HeatLevel
	}
	Warn struct { // log what the advisor hears a cue of
		Reason Reason
		Left   time.Duration
	}
	Quit struct{} // the loop may end
)

func (Open) action()   {}
func (Dial) action()   {}
func (Attach) action() {}
func (Detach) action() {}
func (Record) action() {}
func (Blank) action()  {}
func (HangUp) action() {}
func (Join) action()   {}
func (Close) action()  {}
func (Ease) action()   {}
func (Warn) action()   {}
func (Quit) action()   {}
