package call

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/uplink/calls"
)

const (
	one = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	two = "bbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// at is an event at a moment; do is what is to come of it.
type at struct {
	when time.Duration
	what Event
	do   []Action
}

func rings(id string) Event { return calls.Call{Conversation: id, Kind: "now"} }

func gone(id string) Event { return calls.CallGone{Conversation: id, Reason: "elsewhere"} }

func rating(id, thumb string) Event { return calls.Rating{Conversation: id, Thumb: thumb} }

func changed(id string, p calls.Progress, reason string) Event {
	return calls.Changed{Conversation: id, State: p, Reason: reason}
}

func hello(id string, p calls.Progress) Event {
	if id == "" {
		return calls.Hello{}
	}
	return calls.Hello{Conversation: &calls.Snapshot{
		Call: calls.Call{Conversation: id, Kind: "booked"}, State: p, Customer: calls.Customer{Conversation: id, Presence: "joined"},
	}}
}

func customer(presence, network string) Event {
	return calls.Customer{Conversation: one, Presence: presence, Network: network}
}

// do returns actions; none is nil.
func do(list ...Action) []Action { return list }

var (
	ring   = session.CueRing
	accept = Answer{one, true}
	// accepted and talking lead up to a conversation.
	accepted = []at{
		{0, hello("", ""), nil},
		{0, rings(one), do(ring)},
		{1, Accept{}, do(Hush{}, accept)},
		{2, Answered{one, Taken}, do(LiveOn{})},
	}
	talking = append(slices.Clone(accepted),
		at{3, changed(one, calls.Agreed, ""), nil},
		at{4, Entered{one}, nil},
		at{5, changed(one, calls.Live, ""), nil},
		at{6, customer("joined", "good"), nil},
	)
)

func TestStep(t *testing.T) {
	second := time.Second
	tests := []struct {
		name   string
		before []at
		then   []at
		phase  Phase
	}{
		{"it rings and is accepted", talking, nil, Talking},
		{"the event comes before the answer", nil, []at{
			{0, rings(one), do(ring)},
			{1, Accept{}, do(Hush{}, accept)},
			{2, changed(one, calls.Agreed, ""), do(LiveOn{})},
			{3, Answered{one, Taken}, nil},
		}, Accepted},
		{"it rings until it is gone", nil, []at{
			{0, rings(one), do(ring)},
			{ringEvery, Tick{}, do(ring)},
			{2 * ringEvery, Tick{}, do(ring)},
			{2*ringEvery + 1, gone(one), do(Hush{})},
		}, Idle},
		{"it rings for so long at most", nil, []at{
			{0, rings(one), do(ring)},
			{ringTime, Tick{}, do(Hush{})},
		}, Idle},
		{"declined", nil, []at{
			{0, rings(one), do(ring)},
			{1, Decline{}, do(Hush{}, Answer{one, false})},
			{2, hello(one, calls.Ringing), nil}, // which does not know yet
			{3, Decline{}, nil},
		}, Idle},
		{"declined, and it rings again unheard", nil, []at{
			{0, rings(one), do(ring)},
			{1, Decline{}, do(Hush{}, Answer{one, false})},
			{2, gone(one), nil},
			{3, calls.Down{}, nil},
			{60 * second, hello(one, calls.Ringing), do(ring)},
		}, Ringing},
		{"declined, and it rings again later", nil, []at{
			{0, rings(one), do(ring)},
			{1, Decline{}, do(Hush{}, Answer{one, false})},
			{2, rings(one), do(ring)},
		}, Ringing},
		{"gone before the answer arrives", nil, []at{
			{0, rings(one), do(ring)},
			{1, Accept{}, do(Hush{}, accept)},
			{2, gone(one), nil},
			{3, Answered{one, Gone}, do(session.CueRefused)},
		}, Idle},
		{"the answer does not arrive", nil, []at{
			{0, rings(one), do(ring)},
			{1, Accept{}, do(Hush{}, accept)},
			{2, Answered{one, Undelivered}, do(session.CueRefused)},
			{3 + ringEvery, Tick{}, do(ring)},
			{4 + ringEvery, Accept{}, do(Hush{}, accept)},
			{5 + ringEvery, Answered{one, Taken}, do(LiveOn{})},
		}, Accepted},
		{"another call in its place", nil, []at{
			{0, rings(one), do(ring)},
			{1, rings(two), do(ring)},
			{2, gone(one), nil},
			{3, Accept{}, do(Hush{}, Answer{two, true})},
		}, Accepted},
		{"a call in a conversation", talking, []at{
			{7, rings(two), nil},
			{8, changed(two, calls.Live, ""), nil},
			{9, calls.Customer{Conversation: two, Presence: "left"}, nil},
			{10, changed(two, calls.Ended, "customer"), nil},
			{11, Accept{}, nil},
		}, Talking},
		{"the advisor ends it by a button", talking, []at{
			{7, Left{session.ByAdvisor}, do(End{one})},
			{8, changed(one, calls.Ended, "advisor"), nil},
			{9, rating(one, "up"), do(session.CueThumbUp)},
			{10, rating(one, "down"), do(session.CueThumbDown)},
			{11, rating(two, "up"), nil},
			{12, rating(one, ""), nil},
		}, Idle},
		{"the advisor ends it by a command", talking, []at{
			{7, Hangup{}, do(LiveOff{session.ByAdvisor}, End{one})},
			{8, Left{session.ByAdvisor}, nil},
			{9, changed(one, calls.Live, ""), nil}, // which was on its way
			{10, hello(one, calls.Live), nil},
			{11, Entered{one}, nil}, // back by a press
		}, Talking},
		{"the customer ends it", talking, []at{
			{7, changed(one, calls.Ended, "customer"), do(LiveOff{session.ByCustomer})},
			{8, Left{session.ByCustomer}, nil},
		}, Idle},
		{"the endpoint ends it", talking, []at{
			{7, changed(one, calls.Ended, "customer_left"), do(LiveOff{session.Concluded})},
		}, Idle},
		{"it leaves these glasses", talking, []at{
			{7, changed(one, "booked", ""), do(LiveOff{session.Concluded})},
		}, Idle},
		{"the poll says so first", talking, []at{
			{7, Left{session.Concluded}, nil},
			{8, changed(one, calls.Ended, "customer"), nil},
		}, Idle},
		{"live ends by itself", talking, []at{{7, Left{session.NoCharge}, do(End{one})}}, Idle},
		{"the daemon stops", talking, []at{{7, Left{session.Shutdown}, nil}}, Talking},
		{"ended while the answer is on its way", accepted[:3], []at{
			{2, Hangup{}, nil},
			{3, changed(one, calls.Agreed, ""), nil},
			{4, Answered{one, Taken}, do(End{one})},
		}, Idle},
		{"ended, and the answer was too late", accepted[:3], []at{
			{2, Hangup{}, nil},
			{3, Answered{one, Gone}, nil},
		}, Idle},
		{"ended before it is live", accepted, []at{{3, Left{session.ByAdvisor}, do(End{one})}}, Idle},
		{"the customer hangs up before it is live", accepted, []at{
			{3, changed(one, calls.Ended, "customer"), do(LiveOff{session.ByCustomer})},
		}, Idle},

		{"events lost while it rings", nil, []at{
			{0, rings(one), do(ring)},
			{1, calls.Down{}, nil},
			{1 + lostTime, Tick{}, do(Hush{})},
			{60 * second, hello("", ""), nil},
		}, Idle},
		{"and back in time", nil, []at{
			{0, rings(one), do(ring)},
			{1, calls.Down{}, nil},
			{2, hello(one, calls.Ringing), nil},
			{1 + lostTime, Tick{}, do(ring)},
		}, Ringing},
		{"back, and it is another call", nil, []at{
			{0, rings(one), do(ring)},
			{1, calls.Down{}, nil},
			{2, hello(two, calls.Ringing), do(Hush{}, ring)},
		}, Ringing},
		{"events lost once accepted", accepted, []at{
			{3, calls.Down{}, nil},
			{4, Entered{one}, nil},
			{60 * second, hello(one, calls.Live), nil},
		}, Talking},
		{"events lost in conversation", talking, []at{
			{7, calls.Down{}, nil},
			{60 * second, Tick{}, nil},
			{61 * second, hello(one, calls.Live), nil},
		}, Talking},
		{"and it has ended meanwhile", talking, []at{
			{7, calls.Down{}, nil},
			{60 * second, hello("", ""), do(LiveOff{session.Concluded})},
		}, Idle},
		{"and it has ended by the customer", talking, []at{
			{7, calls.Down{}, nil},
			{60 * second, hello(one, calls.Ended), do(LiveOff{session.Concluded})},
		}, Idle},
		{"and another call rings", talking, []at{
			{7, calls.Down{}, nil},
			{60 * second, hello(two, calls.Ringing), do(LiveOff{session.Concluded}, ring)},
		}, Ringing},
		{"events lost while nothing rings", nil, []at{
			{0, calls.Down{}, nil},
			{60 * second, hello("", ""), nil},
		}, Idle},
		{"and a call rings then", nil, []at{
			{0, calls.Down{}, nil},
			{60 * second, hello(one, calls.Ringing), do(ring)},
			{60*second + ringEvery, Tick{}, do(ring)},
		}, Ringing},
		{"accepted here, and the endpoint has yet to know", accepted[:3], []at{
			{2, hello(one, calls.Ringing), nil},
			{3, Answered{one, Taken}, do(LiveOn{})},
		}, Accepted},

		{"live by a button without a conversation", nil, []at{
			{0, Entered{"anna"}, nil},
			{1, hello("", ""), nil},
			{2, Hangup{}, nil},
			{3, Left{session.ByAdvisor}, nil},
		}, Idle},
		{"live into a conversation without events", nil, []at{
			{0, calls.Down{}, nil},
			{1, Entered{one}, nil},
			{2, Left{session.ByAdvisor}, do(End{one})},
		}, Idle},
		{"live while it rings", nil, []at{
			{0, rings(one), do(ring)},
			{1, Entered{one}, do(Hush{})},
			{2, Answered{one, Taken}, nil},
		}, Talking},
		{"a call while live without a conversation", nil, []at{
			{0, Entered{"anna"}, nil},
			{1, rings(one), do(ring)},
			{2, Accept{}, do(Hush{}, accept)},
			{3, Answered{one, Taken}, do(LiveOff{session.Moved}, LiveOn{})},
			{4, Left{session.Moved}, nil},
			{5, Entered{one}, nil},
		}, Talking},
		{"that ends before one has moved", nil, []at{
			{0, Entered{"anna"}, nil},
			{1, rings(one), do(ring)},
			{2, Accept{}, do(Hush{}, accept)},
			{3, calls.Down{}, nil},
			{4, hello("", ""), do(session.CueRefused)},
		}, Idle},
		{"connected anew, and it is over", talking, []at{
			{7, calls.Down{}, nil},
			{8, Entered{"anna"}, do(LiveOff{session.Concluded})},
			{9, Left{session.Concluded}, nil},
		}, Idle},
		{"connected anew, and the endpoint does not tell", talking, []at{{7, Entered{""}, nil}, {8, Entered{one}, nil}}, Talking},
		{"connected anew, and it is another one", talking, []at{
			{7, Entered{two}, do(LiveOff{session.Concluded})},
			{8, Left{session.Concluded}, nil},
			{9, changed(two, calls.Agreed, ""), do(ring)},
		}, Accepted},
		{"accepted, and the endpoint goes elsewhere", accepted, []at{{3, Entered{"anna"}, do(LiveOff{session.Concluded})}}, Idle},
		{"after a crash somebody waits", nil, []at{
			{0, hello(one, calls.Live), do(ring)},
			{1, Entered{one}, nil},
		}, Talking},
		{"after a crash of which the session is over sooner", nil, []at{
			{0, Entered{one}, nil},
			{1, hello(one, calls.Live), nil},
		}, Talking},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := State{Phase: Idle}
			for i, e := range slices.Concat(test.before, test.then) {
				var got []Action
				if s, got = Step(s, e.what, e.when); !reflect.DeepEqual(got, e.do) {
					t.Errorf("%d: %T%+v does %s, want %s", i, e.what, e.what, spell(got), spell(e.do))
				}
			}
			if s.Phase != test.phase {
				t.Errorf("it is %s, want %s", s.Phase, test.phase)
			}
			if (s.Phase == Idle) != (s.Conversation == "") {
				t.Errorf("%s with conversation %q", s.Phase, s.Conversation)
			}
		})
	}
}

