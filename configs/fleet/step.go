package fleet

import (
	"slices"
	"time"
)

// State is what a board keeps of its fleet's configuration. It is written before what
// it says is done, so that a crash between the two does it again:
//
//	            Refuse                       Superseded
//	              ^                         (by a newer one)
//	              |                              ^
//	offered --> checks --Stage--> staged --------+
//	                                |  ^
//	                          Apply |  | a newer one waits here
//	                                v  |
//	        +--Start (at most MaxStarts times)
//	        v                       |
//	    probation ------------------+
//	      |    |
//	  Prove    Fail, or one Start too many
//	      v    v
//	confirmed  returned: Good runs again, the content is quarantined
//
// What runs is Trial while there is one, else Good, else what the board has of its own.
type State struct {
	SchemaVersion int      `json:"schema_version"`
	Good          *Kept    `json:"good,omitempty"`   // the last known good; nil for none of the fleet's
	Trial         *Kept    `json:"trial,omitempty"`  // on probation
	Staged        *Kept    `json:"staged,omitempty"` // waits for a safe time
	Starts        int      `json:"starts,omitempty"` // of Trial
	Attempt       *Attempt `json:"attempt,omitempty"`
	// Failed are the contents that may not run again, the oldest first. Their logs are in
	// History.
	Failed []Attempt `json:"failed,omitempty"`
	// History are the ends of attempts, the oldest first.
	History []Attempt `json:"history,omitempty"`
	// Keys are those that sign; none while they are the enrolment's.
	Keys []string `json:"keys,omitempty"`
}

// Kept is a bundle that a board keeps.
type Kept struct {
	Serial    uint64    `json:"serial"`
	Content   string    `json:"content"`
	Envelope  string    `json:"envelope"` // SHA-256 of it, in hex: its file's name
	Key       string    `json:"key"`      // that signed it, ed25519:BASE64
	Successor string    `json:"successor,omitempty"`
	Since     time.Time `json:"since"` // staged, applied or confirmed
}

// The bounds of a State.
const (
	// MaxState is how long one can be that is written as JSON, in bytes: with all that
	// follows at its longest, and six bytes for each in the logs.
	MaxState = 4 << 20
	// MaxStarts is how often the agent may start with a configuration on probation. A
	// flat battery can end the first one.
	MaxStarts   = 2
	maxFailed   = 50
	maxHistory  = 50
	maxLogLines = 30
	maxLogLine  = 200 // bytes
	maxText     = 500 // bytes of an error
)

// Event is what happens to a State: one of those below.
type Event interface{ event() }

// The events.
type (
	// Refuse says that what was offered is not taken. Attempt has what is known of it. Content
	// that could never work on this board is quarantined.
	Refuse struct {
		Attempt    Attempt
		Quarantine bool
	}
	// Stage says that what was offered is good as far as that can be known without running it.
	Stage struct {
		Kept  Kept
		Retry bool // lifts a quarantine
		At    time.Time
	}
	// Wait says that what is staged waits for something else than before.
	Wait struct {
		For string
		At  time.Time
	}
	// Apply says that nothing is under way.
	Apply struct{ At time.Time }
	// Start says that the agent is about to be made, of what runs.
	Start struct {
		At  time.Time
		Log []string // of the run before
	}
	// Rest says that the agent has ended as it should, before it was shown whether what is on
	// probation works. This start does not count.
	Rest struct{}
	// Prove says that what is on probation works.
	Prove struct{ At time.Time }
	// Fail says that what is on probation does not.
	Fail struct {
		Element, Error, Hint string
		Log                  []string
		At                   time.Time
	}
	// Broken says that what runs cannot be read over this board's own configuration.
	Broken struct {
		Element, Error, Hint string
		At                   time.Time
	}
)

func (Refuse) event() {}
func (Stage) event()  {}
func (Wait) event()   {}
func (Apply) event()  {}
func (Start) event()  {}
func (Rest) event()   {}
func (Prove) event()  {}
func (Fail) event()   {}
func (Broken) event() {}

// Action is what is to be done once a State is safe on the disk.
type Action int

// Anew has the agent be made anew, of what runs now.
const Anew Action = 1

// Runs returns the bundle that is in effect; nil for none.
func (s State) Runs() *Kept {
	if s.Trial != nil {
		return s.Trial
	}
	return s.Good
}

// Quarantined returns why content may not run; nil when it may.
func (s State) Quarantined(content string) *Attempt {
	for i := range s.Failed {
		if s.Failed[i].Content == content {
			return &s.Failed[i]
		}
	}
	return nil
}

// Step returns the state after an event, and what is to be done once that is kept. The
// state that it is given is left as it is.
func Step(s State, e Event) (State, []Action) {
	s.SchemaVersion = SchemaVersion
	s.Failed, s.History = slices.Clone(s.Failed), slices.Clone(s.History)
	switch e := e.(type) {
	case Refuse:
		return s.refuse(e), nil
	case Stage:
		return s.stage(e), nil
	case Wait:
		if s.Staged != nil && s.of(s.Staged) {
			a := *s.Attempt
			a.Waits, a.At = e.For, e.At
			s.Attempt = &a
		}
		return s, nil
	case Apply:
		return s.apply(e)
	case Start:
		return s.start(e), nil
	case Rest:
		s.Starts = max(0, s.Starts-1)
		return s, nil
	case Prove:
		return s.prove(e), nil
	case Fail:
		if s.Trial == nil {
			return s, nil
		}
		return s.giveUp(failure(e)), []Action{Anew}
	case Broken:
		return s.broken(e)
	}
	return s, nil
}

