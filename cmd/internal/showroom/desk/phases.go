package desk

import (
	"slices"
	"time"
)

// Phase is what a conversation is in. The words are part of the HTTP interface.
//
//	                      ┌─ next free glasses ─┐
//	                      v                     │
//	booked ──joined──> ringing ─────────────────┘──accept──> connecting ──publisher──> live
//	  ^  │               ^  │                                    │                      │
//	  │  └─none free─> waiting <─ nobody answers (booked)        │                      │
//	  └── away ─────────┘   └──── nobody answers (now) ──────> ended <───────────────────┘
//
// Talk now begins at ringing. Who waits is also accepted by glasses that hear of no
// ring, when these go live. Every step is a row of Table.
type Phase string

// The phases.
const (
	Booked     Phase = "booked"     // the customer has not tapped Join, or has left before anybody answered
	Waiting    Phase = "waiting"    // a booked customer is there, and no glasses are free
	Ringing    Phase = "ringing"    // on one pair of glasses
	Connecting Phase = "connecting" // accepted; no media yet
	Live       Phase = "live"       // media flows, or flowed less than two minutes ago
	Ended      Phase = "ended"
)

// Reason is why a conversation has ended.
type Reason string

// The reasons.
const (
	ByAdvisor    Reason = "advisor"
	ByCustomer   Reason = "customer"
	Unanswered   Reason = "unanswered"
	Declined     Reason = "declined"
	CustomerLeft Reason = "customer_left"
	AdvisorLost  Reason = "advisor_lost"
	Failed       Reason = "failed"
	Cancelled    Reason = "cancelled"
)

// Kind is how a conversation came about.
type Kind string

// The kinds.
const (
	KindNow    Kind = "now"
	KindBooked Kind = "booked"
)

// State is all that the table knows of a conversation. A time since when something
// is missing is zero while it is there.
type State struct {
	Phase  Phase
	Reason Reason // once it has ended
	Kind   Kind
	Since  time.Time // when the phase began, or the ring on the present glasses

	Glasses string   // on which it rings or runs
	Tried   []string // glasses that did not answer lately; never changed, only replaced

	CustomerGone  time.Time // since when no page of the customer's is there
	StreamGone    time.Time // since when the glasses' event stream is not
	PublisherGone time.Time // since when no media comes

	Seen bool // the glasses are told that the customer is there

	Opens, Closes time.Time // the window of an appointment; zero for talk now
}

// What is what happens to a conversation: an event, or a time that is over.
type What string

// The events.
const (
	Joined        What = "joined"         // the customer tapped Join
	Freed         What = "freed"          // glasses of the showroom have come, or are free again
	Accepted      What = "accepted"       // on Event.Glasses
	Refused       What = "declined"       // likewise
	CustomerCame  What = "customer came"  // a page of the customer's is there
	CustomerWent  What = "customer went"  // none is
	StreamCame    What = "stream came"    // the event stream of Event.Glasses
	StreamWent    What = "stream went"    // likewise
	PublisherCame What = "publisher came" // media of the conversation flows, or pauses on purpose
	PublisherWent What = "publisher went"
	CustomerEnds  What = "customer ends"
	AdvisorEnds   What = "advisor ends" // on Event.Glasses
	Withdrawn     What = "cancelled"    // the appointment
	Moved         What = "moved"        // the appointment, to Event.Opens and Closes
	Restarted     What = "restarted"    // the server: nobody is there any more
	Tick          What = "tick"         // State.Deadline has come
)

// The times that are over. Each row with one of them is a deadline.
const (
	NoAnswer      What = "no answer"
	StreamLost    What = "stream lost"
	CustomerAway  What = "customer away"
	AwayNotice    What = "customer unseen"
	RingAgain     What = "nothing rung"
	NotConnected  What = "not connected"
	PublisherLost What = "publisher lost"
	WindowOver    What = "window over"
)

// Event is what has happened, and what was so at that moment.
type Event struct {
	What    What
	At      time.Time
	Glasses string   // of which pair it is, for an event of glasses
	Free    []string // the pairs that could be rung now, the best first

	Opens, Closes time.Time // of Moved
}

// Deed is a kind of action.
type Deed string

// The deeds.
const (
	Ring         Deed = "ring"          // Action.Glasses
	StopRing     Deed = "stop ring"     // on Action.Glasses, for Action.Reason
	Tell         Deed = "tell"          // all sides what it is in now, and keep it
	TellPresence Deed = "tell presence" // of the customer, to Action.Glasses
	Free         Deed = "free"          // Action.Glasses can take another call
	EndRoom      Deed = "end room"      // of the relay
)

// Action is what a step asks for.
type Action struct {
	Do      Deed
	Glasses string
	Reason  Reason // of StopRing
}