func spell(list []Action) (text string) {
	for _, a := range list {
		text += fmt.Sprintf(" %T%+v", a, a)
	}
	return text
}

// heard plays what is told of the customer, and returns what the advisor hears, and
// when, in seconds.
func heard(script []at, until time.Duration) (list []string) {
	s := State{Phase: Idle}
	for _, e := range talking {
		s, _ = Step(s, e.what, e.when)
	}
	note := func(actions []Action, now time.Duration) {
		for _, a := range actions {
			list = append(list, fmt.Sprintf("%s %v", a, now.Round(time.Second).Seconds()))
		}
	}
	ticks := func(until time.Duration) {
		for due, ok := s.Deadline(); ok && due <= until; due, ok = s.Deadline() {
			var actions []Action
			s, actions = Step(s, Tick{}, due)
			note(actions, due)
		}
	}
	for _, e := range script {
		ticks(e.when)
		var actions []Action
		s, actions = Step(s, e.what, e.when)
		note(actions, e.when)
	}
	ticks(until)
	return list
}

func TestWhatIsHeardOfTheCustomer(t *testing.T) {
	sec := func(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
	flapping := func(words ...string) (list []at) {
		for i := range 120 {
			list = append(list, at{sec(10 + float64(i)*2), customer("", words[i%len(words)]), nil})
		}
		return list
	}
	tests := []struct {
		name   string
		script []at
		want   []string
	}{
		{"leaves", []at{{sec(10), customer("left", ""), nil}}, []string{"customer-left 13"}},
		{"reloads the page", []at{{sec(10), customer("left", ""), nil}, {sec(12), customer("joined", ""), nil}}, nil},
		{"leaves and comes back", []at{{sec(10), customer("left", ""), nil}, {sec(20), customer("joined", ""), nil}},
			[]string{"customer-left 13", "customer-joined 20"}},
		{"poor", []at{{sec(10), customer("", "poor"), nil}}, []string{"customer-network 13"}},
		{"a moment of it", []at{{sec(10), customer("", "poor"), nil}, {sec(12), customer("", "good"), nil}}, nil},
		{"poor, then frozen at once", []at{{sec(10), customer("", "poor"), nil}, {sec(11), customer("", "frozen"), nil}},
			[]string{"customer-frozen 13"}},
		{"poor, then frozen", []at{{sec(10), customer("", "poor"), nil}, {sec(20), customer("", "frozen"), nil}},
			[]string{"customer-network 13", "customer-frozen 43"}},
		{"frozen, then only poor", []at{{sec(10), customer("", "frozen"), nil}, {sec(20), customer("", "poor"), nil}},
			[]string{"customer-frozen 13"}},
		{"well for a moment", []at{
			{sec(10), customer("", "poor"), nil}, {sec(50), customer("", "good"), nil}, {sec(55), customer("", "poor"), nil},
		}, []string{"customer-network 13"}},
		{"well for a while", []at{
			{sec(10), customer("", "poor"), nil}, {sec(20), customer("", "good"), nil}, {sec(32), customer("", "poor"), nil},
		}, []string{"customer-network 13", "customer-network 43"}},
		{"to and fro", flapping("poor", "good"), nil},
		{"to and fro between worse and worst", flapping("poor", "frozen"), []string{"customer-frozen 13"}},
		{"poor, and leaves", []at{{sec(10), customer("", "poor"), nil}, {sec(11), customer("left", ""), nil}},
			[]string{"customer-network 13", "customer-left 14"}},
		{"words that nobody knows", []at{{sec(10), customer("", ""), nil}}, nil},
		{"not live any more", []at{{sec(10), customer("", "poor"), nil}, {sec(11), Left{session.Concluded}, nil}}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := heard(test.script, sec(300)); !slices.Equal(got, test.want) {
				t.Errorf("heard %q, want %q", got, test.want)
			}
		})
	}
}
