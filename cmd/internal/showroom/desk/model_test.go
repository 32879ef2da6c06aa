package desk

import (
	"slices"
	"testing"
	"time"
)

// model is what the outside makes of the actions.
type model struct {
	ringing string // the glasses on which it rings
	held    string // the glasses that are not free
	ended   bool
}

func (m *model) follow(t *testing.T, s State, actions []Action) {
	t.Helper()
	for _, a := range actions {
		switch a.Do {
		case Ring:
			if m.ringing != "" {
				t.Fatalf("rings on %s while it rings on %s", a.Glasses, m.ringing)
			}
			m.ringing = a.Glasses
		case StopRing:
			if m.ringing != a.Glasses {
				t.Fatalf("stops on %s while it rings on %q", a.Glasses, m.ringing)
			}
			m.ringing = ""
		case EndRoom:
			if m.ended {
				t.Fatal("ends twice")
			}
			m.ended = true
		case Free:
			if m.held != a.Glasses {
				t.Fatalf("%s is free, %q was held", a.Glasses, m.held)
			}
			m.held = ""
		}
	}
	if s.Phase == Connecting {
		m.ringing = ""
	}
	if s.Busy() {
		m.held = s.Glasses
	}
}

// check holds a state against what must be so in each.
func (m *model) check(t *testing.T, s State, now time.Time) {
	t.Helper()
	deadline, timed := s.Deadline()
	switch {
	case (m.ringing != "") != (s.Phase == Ringing) || m.ringing != "" && m.ringing != s.Glasses:
		t.Fatalf("rings on %q in %+v", m.ringing, s)
	case (m.held != "") != s.Busy():
		t.Fatalf("%q is held in %+v", m.held, s)
	case m.ended != (s.Phase == Ended) || m.ended != (s.Reason != ""):
		t.Fatalf("ended %v in %+v", m.ended, s)
	case s.Busy() && s.Glasses == "" || slices.Contains(s.Tried, s.Glasses) && s.Phase == Ringing:
		t.Fatalf("on %q after %v", s.Glasses, s.Tried)
	case timed && !deadline.After(now):
		t.Fatalf("due at %v, and now is %v: %+v", deadline, now, s)
	case !timed && s.Phase != Ended && s.Phase != Live:
		t.Fatalf("no way out of %+v", s)
	case !timed && s.Phase == Live && !(s.CustomerGone.IsZero() && s.PublisherGone.IsZero()):
		t.Fatalf("somebody is gone, and nothing comes of it: %+v", s)
	}
	m.ends(t, s, now)
}

// ends: with everybody gone, a conversation is over by itself; with everybody
// there, either can end it once it is live.
func (m *model) ends(t *testing.T, s State, now time.Time) {
	t.Helper()
	if s.Phase == Live {
		for _, e := range []Event{{What: CustomerEnds, At: now}, {What: AdvisorEnds, At: now, Glasses: s.Glasses}} {
			if ended, _ := Step(s, e); ended.Phase != Ended {
				t.Fatalf("%s does not end %+v", e.What, s)
			}
		}
	}
	for _, e := range []Event{{What: CustomerWent, At: now}, {What: PublisherWent, At: now}, {What: StreamWent, At: now, Glasses: s.Glasses}} {
		s, _ = Step(s, e)
	}
	for range 100 {
		at, ok := s.Deadline()
		if !ok {
			break
		}
		s, _ = Step(s, Event{What: Tick, At: at})
	}
	if s.Phase != Ended {
		t.Fatalf("everybody is gone, and it stays %+v", s)
	}
}

var whats = []What{
	Joined, Freed, Accepted, Refused, CustomerCame, CustomerWent, StreamCame, StreamWent,
	PublisherCame, PublisherWent, CustomerEnds, AdvisorEnds, Withdrawn, Moved, Restarted, Tick,
}

// play steps through a conversation as the bytes say, at most 100 events: three for each, for
// what it is, how much later it comes, and who is free.
func play(t *testing.T, data []byte) {
	if len(data) == 0 {
		return
	}
	s, m := State{Phase: Booked, Kind: KindBooked, Since: noon, CustomerGone: noon, Opens: noon.Add(-opensBefore), Closes: noon.Add(30*time.Minute + closesAfter)}, &model{}
	if data[0]&1 == 1 {
		s = State{Phase: Ringing, Kind: KindNow, Since: noon, CustomerGone: noon, Glasses: "a"}
		m.ringing, m.held = "a", "a"
	}
	now, names := noon, []string{"a", "b", "c", "d"}
	for data = data[1:min(len(data), 301)]; len(data) >= 3; data = data[3:] {
		now = now.Add(time.Duration(data[1]) * time.Second)
		e := Event{What: whats[int(data[0])%len(whats)], At: now, Glasses: names[data[2]>>4&3]}
		for i, name := range names {
			if data[2]&(1<<i) != 0 && name != s.Glasses {
				e.Free = append(e.Free, name)
			}
		}
		if data[2]&0x80 != 0 {
			e.Glasses = s.Glasses // mostly it is those that matter
		}
		if e.What == Moved {
			e.Opens, e.Closes = now, now.Add(time.Duration(int(data[2])+1)*time.Minute)
		}
		tried := slices.Clone(s.Tried)
		next, actions := Step(s, e)
		if !slices.Equal(tried, s.Tried) {
			t.Fatal("the state before was changed")
		}
		if again, _ := Step(s, e); again.Phase != next.Phase || again.Glasses != next.Glasses {
			t.Fatal("the same step leads elsewhere")
		}
		if s.Phase == Ended && (next.Phase != Ended || len(actions) > 0) {
			t.Fatalf("%s after the end: %+v, %v", e.What, next, actions)
		}
		m.follow(t, next, actions)
		s = next
		m.check(t, s, now)
	}
}

func FuzzStep(f *testing.F) {
	f.Add([]byte{0, 0, 1, 3, 2, 20, 0x80, 8, 5, 0, 10, 100, 0})
	f.Add([]byte{1, 3, 29, 0xf0, 15, 200, 2, 14, 0, 0, 15, 255, 0})
	f.Add([]byte{1, 7, 1, 0x80, 15, 11, 2, 2, 1, 0x80, 5, 0, 0, 9, 200, 0})
	f.Add([]byte{0, 0, 1, 0, 4, 1, 0, 1, 3, 3, 15, 60, 3, 12, 1, 0})
	f.Fuzz(play)
}
