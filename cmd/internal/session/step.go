package session

import (
	"cmp"
	"time"
)

// Step is the whole policy: it returns the state after an event at the moment
// now, and what is to be done. It has no clock, I/O or goroutine.
func Step(s State, e Event, now time.Duration, limits Limits) (State, []Action) {
	switch e := e.(type) {
	case On:
		return goLive(s, now)
	case Mute:
		return pause(s)
	case End:
		return end(s, e.Reason)
	case Hung:
		return hung(s, now)
	case Watched:
		return watched(s, e.Viewers, now), nil
	case Tick:
		return tick(s, now, limits)
	}
	return progress(s, e, now)
}

// progress takes what the sources and the endpoint report. A report of an
// earlier generation, or of a conversation that has ended, changes nothing.
func progress(s State, e Event, now time.Duration) (State, []Action) {
	if generation(e) != s.Generation || !s.Wanted {
		return s, nil
	}
	switch e := e.(type) {
	case Opened:
		s.Opened, s.Phase = true, Connecting
		return s, []Action{Dial{s.Generation}}
	case Failed:
		s.Phase, s.RetryAt = Fault, now+e.Wait
	case Connected:
		s.Connected, s.DownSince, s.Phase = true, 0, livePhase(s)
	case Refused:
		s.RetryAt = now + e.Wait
	case Lost:
		return redial(s, now)
	}
	return s, nil
}

func generation(e Event) int {
	switch e := e.(type) {
	case Opened:
		return e.Generation
	case Failed:
		return e.Generation
	case Connected:
		return e.Generation
	case Refused:
		return e.Generation
	case Lost:
		return e.Generation
	}
	return -1
}

func livePhase(s State) Phase {
	if s.Muted {
		return Paused
	}
	return Live
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
	}
	s.Wanted = true
	if s.Phase == Stopping {
		return s, nil
	}
	return start(s, now)
}

func start(s State, now time.Duration) (State, []Action) {
	s.Generation++
	s.Phase, s.LiveSince, s.DownSince = Connecting, now, now
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
	if s.Phase == Stopping { // also takes back a wish to go live again
		s.Wanted = false
		return s, nil
	}
	if !s.Wanted {
		if s.Quitting {
			return State{Phase: Off, Quitting: true, Generation: s.Generation}, []Action{Quit{}}
		}
		return s, nil
	}
	return State{Phase: Stopping, Generation: s.Generation, Quitting: s.Quitting}, []Action{HangUp{reason}}
}

func hung(s State, now time.Duration) (State, []Action) {
	next := State{Phase: Ready, Generation: s.Generation, Quitting: s.Quitting, Wanted: s.Wanted}
	switch {
	case s.Quitting:
		next.Phase = Off
		return next, []Action{Quit{}}
	case s.Wanted:
		return start(next, now)
	}
	return next, nil
}

// redial calls the endpoint at once: waiting is for after a refusal.
func redial(s State, now time.Duration) (State, []Action) {
	old := s.Generation
	s.Generation++
	s.Connected, s.Phase, s.RetryAt, s.AloneFrom = false, Connecting, 0, 0
	s.DownSince = cmp.Or(s.DownSince, now)
	return s, []Action{Detach{old}, Dial{s.Generation}}
}

func watched(s State, viewers int, now time.Duration) State {
	switch {
	case viewers > 0:
		s.AloneFrom = 0
		if s.Warned == NoViewer {
			s.Warned = ""
		}
	case s.AloneFrom == 0:
		s.AloneFrom = now
	}
	return s
}

func tick(s State, now time.Duration, limits Limits) (State, []Action) {
	if !s.Wanted || s.Phase == Stopping {
		return s, nil
	}
	if reason, at := s.ends(limits); at != 0 {
		if now >= at {
			return end(s, reason)
		}
		if now >= at-limits.Warn && s.Warned != reason {
			s.Warned = reason
			return s, []Action{Warn{reason, at - now}}
		}
	}
	if s.RetryAt == 0 || now < s.RetryAt {
		return s, nil
	}
	s.RetryAt = 0
	s.Generation++
	if !s.Opened {
		s.Phase = Connecting
		return s, []Action{Open{s.Generation}}
	}
	return s, []Action{Dial{s.Generation}}
}

// ends returns which limit ends the conversation first, and when; zero for never.
func (s State) ends(limits Limits) (Reason, time.Duration) {
	var reason Reason
	var at time.Duration
	if limits.MaxLive > 0 && s.LiveSince != 0 {
		reason, at = TooLong, s.LiveSince+limits.MaxLive
	}
	if limits.NoViewer > 0 && s.AloneFrom != 0 {
		if alone := s.AloneFrom + limits.NoViewer; at == 0 || alone < at {
			reason, at = NoViewer, alone
		}
	}
	return reason, at
}

// Deadline is when the next Tick is due; zero for never.
func (s State) Deadline(limits Limits) time.Duration {
	if !s.Wanted || s.Phase == Stopping {
		return 0
	}
	next := s.RetryAt
	if reason, at := s.ends(limits); at != 0 {
		if s.Warned != reason {
			at -= limits.Warn
		}
		if next == 0 || at < next {
			next = at
		}
	}
	return next
}