// Step returns the state after an event, and what is to be done for it. What was
// due before the event comes before it: who accepts after the time has run out is
// too late, however late the clock is looked at.
func Step(s State, e Event) (State, []Action) {
	before := s
	s, why := s.settle(e, "")
	if e.What != Tick {
		s = s.note(e)
		s, why = s.take(e.What, e, why)
		s, why = s.settle(e, why) // what was only noticed in the phase before is news in this one
	}
	return s, actions(before, s, why)
}

// settle makes the steps that are due.
func (s State) settle(e Event, why Reason) (State, Reason) {
	// Each of these begins a phase anew or ends a notice: few can be due at once.
	for range len(table) {
		due, ok := s.due(e.At)
		if !ok {
			break
		}
		s, why = s.take(due, e, why)
	}
	return s, why
}

// take follows the first row of the table that holds. why is the reason of the
// last row that was followed.
func (s State) take(what What, e Event, why Reason) (State, Reason) {
	for _, row := range table {
		if row.In == s.Phase && row.On == what && row.holds(s, e) {
			return s.enter(row, e), row.Reason
		}
	}
	return s, why
}

// note takes down who is there.
func (s State) note(e Event) State {
	since := func(gone time.Time) time.Time {
		if gone.IsZero() {
			return e.At
		}
		return gone
	}
	switch e.What {
	case CustomerCame:
		s.CustomerGone, s.Seen = time.Time{}, true
	case CustomerWent:
		s.CustomerGone = since(s.CustomerGone)
	case Joined: // who taps is there, and its page will be in a moment
		if !s.CustomerGone.IsZero() {
			s.CustomerGone = e.At
		}
	case PublisherCame:
		s.PublisherGone = time.Time{}
	case PublisherWent:
		s.PublisherGone = since(s.PublisherGone)
	case StreamCame, StreamWent:
		if s.Glasses == e.Glasses && e.What == StreamCame {
			s.StreamGone = time.Time{}
		} else if s.Glasses == e.Glasses {
			s.StreamGone = since(s.StreamGone)
		}
	case Moved:
		if s.Phase == Booked {
			s.Opens, s.Closes = e.Opens, e.Closes
		}
	case Restarted:
		s.CustomerGone, s.StreamGone, s.PublisherGone, s.Seen = e.At, e.At, e.At, false
	}
	return s
}

// enter makes the step of a row.
func (s State) enter(row Row, e Event) State {
	from := s.Phase
	if row.On == AwayNotice {
		s.Seen = false
		return s
	}
	// Glasses that lost their stream have not refused: once they are back, it can ring
	// on them again.
	if from == Ringing && row.To != Connecting && row.On != Restarted && row.On != StreamLost {
		s.Tried = append(slices.Clip(s.Tried), s.Glasses)
	}
	if row.On == RingAgain {
		s.Tried = nil
	}
	s.Phase, s.Since = row.To, e.At
	if row.To == Ended {
		s.Reason = row.Reason
	}
	switch row.To {
	case Booked:
		s.Glasses, s.Tried = "", nil
	case Waiting:
		s.Glasses = ""
	case Ringing:
		if row.On != Restarted {
			s.Glasses, s.StreamGone = s.next(e), time.Time{}
		}
	case Connecting:
		if from == Waiting {
			s.Glasses, s.StreamGone = e.Glasses, e.At
		}
		s.Tried = nil
	case Live:
		if from == Connecting {
			s.PublisherGone = time.Time{}
		}
	}
	return s
}

// next returns the glasses to ring now, "" for none.
func (s State) next(e Event) string {
	for _, glasses := range e.Free {
		if glasses != s.Glasses && !slices.Contains(s.Tried, glasses) {
			return glasses
		}
	}
	return ""
}

// Busy says whether the conversation holds its glasses.
func (s State) Busy() bool { return s.Phase == Ringing || s.Phase == Connecting || s.Phase == Live }

// actions are what follows from a step.
func actions(before, after State, why Reason) (list []Action) {
	rang, rings := before.Phase == Ringing, after.Phase == Ringing
	again := rang && rings && before.Glasses == after.Glasses && before.Since.Equal(after.Since)
	if rang && !again && after.Phase != Connecting {
		list = append(list, Action{Do: StopRing, Glasses: before.Glasses, Reason: why})
	}
	if before.Phase != after.Phase || !before.Since.Equal(after.Since) {
		list = append(list, Action{Do: Tell, Glasses: after.Glasses})
	}
	if rings && !again {
		list = append(list, Action{Do: Ring, Glasses: after.Glasses})
	}
	if after.talks() && (before.Seen != after.Seen || !before.talks()) {
		list = append(list, Action{Do: TellPresence, Glasses: after.Glasses})
	}
	if before.Busy() && (!after.Busy() || before.Glasses != after.Glasses) {
		list = append(list, Action{Do: Free, Glasses: before.Glasses})
	}
	if before.Phase != Ended && after.Phase == Ended {
		list = append(list, Action{Do: EndRoom})
	}
	return list
}
