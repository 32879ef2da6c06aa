package desk

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the copies of the table")

// The copy for people is what the code says.
func TestStatesAreDocumented(t *testing.T) {
	const path = "STATES.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- table -->\n", "<!-- end of table -->\n"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", path)
	}
	want := before + begin + Markdown() + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("%s is not what the code says: go test ./cmd/internal/showroom/desk -run Documented -update", path)
	}
}

var noon = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func after(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// begun is a conversation whose customer is there, at noon.
func begun(phase Phase, kind Kind) State {
	s := State{Phase: phase, Kind: kind, Since: noon}
	if kind == KindBooked {
		s.Opens, s.Closes = noon.Add(-opensBefore), noon.Add(30*time.Minute+closesAfter)
	}
	if s.Busy() {
		s.Glasses = "anna"
	}
	if phase != Booked {
		s.Seen = true
	}
	return s
}

func happens(what What, seconds int) Event {
	return Event{What: what, At: after(seconds), Glasses: "anna"}
}

func (e Event) free(glasses ...string) Event {
	e.Free = glasses
	return e
}

// Each row of the table, and what is near it.
func TestSteps(t *testing.T) {
	for _, test := range []struct {
		name   string
		from   State
		events []Event
		want   Phase
		why    Reason
		on     string
	}{
		{"joined", begun(Booked, KindBooked), []Event{happens(Joined, 1).free("ben")}, Ringing, "", "ben"},
		{"joined, none free", begun(Booked, KindBooked), []Event{happens(Joined, 1)}, Waiting, "", ""},
		{"joined too early", begun(Booked, KindBooked), []Event{happens(Joined, -601).free("ben")}, Booked, "", ""},
		{"booked, cancelled", begun(Booked, KindBooked), []Event{happens(Withdrawn, 1)}, Ended, Cancelled, ""},
		{"booked, window over", begun(Booked, KindBooked), []Event{happens(Tick, 2700)}, Ended, CustomerLeft, ""},
		{"joined as the window is over", begun(Booked, KindBooked), []Event{happens(Joined, 2700).free("ben")}, Ended, CustomerLeft, ""},
		{"moved", begun(Booked, KindBooked), []Event{{What: Moved, At: after(1), Opens: after(7000), Closes: after(9000)}, happens(Tick, 2700)}, Booked, "", ""},

		{"waiting, freed", begun(Waiting, KindBooked), []Event{happens(Freed, 1).free("ben")}, Ringing, "", "ben"},
		{"waiting, freed while away", begun(Waiting, KindBooked), []Event{happens(CustomerWent, 1), happens(Freed, 2).free("ben")}, Waiting, "", ""},
		{"waiting, back with free ones", begun(Waiting, KindBooked), []Event{happens(CustomerWent, 1), happens(CustomerCame, 50).free("ben")}, Ringing, "", "ben"},
		{"waiting, away", begun(Waiting, KindBooked), []Event{happens(CustomerWent, 1), happens(Tick, 121)}, Booked, "", ""},
		{"waiting, window over", begun(Waiting, KindBooked), []Event{happens(Tick, 2700)}, Ended, Unanswered, ""},
		{"waiting, customer ends", begun(Waiting, KindBooked), []Event{happens(CustomerEnds, 1)}, Booked, "", ""},
		{"waiting, ring again", declined(), []Event{happens(Freed, 59).free("anna"), happens(Tick, 61).free("anna")}, Ringing, "", "anna"},
		{"waiting, not again at once", declined(), []Event{happens(Freed, 59).free("anna")}, Waiting, "", ""},

		{"waiting, accepted", begun(Waiting, KindBooked), []Event{happens(Accepted, 1)}, Connecting, "", "anna"},
		{"waiting, accepted while away", begun(Waiting, KindBooked), []Event{happens(CustomerWent, 1), happens(Accepted, 2)}, Waiting, "", ""},
		{"waiting, accepted by who had declined", declined(), []Event{happens(Accepted, 30)}, Waiting, "", ""},

		{"accepted", begun(Ringing, KindNow), []Event{happens(Accepted, 29)}, Connecting, "", "anna"},
		{"accepted too late", begun(Ringing, KindNow), []Event{happens(Accepted, 30).free("ben")}, Ringing, "", "ben"},
		{"accepted too late, none free", begun(Ringing, KindNow), []Event{happens(Accepted, 30)}, Ended, Unanswered, "anna"},
		{"accepted elsewhere", begun(Ringing, KindNow), []Event{{What: Accepted, At: after(1), Glasses: "ben"}}, Ringing, "", "anna"},
		{"declined, next", begun(Ringing, KindNow), []Event{happens(Refused, 1).free("ben")}, Ringing, "", "ben"},
		{"declined, none", begun(Ringing, KindNow), []Event{happens(Refused, 1)}, Ended, Declined, "anna"},
		{"declined by all", begun(Ringing, KindNow), []Event{happens(Refused, 1).free("ben"), {What: Refused, At: after(2), Glasses: "ben", Free: []string{"anna"}}}, Ended, Declined, "ben"},
		{"declined, booked", begun(Ringing, KindBooked), []Event{happens(Refused, 1)}, Waiting, "", ""},
		{"declined twice", begun(Ringing, KindNow), []Event{happens(Refused, 1).free("ben"), happens(Refused, 1)}, Ringing, "", "ben"},
		{"no answer, booked", begun(Ringing, KindBooked), []Event{happens(Tick, 30)}, Waiting, "", ""},
		{"ringing, stream lost", begun(Ringing, KindNow), []Event{happens(StreamWent, 1), happens(Tick, 11).free("ben")}, Ringing, "", "ben"},
		{"ringing, stream lost, none", begun(Ringing, KindNow), []Event{happens(StreamWent, 1), happens(Tick, 11)}, Ended, Unanswered, "anna"},
		{"ringing, stream lost, booked", begun(Ringing, KindBooked), []Event{happens(StreamWent, 1), happens(Tick, 11)}, Waiting, "", ""},
		{"ringing, stream back", begun(Ringing, KindNow), []Event{happens(StreamWent, 1), happens(StreamCame, 10), happens(Tick, 29)}, Ringing, "", "anna"},
		{"ringing, stream of others", begun(Ringing, KindNow), []Event{{What: StreamWent, At: after(1), Glasses: "ben"}, happens(Tick, 20)}, Ringing, "", "anna"},
		{"ringing, customer ends", begun(Ringing, KindNow), []Event{happens(CustomerEnds, 1)}, Ended, ByCustomer, "anna"},
		{"ringing, booked customer ends", begun(Ringing, KindBooked), []Event{happens(CustomerEnds, 1)}, Booked, "", ""},
		{"ringing, away", begun(Ringing, KindNow), []Event{happens(CustomerWent, -5), happens(Tick, 25)}, Ended, CustomerLeft, "anna"},
		{"ringing, booked customer away", begun(Ringing, KindBooked), []Event{happens(CustomerWent, -5), happens(Tick, 25)}, Booked, "", ""},
		{"ringing, cancelled", begun(Ringing, KindBooked), []Event{happens(Withdrawn, 1)}, Ended, Cancelled, "anna"},

		{"publisher", begun(Connecting, KindNow), []Event{happens(PublisherCame, 29)}, Live, "", "anna"},
		{"publisher too late", begun(Connecting, KindNow), []Event{happens(PublisherCame, 30)}, Ended, Failed, "anna"},
		{"connecting, customer gone", begun(Connecting, KindNow), []Event{happens(CustomerWent, 1), happens(PublisherCame, 20), happens(Tick, 120)}, Live, "", "anna"},
		{"connecting, customer stays away", begun(Connecting, KindNow), []Event{happens(CustomerWent, 1), happens(PublisherCame, 20), happens(Tick, 121)}, Ended, CustomerLeft, "anna"},
		{"connecting, advisor ends", begun(Connecting, KindNow), []Event{happens(AdvisorEnds, 1)}, Ended, ByAdvisor, "anna"},
		{"connecting, customer ends", begun(Connecting, KindNow), []Event{happens(CustomerEnds, 1)}, Ended, ByCustomer, "anna"},
		{"connecting, stream cut", begun(Connecting, KindNow), []Event{happens(StreamWent, 1), happens(PublisherCame, 29)}, Live, "", "anna"},

		{"live, publisher lost", begun(Live, KindNow), []Event{happens(PublisherWent, 1), happens(Tick, 121)}, Ended, AdvisorLost, "anna"},
		{"live, publisher back", begun(Live, KindNow), []Event{happens(PublisherWent, 1), happens(PublisherCame, 120), happens(Tick, 121)}, Live, "", "anna"},
		{"live, customer lost", begun(Live, KindNow), []Event{happens(CustomerWent, 1), happens(Tick, 121)}, Ended, CustomerLeft, "anna"},
		{"live, advisor ends", begun(Live, KindBooked), []Event{happens(AdvisorEnds, 1)}, Ended, ByAdvisor, "anna"},
		{"live, other glasses end", begun(Live, KindBooked), []Event{{What: AdvisorEnds, At: after(1), Glasses: "ben"}}, Live, "", "anna"},
		{"live, customer ends", begun(Live, KindBooked), []Event{happens(CustomerEnds, 1)}, Ended, ByCustomer, "anna"},
		{"live past the window", begun(Live, KindBooked), []Event{happens(Tick, 9000)}, Live, "", "anna"},
		{"live, stream cut for an hour", begun(Live, KindBooked), []Event{happens(StreamWent, 1), happens(Tick, 3600)}, Live, "", "anna"},

		{"restarted, ringing", begun(Ringing, KindNow), []Event{happens(Restarted, 20), happens(StreamCame, 29), happens(CustomerCame, 29), happens(Accepted, 49)}, Connecting, "", "anna"},
		{"restarted, ringing, nobody comes", begun(Ringing, KindNow), []Event{happens(Restarted, 20), happens(Tick, 30)}, Ended, Unanswered, "anna"},
		{"restarted, connecting", begun(Connecting, KindNow), []Event{happens(Restarted, 20), happens(PublisherCame, 49)}, Live, "", "anna"},
		{"restarted, live", begun(Live, KindNow), []Event{happens(Restarted, 20), happens(PublisherCame, 99), happens(CustomerCame, 100), happens(Tick, 500)}, Live, "", "anna"},
		{"restarted, live, nobody comes", begun(Live, KindNow), []Event{happens(Restarted, 20), happens(Tick, 140)}, Ended, CustomerLeft, "anna"},
		{"restarted, waiting", begun(Waiting, KindBooked), []Event{happens(Restarted, 20), happens(Tick, 140)}, Booked, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.from
			for _, e := range test.events {
				s, _ = Step(s, e)
			}
			if s.Phase != test.want || s.Reason != test.why || s.Glasses != test.on {
				t.Errorf("%s (%s) on %q, want %s (%s) on %q", s.Phase, s.Reason, s.Glasses, test.want, test.why, test.on)
			}
		})
	}
}

