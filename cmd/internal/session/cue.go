package session

import "time"

// Cue is what the advisor, who has no screen, gets to hear. The policy gives
// most of them, as actions.
type Cue string

// The cues.
const (
	CueLive        Cue = "live"            // what is captured leaves, again too
	CueEnded       Cue = "ended"           // as the advisor asked
	CueEndedItself Cue = "ended-by-itself" // for another reason
	CueEnding      Cue = "ending"          // soon, by itself
	CuePaused      Cue = "paused"
	CueRefused     Cue = "refused"      // what was asked for cannot be done now
	CuePoorNetwork Cue = "poor-network" // the connection is lost, or carries next to nothing
	CueFrozen      Cue = "frozen"       // live, and no picture leaves
	CueBattery     Cue = "battery"      // low
	CueHeat        Cue = "heat"         // too hot
	CuePhoto       Cue = "photo"        // it is safe
	CueClip        Cue = "clip"         // it has begun
	CueClipEnd     Cue = "clip-end"     // it has ended, and is safe
	CueFull        Cue = "full"         // storage: what was asked for is refused

	CueRing         Cue = "ring"             // a customer calls
	CueJoined       Cue = "customer-joined"  // again, after they had left
	CueLeft         Cue = "customer-left"    // and may come back
	CueTheirNetwork Cue = "customer-network" // poor, at the customer's end
	CueTheyFreeze   Cue = "customer-frozen"  // the picture, at the customer's end
	CueThumbUp      Cue = "thumb-up"
	CueThumbDown    Cue = "thumb-down"

	CueProvisioning Cue = "provisioning" // looking for a code
	CueProvisioned  Cue = "provisioned"  // by the code
	CueCodeRefused  Cue = "code-refused" // a code, or the time is over
)

func (Cue) action() {}

// Cue gives the advisor a cue. It returns at once.
func (s *Session) Cue(c Cue) {
	if s.cfg.Cue != nil {
		s.cfg.Cue(c)
	}
}

// troubleEvery is the least time between two cues of the same trouble: a network
// or camera that comes and goes must not talk over the conversation.
const troubleEvery = time.Minute

// say gives a cue of how the conversation is, unless it was the last one.
func (s State) say(c Cue) (State, []Action) {
	if s.Told == c {
		return s, nil
	}
	s.Told = c
	return s, []Action{c}
}

// trouble says what is wrong with a conversation that the advisor takes for live,
// if that may be said already; Deadline brings up the rest.
func (s State) trouble(now time.Duration) (State, []Action) {
	cue, last := s.troubled()
	if cue == "" || last != 0 && now < last+troubleEvery {
		return s, nil
	}
	if cue == CueFrozen {
		s.FrozenAt = now
	} else {
		s.PoorAt = now
	}
	return s.say(cue)
}

// troubled returns what is wrong and when the advisor heard of it last; "" for
// nothing. Of two troubles the network's counts: without it no picture leaves
// either.
func (s State) troubled() (cue Cue, last time.Duration) {
	switch {
	case s.Told != CueLive:
		return "", 0
	case !s.Connected || s.Strained:
		return CuePoorNetwork, s.PoorAt
	case s.Frozen:
		return CueFrozen, s.FrozenAt
	}
	return "", 0
}

// cue returns how the advisor hears of the end.
func (r Reason) cue() Cue {
	if r == ByAdvisor {
		return CueEnded
	}
	return CueEndedItself
}
