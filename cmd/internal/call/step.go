package call

import (
	"cmp"
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/uplink/calls"
)

// Step is the whole policy: it returns the state after an event at the moment now,
// and what is to be done. It has no clock, I/O or goroutine.
func Step(s State, e Event, now time.Duration) (State, []Action) {
	switch e := e.(type) {
	case calls.Hello:
		return s.greeted(e.Conversation, now)
	case calls.Call:
		return s.called(e, now)
	case calls.CallGone:
		if s.Phase == Ringing && e.Conversation == s.Conversation {
			return s.idle(Hush{})
		}
		s = s.heardOf(e.Conversation)
	case calls.Changed:
		return s.changed(e, now)
	case calls.Customer:
		if e.Conversation == s.Conversation {
			return s.customer(e, now)
		}
	case calls.Rating:
		return s, s.rated(e)
	case calls.Down:
		s.Lost = true
		if s.Phase == Ringing {
			s.RingEnd = min(s.RingEnd, now+lostTime)
		}
	case Accept:
		return s.accept()
	case Decline:
		return s.decline()
	case Hangup:
		return s.hangup()
	case Answered:
		return s.answered(e, now)
	case Entered:
		return s.entered(e.Room)
	case Left:
		return s.left(e.Reason)
	case Tick:
		return s.tick(now)
	}
	return s, nil
}

// greeted takes over how things stand: what was missed while nothing was heard.
func (s State) greeted(of *calls.Snapshot, now time.Duration) (State, []Action) {
	s.Lost = false
	if of == nil {
		s.Refused, s.Over = "", ""
		return s.over(session.Concluded)
	}
	phase := progress(of.State)
	if phase == Ringing && of.Conversation == s.Refused || s.done(of.Conversation) {
		return s, nil
	}
	var actions []Action
	if of.Conversation != s.Conversation {
		s, actions = s.over(session.Concluded)
	}
	var more []Action
	switch {
	case phase == Ringing && s.Phase == Idle:
		s, more = s.ring(of.Call, now)
	case phase == Ringing && s.Phase == Ringing:
		s.RingEnd = now + ringTime
	case phase == Ringing: // accepted here: the answer is on its way
	case phase == Idle:
		s, more = s.over(concluded(of.Reason))
	default:
		s, more = s.take(of.Call, phase)
	}
	actions = append(actions, more...)
	if s.Phase != Idle {
		s, more = s.customer(of.Customer, now)
		actions = append(actions, more...)
	}
	return s, actions
}

// called rings, unless there is a conversation: then two would be mixed up.
func (s State) called(c calls.Call, now time.Duration) (State, []Action) {
	s.Refused, s.Over = "", ""
	if s.Phase == Idle || s.Phase == Ringing && c.Conversation != s.Conversation {
		return s.ring(c, now)
	}
	return s, nil
}

func (s State) ring(c calls.Call, now time.Duration) (State, []Action) {
	s = s.with(c)
	s.Phase, s.RingAt, s.RingEnd = Ringing, now+ringEvery, now+ringTime
	return s, []Action{session.CueRing}
}

// with forgets all that was of another conversation.
func (s State) with(c calls.Call) State {
	return State{
		Phase: s.Phase, Conversation: c.Conversation, Kind: c.Kind,
		Room: s.Room, Dropped: s.Dropped, Last: s.Last, Over: s.Over, Lost: s.Lost,
	}
}

// changed follows the conversation. One that is not known here was begun by going
// live, or before a restart.
func (s State) changed(e calls.Changed, now time.Duration) (State, []Action) {
	phase := progress(e.State)
	switch {
	case e.Conversation != s.Conversation && s.Phase != Idle, s.done(e.Conversation), phase == Ringing:
		return s, nil
	case phase != Idle:
		return s.take(calls.Call{Conversation: e.Conversation, Kind: s.Kind}, phase)
	case s.Phase == Idle:
		return s, nil
	}
	return s.over(concluded(e.Reason))
}

// take makes a conversation that the endpoint counts as accepted the one of these
// glasses. Who was waiting for that goes live; who finds it, as after a crash, hears
// that somebody waits: no camera begins by itself.
func (s State) take(c calls.Call, phase Phase) (State, []Action) {
	was, pending := s.Phase, s.Pending
	if c.Conversation != s.Conversation {
		s = s.with(c)
	}
	s.Phase, s.Pending, s.RingAt, s.RingEnd = phase, false, 0, 0
	s = s.met()
	switch {
	case pending:
		return s, s.goLive()
	case was == Ringing:
		return s, []Action{Hush{}}
	case was == Idle && s.Room == "":
		return s, []Action{session.CueRing}
	}
	return s, nil
}

// met says that the advisor knows of the customer: who calls is there.
func (s State) met() State {
	s.Presence.Heard = cmp.Or(s.Presence.Heard, "joined")
	return s
}

// goLive goes into the conversation. The endpoint chooses the room when it is called:
// who is live in another one calls it again.
func (s State) goLive() []Action {
	if s.elsewhere() {
		return []Action{LiveOff{session.Moved}, LiveOn{}}
	}
	return []Action{LiveOn{}}
}

// elsewhere says that what is live is not the conversation.
func (s State) elsewhere() bool { return s.Room != "" && s.Room != s.Conversation }