// declined waits since second 1, after anna declined.
func declined() State {
	s, _ := Step(begun(Ringing, KindBooked), happens(Refused, 1))
	return s
}

// Every row can be reached, and leads where it says: none is dead or behind
// another.
func TestEveryRowIsFollowed(t *testing.T) {
	for i, row := range table {
		for _, kind := range []Kind{KindNow, KindBooked} {
			if row.Kind != "" && row.Kind != kind || kind == KindNow && (row.In == Booked || row.In == Waiting) {
				continue
			}
			s, e := begun(row.In, kind), happens(row.On, 1)
			if slices.Contains([]Condition{NextFree, There, InWindow}, row.If) {
				e.Free = []string{"ben"}
			}
			if !s.since(row.On).IsZero() || s.since(row.On) != (State{}).since(row.On) || row.After > 0 || row.On == WindowOver {
				s, e.What = startTimer(s, row), Tick
				_, at := s.first()
				e.At = at
			}
			got, _ := Step(s, e)
			if row.Kind == "" && kind == KindNow && row.On == WindowOver {
				continue
			}
			if got.Phase != row.To || row.To == Ended && got.Reason != row.Reason {
				t.Errorf("row %d, %+v, %s: got %s (%s)", i, row, kind, got.Phase, got.Reason)
			}
		}
	}
}

