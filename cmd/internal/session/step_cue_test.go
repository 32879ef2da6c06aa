package session

import (
	"reflect"
	"testing"
	"time"
)

// What the advisor hears in the course of a conversation, event by event.
func TestCues(t *testing.T) {
	type happens struct {
		at   time.Duration // after the beginning
		what func(State) Event
		want []Cue
	}
	on := func(State) Event { return On{} }
	mute := func(State) Event { return Mute{} }
	end := func(State) Event { return End{ByAdvisor} }
	finish := func(State) Event { return End{EndOfFile} }
	tick := func(State) Event { return Tick{} }
	opened := func(s State) Event { return Opened{s.Generation} }
	failed := func(s State) Event { return Failed{s.Generation, time.Second} }
	connected := func(s State) Event { return Connected{s.Generation} }
	refused := func(s State) Event { return Refused{s.Generation, time.Second, false} }
	gone := func(s State) Event { return Refused{s.Generation, time.Second, true} }
	lost := func(s State) Event { return Lost{s.Generation, 0} }
	strain := func(on bool) func(State) Event { return func(s State) Event { return Strain{s.Generation, on} } }
	freeze := func(on bool) func(State) Event { return func(s State) Event { return Freeze{s.Generation, on} } }
	say := func(c ...Cue) []Cue { return c }
	const s, m = time.Second, time.Minute

	tests := []struct {
		name  string
		story []happens // from a wish to go live
	}{
		{"a good conversation", []happens{
			{0, opened, nil},
			{1 * s, connected, say(CueLive)},
			{2 * s, mute, say(CuePaused)},
			{3 * s, mute, nil},
			{4 * s, on, say(CueLive)},
			{5 * s, on, nil},
			{6 * s, end, say(CueEnded)},
			{7 * s, end, nil},
		}},
		{"a file that has ended", []happens{{0, opened, nil}, {s, connected, say(CueLive)}, {2 * s, finish, say(CueEndedItself)}}},
		{"the network goes and comes", []happens{
			{0, opened, nil},
			{1 * s, connected, say(CueLive)},
			{2 * s, lost, say(CuePoorNetwork)},
			{3 * s, gone, nil},
			{5 * s, tick, nil},
			{6 * s, connected, say(CueLive)},
			{7 * s, lost, nil}, // heard just now
			{8 * s, connected, nil},
			{3 * m, lost, say(CuePoorNetwork)},
		}},
		{"an outage that lasts is heard in the end", []happens{
			{0, opened, nil},
			{1 * s, connected, say(CueLive)},
			{2 * s, lost, say(CuePoorNetwork)},
			{6 * s, connected, say(CueLive)},
			{7 * s, lost, nil},
			{61 * s, tick, nil},
			{62 * s, tick, say(CuePoorNetwork)},
			{63 * s, connected, say(CueLive)},
		}},
		{"an outage in a pause is not", []happens{
			{0, opened, nil},
			{1 * s, connected, say(CueLive)},
			{2 * s, mute, say(CuePaused)},
			{3 * s, lost, nil},
			{4 * s, gone, nil},
			{5 * s, connected, nil},
			{6 * s, on, say(CueLive)},
		}},
		{"unless the advisor wants to go on", []happens{
			{0, opened, nil},
			{1 * s, connected, say(CueLive)},
			{2 * s, lost, say(CuePoorNetwork)},
			{3 * s, mute, say(CuePaused)},
			{4 * s, on, nil},
			{5 * s, gone, say(CuePoorNetwork)},
			{6 * s, gone, nil},
			{7 * s, connected, say(CueLive)},
		}},
		{"a pause in an outage", []happens{
			{0, opened, nil},
			{1 * s, connected, say(CueLive)},
			{2 * s, mute, say(CuePaused)},
			{3 * s, on, say(CueLive)},
			{4 * s, lost, say(CuePoorNetwork)},
			{5 * s, mute, say(CuePaused)},
			{6 * s, connected, nil},
		}},
		{"paused before it is live", []happens{
			{0, opened, nil},
			{1 * s, mute, say(CuePaused)},
			{2 * s, connected, nil},
			{3 * s, on, say(CueLive)},
		}},
		{"an endpoint that is not there", []happens{{0, opened, nil}, {1 * s, gone, say(CuePoorNetwork)}, {2 * s, gone, nil}, {3 * s, connected, say(CueLive)}}},
		{"an endpoint that refuses", []happens{{0, opened, nil}, {1 * s, refused, say(CueRefused)}, {2 * s, gone, nil}, {3 * s, connected, say(CueLive)}, {4 * s, end, say(CueEnded)}}},
		{"a network with next to no room", []happens{
			{0, opened, nil},
			{1 * s, connected, say(CueLive)},
			{9 * s, strain(true), say(CuePoorNetwork)},
			{20 * s, strain(false), nil},
			{30 * s, strain(true), nil},
			{69 * s, tick, say(CuePoorNetwork)},
			{80 * s, lost, nil},
			{81 * s, connected, say(CueLive)},
			{82 * s, mute, say(CuePaused)},
			{83 * s, strain(true), nil}, // black hardly needs any
		}},
		{"a camera that comes and goes", []happens{
			{0, opened, nil},
			{1 * s, connected, say(CueLive)},
			{9 * s, freeze(true), say(CueFrozen)},
			{10 * s, freeze(false), say(CueLive)},
			{20 * s, freeze(true), nil},
			{69 * s, tick, say(CueFrozen)},
			{70 * s, mute, say(CuePaused)},
			{71 * s, freeze(false), nil},
			{72 * s, on, say(CueLive)},
			{3 * m, freeze(true), say(CueFrozen)},
		}},
		{"a frozen picture that is gone again", []happens{
			{0, opened, nil},
			{1 * s, connected, say(CueLive)},
			{9 * s, freeze(true), say(CueFrozen)},
			{10 * s, freeze(false), say(CueLive)},
			{20 * s, freeze(true), nil},
			{30 * s, freeze(false), nil},
			{2 * m, tick, nil},
		}},
		{"everything at once", []happens{
			{0, opened, nil},
			{1 * s, connected, say(CueLive)},
			{2 * s, strain(true), say(CuePoorNetwork)},
			{3 * s, freeze(true), nil},
			{4 * s, strain(false), say(CueFrozen)},
			{5 * s, lost, nil},
			{6 * s, connected, say(CueLive)},
			{7 * s, end, say(CueEnded)},
		}},
		{"it ends by itself", []happens{
			{0, opened, nil},
			{1 * s, connected, say(CueLive)},
			{testLimits.MaxLive - testLimits.Warn, tick, say(CueEnding)},
			{testLimits.MaxLive - 1, tick, nil},
			{testLimits.MaxLive, tick, say(CueEndedItself)},
		}},
		{"a camera that does not open", []happens{
			{1 * s, failed, say(CueRefused)},
			{3 * s, tick, nil},
			{3 * s, failed, nil},
			{5 * s, tick, nil},
			{5 * s, opened, nil},
			{6 * s, connected, say(CueLive)},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			state, _ := Step(ready, On{}, t0, testLimits)
			for i, h := range test.story {
				var actions []Action
				state, actions = Step(state, h.what(state), t0+h.at, testLimits)
				var got []Cue
				for _, a := range actions {
					if c, ok := a.(Cue); ok {
						got = append(got, c)
					}
				}
				if !reflect.DeepEqual(got, h.want) {
					t.Fatalf("%d, at %v: heard %q, want %q", i, h.at, got, h.want)
				}
			}
		})
	}
}
