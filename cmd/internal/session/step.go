package session

import (
	"cmp"
	"time"

	"github.com/bril-edge/bril/hardware"
)

// Step is the whole policy: it returns the state after an event at the moment
// now, and what is to be done. It has no clock, I/O or goroutine.
func Step(s State, e Event, now time.Duration, limits Limits) (State, []Action) {
	if s.stale(e) {
		return s, nil
	}
	next, actions := s.after(e, now, limits)
	if on := next.records(); on != s.records() {
		// First: a recording ends before anything else happens, and misses nothing of
		// what it is begun for.
		actions = append([]Action{Record{on}}, actions...)
	}
	return next, actions
}

// records says whether what is captured may be recorded: from when the
// conversation became live to its end, but for pauses; a lost connection does not
// end it. Without a conversation, while somebody asks for it.
func (s State) records() bool { return s.Reached && !s.Muted || s.Kept && s.Opened }

func (s State) after(e Event, now time.Duration, limits Limits) (State, []Action) {
	switch e := e.(type) {
	case On:
		return goLive(s, now)
	case Mute:
		return pause(s)
	case End:
		return end(s, e.Reason)
	case Hung:
		return hung(s, now)
	case Keep:
		return keep(s, e.On)
	case Tick:
		return tick(s, now, limits)
	case Opened:
		return opened(s)
	case Failed:
		return failed(s, e.Wait, now)
	case Connected:
		return connected(s, now)
	case Refused:
		return refuse(s, e, now)
	case Lost:
		return redial(s, now, e.Wait)
	case Watched:
		return watched(s, e.Viewers, now), nil
	case Over:
		return end(s, Concluded)
	case Strain:
		return strain(s, e.On, now)
	case Freeze:
		return freeze(s, e.On, now)
	case Came:
		return came(s, e)
	case Battery:
		return charge(s, e.Level)
	case Heat:
		return warm(s, e.Level)
	}
	return s, nil
}

// stale says that e is a report of an attempt that has been given up.
func (s State) stale(e Event) bool {
	report, ok := e.(interface{ generation() Generation })
	return ok && report.generation() != s.Generation
}

// goLive starts a conversation, or goes on with a paused one. While the last one
// is being closed the wish is kept.
func goLive(s State, now time.Duration) (State, []Action) {
	switch {
	case s.Quitting:
		return s, nil
	case s.Muted:
		return resume(s)
	case s.Wanted:
		return s, nil
	case s.Battery == hardware.BatteryEmpty:
		return s, []Action{CueBattery}
	case s.Phase == Stopping || s.Closing:
		s.Phase, s.Wanted, s.Kept, s.Closing = Stopping, true, false, false
		return s, nil
	case s.Kept:
		return join(s, now)
	}
	return start(s, now)
}

// resume answers the press even where it can only say that there is no connection.
func resume(s State) (State, []Action) {
	s.Muted = false
	if !s.Connected {
		s.Told, s.PoorAt = "", 0
		return s, []Action{Blank{false}}
	}
	s.Phase = Live
	s, cues := s.say(CueLive)
	return s, append([]Action{Blank{false}}, cues...)
}

func start(s State, now time.Duration) (State, []Action) {
	s.Generation++
	s.Wanted, s.Phase, s.LiveSince, s.DownSince, s.Away = true, Connecting, now, now, false
	return s, []Action{Open{s.Generation}}
}

// pause holds before the connection stands, too: then it begins with black.
func pause(s State) (State, []Action) {
	if !s.Wanted || s.Muted || s.Phase == Stopping {
		return s, nil
	}
	s.Muted, s.Strained, s.Frozen = true, false, false
	if s.Connected {
		s.Phase = Paused
	}
	s, cues := s.say(CuePaused)
	return s, append([]Action{Blank{true}}, cues...)
}

func end(s State, reason Reason) (State, []Action) {
	s.Quitting = s.Quitting || reason == Shutdown
	switch {
	case s.Phase == Stopping:
		// This takes back a wish to go live again, unless it is about the
		// conversation that is ending.
		s.Wanted = s.Wanted && reason == EndOfFile
		s.Kept = s.Kept && !reason.forbids()
		return s, nil
	case s.Wanted:
		return State{
			Phase: Stopping, Generation: s.Generation + 1, Quitting: s.Quitting, Battery: s.Battery, Heat: s.Heat,
		}, []Action{HangUp{reason}, reason.cue()}
	case s.Kept || s.Closing:
		return endKept(s, reason)
	case s.Quitting:
		s.Phase = Off
		return s, []Action{Quit{}}
	}
	return s, nil
}

func hung(s State, now time.Duration) (State, []Action) {
	switch {
	case s.Phase != Stopping && !s.Closing:
		return s, nil
	case s.Quitting:
		s.Phase = Off
		return s, []Action{Quit{}}
	case s.Wanted:
		return start(s, now)
	}
	s.Phase, s.Closing = Ready, false
	if s.Kept {
		return openKept(s)
	}
	return s, nil
}

// opened calls the endpoint, unless what has been opened is for the Tap alone.
func opened(s State) (State, []Action) {
	s.Opened = true
	if s.Kept {
		return s, nil
	}
	s.Phase = Connecting
	return s, []Action{Dial{s.Generation}}
}

