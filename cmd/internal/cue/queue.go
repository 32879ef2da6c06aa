package cue

import (
	"slices"

	"github.com/bril-edge/bril/cmd/internal/session"
)

// queue is what is played and what waits. It never holds the same cue twice, nor
// two that say how the conversation is, so that it stays short by itself.
type queue struct {
	playing session.Cue // "" for nothing
	waiting []session.Cue
}

// rank orders what waits: the answer to a press first, a warning that holds for
// minutes last.
func rank(c session.Cue) int {
	switch c {
	case session.CueBattery, session.CueHeat:
		return 2
	case session.CueEnding, session.CueThumbUp, session.CueThumbDown:
		return 1
	}
	return 0
}

// standing says that a cue tells how the conversation is: the next such one makes
// it untrue.
func standing(c session.Cue) bool {
	switch c {
	case session.CueLive, session.CuePaused, session.CueEnded, session.CueEndedItself, session.CuePoorNetwork, session.CueFrozen:
		return true
	}
	return false
}

// theirs says that a cue tells how it is with the customer: the next such one makes
// it untrue, and the end of the conversation pointless.
func theirs(c session.Cue) bool {
	switch c {
	case session.CueJoined, session.CueLeft, session.CueTheirNetwork, session.CueTheyFreeze:
		return true
	}
	return false
}

// counted says that a cue answers one press, and the next one another: who takes
// two photos hears two.
func counted(c session.Cue) bool { return c == session.CuePhoto }

// stale says whether now makes old pointless.
func stale(old, now session.Cue) bool {
	over := now == session.CueEnded || now == session.CueEndedItself
	switch {
	case standing(old):
		return standing(now)
	case theirs(old):
		return theirs(now) || over
	case old == session.CueEnding:
		return over
	}
	return old == session.CueClip && now == session.CueClipEnd
}

// push takes a cue, and says whether what is playing is to be cut short for it.
func (q *queue) push(c session.Cue) (cut bool) {
	q.waiting = slices.DeleteFunc(q.waiting, func(old session.Cue) bool { return old == c || stale(old, c) })
	if q.playing == c && !counted(c) {
		return false // it is being said
	}
	at := slices.IndexFunc(q.waiting, func(old session.Cue) bool { return rank(old) > rank(c) })
	if at < 0 {
		at = len(q.waiting)
	}
	q.waiting = slices.Insert(q.waiting, at, c)
	return stale(q.playing, c)
}

// next makes the first that waits the one that plays; false when none does.
func (q *queue) next() (session.Cue, bool) {
	q.playing = ""
	if len(q.waiting) == 0 {
		return "", false
	}
	q.playing = q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	return q.playing, true
}

// drop forgets a cue, and says whether what is playing is to be cut short for that.
func (q *queue) drop(c session.Cue) (cut bool) {
	q.waiting = slices.DeleteFunc(q.waiting, func(waits session.Cue) bool { return waits == c })
	return q.playing == c
}
