package session

import (
	"cmp"
	"time"
)

// Step is the whole policy: it returns the state after an event at the moment
// now, and what is to be done. It has no clock, I/O or goroutine.
func Step(s State, e Event, now time.Duration, limits Limits) (State, []Action) {
	if s.stale(e) {
		return s, nil
	}
	switch e := e.(type) {
	case On:
		return goLive(s, now)
	case Mute:
		return pause(s)
	case End:
		return end(s, e.Reason)
	case Hung:
		return hung(s, now)
	case Tick:
		return tick(s, now, limits)
	case Opened:
		s.Opened, s.Phase = true, Connecting
		return s, []Action{Dial{s.Generation}}
	case Failed:
		s.Phase, s.RetryAt = Fault, now+e.Wait
	case Connected:
		return connected(s, now), nil
	case Refused:
		s.RetryAt = now + e.Wait
		s.Away = s.Away || e.Away
	case Lost:
		return redial(s, now, e.Wait)
	case Watched:
		return watched(s, e.Viewers, now), nil
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
		s.Muted = false
		if s.Connected {
			s.Phase = Live
		}
		return s, []Action{Blank{false}}
	case s.Wanted:
		return s, nil
	case s.Phase == Stopping:
		s.Wanted = true
		return s, nil
	}
	return start(s, now)
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
	s.Muted = true
	if s.Connected {
		s.Phase = Paused
	}
	return s, []Action{Blank{true}}
}

func end(s State, reason Reason) (State, []Action) {
	s.Quitting = s.Quitting || reason == Shutdown
	switch {
	case s.Phase == Stopping:
		// This takes back a wish to go live again, unless it is about the
		// conversation that is ending.
		s.Wanted = s.Wanted && reason == EndOfFile
		return s, nil
	case s.Wanted:
		return State{Phase: Stopping, Generation: s.Generation + 1, Quitting: s.Quitting}, []Action{HangUp{reason}}
	case s.Quitting:
		s.Phase = Off
		return s, []Action{Quit{}}
	}
	return s, nil
}

func hung(s State, now time.Duration) (State, []Action) {
	switch {
	case s.Phase != Stopping:
		return s, nil
	case s.Quitting:
		s.Phase = Off
		return s, []Action{Quit{}}
	case s.Wanted:
		return start(s, now)
	}
	s.Phase = Ready
	return s, nil
}

// connected ends the outage of an endpoint that had gone, even if it goes again
// at once. One that was there all the time and drops what it takes has to hold
// first.
func connected(s State, now time.Duration) State {
	s.Connected, s.Phase = true, Live
	if s.Muted {
		s.Phase = Paused
	}
	if s.Away {
		s.Away, s.DownSince = false, now
	}
	return s
}

// redial calls the endpoint at once where a connection has held for a while:
// waiting is for after a refusal.
func redial(s State, now, wait time.Duration) (State, []Action) {
	s.Generation++
	s.Connected, s.Phase = false, Connecting
	s = attended(s)
	if wait > 0 {
		s.RetryAt = now + wait
		return s, []Action{Detach{}}
	}
	s.DownSince = now
	return s, []Action{Detach{}, Dial{s.Generation}}
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
			actions = append(actions, Warn{reason, at - now})
		}
	}
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
	reason, at := s.ends(limits)
	if reason != "" && s.Warned != reason {
		at -= limits.Warn
	}
	if s.RetryAt != 0 && (reason == "" || s.RetryAt < at) {
		return s.RetryAt, true
	}
	return at, reason != ""
}