// failed tries again for a conversation; who takes a photo is told at once.
func failed(s State, wait, now time.Duration) (State, []Action) {
	if s.Kept {
		return closeKept(s)
	}
	s.Phase, s.RetryAt = Fault, now+wait
	return s.say(CueRefused)
}

// connected ends the outage of an endpoint that had gone, even if it goes again
// at once. One that was there all the time and drops what it takes has to hold
// first.
func connected(s State, now time.Duration) (State, []Action) {
	s.Connected, s.Reached, s.Phase = true, true, Live
	if s.Away {
		s.Away, s.DownSince = false, now
	}
	cue := CueLive
	if s.Muted {
		s.Phase, cue = Paused, CuePaused
	}
	s, cues := s.say(cue)
	return s, append([]Action{Attach{}}, cues...)
}

// refuse is heard as the answer to a press; in an outage the advisor knows.
func refuse(s State, e Refused, now time.Duration) (State, []Action) {
	s.RetryAt = now + e.Wait
	s.Away = s.Away || e.Away
	switch {
	case s.Told != "":
		return s, nil
	case !e.Away:
		return s.say(CueRefused)
	}
	s.PoorAt = now
	return s.say(CuePoorNetwork)
}

// redial calls the endpoint at once where a connection has held for a while:
// waiting is for after a refusal.
func redial(s State, now, wait time.Duration) (State, []Action) {
	s.Generation++
	s.Connected, s.Phase, s.Strained, s.Frozen = false, Connecting, false, false
	s = attended(s)
	s, cues := s.trouble(now)
	if wait > 0 {
		s.RetryAt = now + wait
		return s, append([]Action{Detach{}}, cues...)
	}
	s.DownSince = now
	return s, append([]Action{Detach{}, Dial{s.Generation}}, cues...)
}

// came opens a camera that may be there now without waiting for the next try.
// While one is opened, that attempt reports when it may have been too early.
func came(s State, e Came) (State, []Action) {
	if !e.Camera || s.Phase != Fault || s.RetryAt == 0 {
		return s, nil
	}
	s.RetryAt = 0
	s.Generation++
	return s, []Action{Open{s.Generation}}
}

// strain is of what is captured: black needs hardly any room. That it is over is
// not heard; the customer has seen a picture all the time.
func strain(s State, on bool, now time.Duration) (State, []Action) {
	if s.Phase != Live {
		return s, nil
	}
	s.Strained = on
	if !on && s.Told == CuePoorNetwork {
		s.Told = CueLive
	}
	return s.trouble(now)
}

func freeze(s State, on bool, now time.Duration) (State, []Action) {
	if s.Phase != Live {
		return s, nil
	}
	s.Frozen = on
	if !on && s.Told == CueFrozen {
		return s.say(CueLive)
	}
	return s.trouble(now)
}

func watched(s State, viewers int, now time.Duration) State {
	if viewers > 0 {
		return attended(s)
	}
	s.AloneFrom = cmp.Or(s.AloneFrom, now)
	return s
}

// attended takes back that nobody is watching.
func attended(s State) State {
	s.AloneFrom = 0
	if s.Warned == NoViewer {
		s.Warned = ""
	}
	return s
}

func tick(s State, now time.Duration, limits Limits) (State, []Action) {
	var actions []Action
	if reason, at := s.ends(limits); reason != "" {
		switch {
		case now >= at:
			return end(s, reason)
		case now >= at-limits.Warn && s.Warned != reason:
			s.Warned = reason
			actions = append(actions, Warn{reason, at - now}, CueEnding)
		}
	}
	s, cues := s.trouble(now)
	actions = append(actions, cues...)
	if s.RetryAt == 0 || now < s.RetryAt {
		return s, actions
	}
	s.RetryAt = 0
	s.Generation++
	if s.Opened {
		return s, append(actions, Dial{s.Generation})
	}
	return s, append(actions, Open{s.Generation})
}

// ends returns which limit ends the conversation first, and when; no reason
// where none does.
func (s State) ends(limits Limits) (reason Reason, at time.Duration) {
	if limits.MaxLive > 0 && s.LiveSince != 0 {
		reason, at = TooLong, s.LiveSince+limits.MaxLive
	}
	if limits.NoViewer > 0 && s.AloneFrom != 0 {
		if alone := s.AloneFrom + limits.NoViewer; reason == "" || alone < at {
			reason, at = NoViewer, alone
		}
	}
	return reason, at
}

// Deadline is when the next Tick is due; false for never.
func (s State) Deadline(limits Limits) (at time.Duration, ok bool) {
	sooner := func(due time.Duration) {
		if !ok || due < at {
			at, ok = due, true
		}
	}
	if reason, end := s.ends(limits); reason != "" {
		if s.Warned != reason {
			end -= limits.Warn
		}
		sooner(end)
	}
	if s.RetryAt != 0 {
		sooner(s.RetryAt)
	}
	if cue, last := s.troubled(); cue != "" {
		sooner(last + troubleEvery)
	}
	return at, ok
}
