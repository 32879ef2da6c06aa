package provision

import (
	"slices"
	"testing"
)

func phases() []Phase { return []Phase{Off, Looking, Joining, Clock, Enrolling, Done, Failed} }

func events() []Event {
	return []Event{Start, Seen, Joined, Told, Enrolled, Refused, Stop, Late, Broken}
}

// Each row is what the diagram beside Phase has; what has no row changes nothing.
func TestStep(t *testing.T) {
	type at struct {
		phase Phase
		event Event
	}
	type then struct {
		phase   Phase
		actions []Action
	}
	rows := map[at]then{
		{Looking, Seen}:       {Joining, []Action{Blind, Join}},
		{Looking, Refused}:    {Looking, []Action{SayNo}},
		{Joining, Joined}:     {Clock, []Action{AskTime}},
		{Clock, Told}:         {Enrolling, []Action{Enrol}},
		{Enrolling, Enrolled}: {Done, []Action{Keep, SayDone}},
	}
	for _, p := range []Phase{Off, Done, Failed} {
		rows[at{p, Start}] = then{Looking, []Action{SayBegun, Look}}
	}
	for _, p := range []Phase{Looking, Joining, Clock, Enrolling} {
		rows[at{p, Stop}] = then{Off, []Action{Forget, Blind}}
		rows[at{p, Late}] = then{Failed, []Action{Forget, Blind, SayNo}}
		rows[at{p, Broken}] = then{Failed, []Action{Forget, Blind, SayNo}}
		if p != Looking {
			rows[at{p, Refused}] = then{Looking, []Action{Forget, SayNo, Look}}
		}
	}
	for _, p := range phases() {
		for _, e := range events() {
			want, known := rows[at{p, e}]
			if !known {
				want = then{phase: p}
			}
			if phase, actions := Step(p, e); phase != want.phase || !slices.Equal(actions, want.actions) {
				t.Errorf("%s, %s: %s %v, want %s %v", p, e, phase, actions, want.phase, want.actions)
			}
		}
	}
}

// world is what the actions of a mode have made of the board.
type world struct {
	phase         Phase
	camera, trial bool // trial is a network that is joined, and neither kept nor forgotten
}

func (w world) after(t *testing.T, e Event) world {
	now := w
	now.trial = w.trial || w.phase == Joining && e == Joined
	var actions []Action
	now.phase, actions = Step(w.phase, e)
	for _, a := range actions {
		switch a {
		case Look:
			if now.camera {
				t.Errorf("%+v, %s: a second camera is opened", w, e)
			}
			now.camera = true
		case Blind:
			now.camera = false
		case Keep:
			if e != Enrolled {
				t.Errorf("%+v, %s: the network is kept", w, e)
			}
			now.trial = false
		case Forget:
			now.trial = false
		}
	}
	return now
}

// Whatever happens, in whatever order: one camera is open at most, and only while
// codes are looked for; and a network that was joined is kept by an enrolment, and by
// nothing else. All that can be reached is walked through.
func TestStepLeavesNothing(t *testing.T) {
	todo := []world{{phase: Off}}
	seen := map[world]bool{todo[0]: true}
	for len(todo) > 0 {
		w := todo[0]
		todo = todo[1:]
		for _, e := range events() {
			now := w.after(t, e)
			tried := now.phase == Clock || now.phase == Enrolling
			if now.camera != (now.phase == Looking) || now.trial && !tried {
				t.Errorf("%s leads from %+v to %+v", e, w, now)
			}
			if !seen[now] {
				seen[now] = true
				todo = append(todo, now)
			}
		}
	}
	reached := map[Phase]bool{}
	for w := range seen {
		reached[w.phase] = true
	}
	if len(reached) != len(phases()) {
		t.Errorf("only %v are reached", reached)
	}
}