// accept is heard at once: the ring ends.
func (s State) accept() (State, []Action) {
	if s.Phase != Ringing {
		return s, nil
	}
	s.Phase, s.Pending, s.RingAt, s.RingEnd = Accepted, true, 0, 0
	return s, []Action{Hush{}, Answer{s.Conversation, true}}
}

func (s State) decline() (State, []Action) {
	if s.Phase != Ringing {
		return s, nil
	}
	declined := s.Conversation
	s, actions := s.idle(Hush{}, Answer{declined, false})
	s.Refused = declined
	return s, actions
}

// answered goes live once the endpoint agrees. An answer that did not arrive leaves
// it ringing: the advisor may press again.
func (s State) answered(e Answered, now time.Duration) (State, []Action) {
	if e.Conversation == s.Dropped {
		s.Dropped = ""
		if e.Result == Gone {
			return s, nil
		}
		return s, []Action{End{e.Conversation}}
	}
	if !s.Pending || e.Conversation != s.Conversation {
		return s, nil
	}
	s.Pending = false
	switch e.Result {
	case Taken:
		return s.met(), s.goLive()
	case Gone:
		return s.idle(session.CueRefused)
	}
	s.Phase, s.RingAt, s.RingEnd = Ringing, now+ringEvery, now+ringTime
	return s, []Action{session.CueRefused}
}

// hangup ends the conversation for both sides.
func (s State) hangup() (State, []Action) {
	if s.Phase == Idle || s.Phase == Ringing { // which is declined, not ended
		return s, nil
	}
	of, pending, elsewhere := s.Conversation, s.Pending, s.elsewhere()
	s, _ = s.idle()
	s.Over = of
	switch {
	case pending: // the end must not overtake the answer
		s.Dropped = of
		return s, nil
	case elsewhere:
		return s, []Action{End{of}}
	}
	return s, []Action{LiveOff{session.ByAdvisor}, End{of}}
}

// entered is told the room that the endpoint chose: that of a conversation, also of
// one that is only found out so, as the endpoint's events are lost. Who was in one and
// is connected anew to another room has missed its end: nobody is live there by
// mistake, nor for a customer whom nobody has accepted.
func (s State) entered(room string) (State, []Action) {
	was := s.Room
	s.Room, s.Over = room, ""
	switch {
	case s.attended() && room != "" && room != s.Conversation && (was == "" || was == s.Conversation):
		return s.idle(LiveOff{session.Concluded})
	case s.Phase != Idle && room == s.Conversation:
		return s.take(calls.Call{Conversation: room}, Talking)
	case s.Phase == Idle && calls.ValidID(room):
		return s.take(calls.Call{Conversation: room}, Talking)
	}
	return s, nil
}

// left follows the session's end. That of the daemon is none of the conversation,
// which a restart may go on with.
func (s State) left(reason session.Reason) (State, []Action) {
	elsewhere := s.elsewhere()
	s.Room = ""
	switch {
	case elsewhere, reason == session.Moved, reason == session.Shutdown, s.Phase == Ringing, s.Phase == Idle:
		return s, nil
	case s.Pending:
		return s.hangup()
	}
	of := s.Conversation
	s, actions := s.idle()
	s.Over = of
	if reason == session.Concluded || reason == session.ByCustomer {
		return s, actions
	}
	return s, append(actions, End{of})
}

// heardOf says that the endpoint knows of the call that was declined: it may ring again.
func (s State) heardOf(conversation string) State {
	if conversation == s.Refused {
		s.Refused = ""
	}
	return s
}

// done says that a conversation was ended here: what the endpoint tells of it was on
// its way.
func (s State) done(conversation string) bool {
	return conversation == s.Dropped || conversation == s.Over
}

// over is an end that the endpoint tells of.
func (s State) over(reason session.Reason) (State, []Action) {
	switch s.Phase {
	case Idle:
		return s, nil
	case Ringing:
		return s.idle(Hush{})
	}
	switch {
	case s.Pending:
		return s.idle(session.CueRefused)
	case s.elsewhere():
		return s.idle()
	}
	return s.idle(LiveOff{reason})
}

// concluded is what an end is called here.
func concluded(reason string) session.Reason {
	if reason == "customer" {
		return session.ByCustomer
	}
	return session.Concluded
}

// idle forgets the call.
func (s State) idle(actions ...Action) (State, []Action) {
	s = State{Phase: Idle, Room: s.Room, Dropped: s.Dropped, Over: s.Over, Last: cmp.Or(s.Conversation, s.Last), Lost: s.Lost}
	return s, actions
}

// rated is of the conversation that runs, or the last one.
func (s State) rated(e calls.Rating) []Action {
	if e.Conversation != s.Conversation && e.Conversation != s.Last {
		return nil
	}
	switch e.Thumb {
	case "up":
		return []Action{session.CueThumbUp}
	case "down":
		return []Action{session.CueThumbDown}
	}
	return nil
}

func (s State) tick(now time.Duration) (State, []Action) {
	if s.Phase == Ringing {
		switch {
		case now >= s.RingEnd:
			return s.idle(Hush{})
		case now >= s.RingAt:
			s.RingAt = now + ringEvery
			return s, []Action{session.CueRing}
		}
	}
	return s.hear(now)
}