// startTimer has the row's time run, so that it is over first.
func startTimer(s State, row Row) State {
	long := noon.Add(-row.After)
	switch row.On {
	case NoAnswer, RingAgain, NotConnected:
		s.Since = long
		if row.If != There && row.On == RingAgain {
			s.CustomerGone = noon
		}
	case StreamLost:
		s.StreamGone = long
	case CustomerAway:
		s.CustomerGone, s.Seen = long, false
	case AwayNotice:
		s.CustomerGone = long
	case PublisherLost:
		s.PublisherGone = long
	case WindowOver:
		s.Closes = noon.Add(time.Second)
	}
	return s
}

func TestActions(t *testing.T) {
	for _, test := range []struct {
		name string
		from State
		e    Event
		want []Action
	}{
		{"joined", begun(Booked, KindBooked), happens(Joined, 1).free("anna"), []Action{{Do: Tell, Glasses: "anna"}, {Do: Ring, Glasses: "anna"}}},
		{"passed on", begun(Ringing, KindNow), happens(Tick, 30).free("ben"), []Action{{Do: StopRing, Glasses: "anna", Reason: Unanswered}, {Do: Tell, Glasses: "ben"}, {Do: Ring, Glasses: "ben"}, {Do: Free, Glasses: "anna"}}},
		{"accepted", begun(Ringing, KindNow), happens(Accepted, 1), []Action{{Do: Tell, Glasses: "anna"}, {Do: TellPresence, Glasses: "anna"}}},
		{"accepted without a ring", begun(Waiting, KindBooked), happens(Accepted, 1), []Action{{Do: Tell, Glasses: "anna"}, {Do: TellPresence, Glasses: "anna"}}},
		{"end while ringing", begun(Ringing, KindNow), happens(CustomerEnds, 1), []Action{{Do: StopRing, Glasses: "anna", Reason: ByCustomer}, {Do: Tell, Glasses: "anna"}, {Do: Free, Glasses: "anna"}, {Do: EndRoom}}},
		{"customer away for a moment", State{Phase: Live, Kind: KindNow, Since: noon, Glasses: "anna", Seen: true, CustomerGone: after(1)}, happens(Tick, 6), []Action{{Do: TellPresence, Glasses: "anna"}}},
		{"a page that is loaded again", State{Phase: Live, Kind: KindNow, Since: noon, Glasses: "anna", Seen: true, CustomerGone: after(1)}, happens(CustomerCame, 3), nil},
		{"nothing", begun(Live, KindNow), happens(Accepted, 1), nil},
		{"over", State{Phase: Ended, Reason: ByAdvisor, Kind: KindNow, Since: noon}, happens(CustomerEnds, 1), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, got := Step(test.from, test.e); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