// of says whether the newest attempt is about a bundle.
func (s State) of(k *Kept) bool {
	return s.Attempt != nil && s.Attempt.Serial == k.Serial && s.Attempt.Content == k.Content
}

// shown says whether content runs: then its run says what it is worth, and not another
// envelope of it.
func (s State) shown(content string) bool {
	return s.Trial != nil && s.Trial.Content == content || s.Good != nil && s.Good.Content == content
}

func (s State) refuse(e Refuse) State {
	a := bounded(e.Attempt)
	a.Phase = Refused
	if e.Quarantine && a.Content != "" && !s.shown(a.Content) {
		s.Failed = quarantine(s.Failed, a)
		if s.Staged != nil && s.Staged.Content == a.Content { // it waits in another envelope
			s.Staged = nil
		}
	}
	// What runs on probation, or waits, is the attempt that counts: a stranger's
	// envelope, or an old one that comes again, does not take its place.
	if s.Trial == nil && s.Staged == nil {
		s.Attempt = &a
	}
	s.History = newest(s.History, a, maxHistory)
	return s
}

func (s State) stage(e Stage) State {
	if e.Retry {
		s.Failed = slices.DeleteFunc(s.Failed, func(a Attempt) bool { return a.Content == e.Kept.Content })
	} else if s.Quarantined(e.Kept.Content) != nil {
		return s // who calls has refused it; this is the last door
	}
	if was := s.Staged; was != nil && was.Serial != e.Kept.Serial {
		s.History = newest(s.History, Attempt{Serial: was.Serial, Content: was.Content, Phase: Superseded, At: e.At}, maxHistory)
	}
	k := e.Kept
	k.Since = e.At
	s.Staged = &k
	if s.Trial == nil {
		s.Attempt = &Attempt{Serial: k.Serial, Content: k.Content, Phase: Staged, At: e.At}
	}
	return s
}

func (s State) apply(e Apply) (State, []Action) {
	if s.Staged == nil || s.Trial != nil {
		return s, nil
	}
	k := *s.Staged
	k.Since = e.At
	s.Trial, s.Staged, s.Starts = &k, nil, 0
	s.Attempt = &Attempt{Serial: k.Serial, Content: k.Content, Phase: Probation, At: e.At}
	return s, []Action{Anew}
}

// start counts the starts of what is on probation, and gives it up where it has used
// them: before anything of it is read.
func (s State) start(e Start) State {
	if s.Trial == nil {
		return s
	}
	if s.Starts < MaxStarts {
		s.Starts++
		return s
	}
	return s.giveUp(failure{Element: "start", Log: e.Log, At: e.At,
		Error: "the agent ended each time before this configuration had shown that it works"})
}

func (s State) prove(e Prove) State {
	if s.Trial == nil {
		return s
	}
	k := *s.Trial
	k.Since = e.At
	a := Attempt{Serial: k.Serial, Content: k.Content, Phase: Confirmed, At: e.At}
	s.Good, s.Trial, s.Starts = &k, nil, 0
	if k.Successor != "" {
		s.Keys = []string{k.Successor}
	}
	return s.ended(a)
}

// failure is why something is given up.
type failure struct {
	Element, Error, Hint string
	Log                  []string
	At                   time.Time
}

// giveUp returns to the last known good.
func (s State) giveUp(f failure) State {
	a := bounded(Attempt{
		Serial: s.Trial.Serial, Content: s.Trial.Content, Phase: Returned, During: Probation,
		Element: f.Element, Error: f.Error, Hint: f.Hint, Log: f.Log, At: f.At,
	})
	s.Trial, s.Starts = nil, 0
	if !s.shown(a.Content) { // old content under a new serial: it has worked, and runs on
		s.Failed = quarantine(s.Failed, a)
	}
	return s.ended(a)
}

// ended notes the end of an attempt. What waited behind it is the next one.
func (s State) ended(a Attempt) State {
	s.History = newest(s.History, a, maxHistory)
	s.Attempt = &a
	if k := s.Staged; k != nil {
		if s.Quarantined(k.Content) != nil { // it was the same in another envelope
			s.Staged = nil
			return s
		}
		s.Attempt = &Attempt{Serial: k.Serial, Content: k.Content, Phase: Staged, At: a.At}
	}
	return s
}

// broken drops what runs: the board's own file may have changed beside it.
func (s State) broken(e Broken) (State, []Action) {
	switch {
	case s.Trial != nil:
		return s.giveUp(failure{Element: e.Element, Error: e.Error, Hint: e.Hint, At: e.At}), []Action{Anew}
	case s.Good == nil:
		return s, nil
	}
	a := bounded(Attempt{
		Serial: s.Good.Serial, Content: s.Good.Content, Phase: Returned, During: Schema,
		Element: e.Element, Error: e.Error, Hint: e.Hint, At: e.At,
	})
	s.Good = nil
	return s.ended(a), []Action{Anew}
}

// quarantine adds a failed content, or its newest failure.
func quarantine(list []Attempt, a Attempt) []Attempt {
	a.Log = nil
	list = slices.DeleteFunc(list, func(old Attempt) bool { return old.Content == a.Content })
	return newest(list, a, maxFailed)
}

func newest(list []Attempt, a Attempt, most int) []Attempt {
	list = append(list, a)
	return list[max(0, len(list)-most):]
}

// bounded cuts what could be long.
func bounded(a Attempt) Attempt {
	a.Error, a.Hint, a.Element = cut(a.Error, maxText), cut(a.Hint, maxText), cut(a.Element, maxName)
	a.Log = slices.Clone(a.Log[max(0, len(a.Log)-maxLogLines):])
	for i, line := range a.Log {
		a.Log[i] = cut(line, maxLogLine)
	}
	return a
}
