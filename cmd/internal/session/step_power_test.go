package session

import (
	"testing"

	"github.com/bril-edge/bril/hardware"
)

const (
	fine     = hardware.BatteryFine
	low      = hardware.BatteryLow
	veryLow  = hardware.BatteryVeryLow
	empty    = hardware.BatteryEmpty
	normal   = hardware.HeatNormal
	warmish  = hardware.HeatWarm
	hot      = hardware.HeatHot
	veryHot  = hardware.HeatVeryHot
	unknownB = hardware.BatteryLevel("")
	unknownH = hardware.HeatLevel("")
)

// In each phase a battery that gets emptier is heard, and one that is nearly
// empty ends what is wanted.
func TestStepBattery(t *testing.T) {
	tests := []struct {
		from, to hardware.BatteryLevel
		cues     []Action
	}{
		{unknownB, fine, nil},
		{unknownB, low, []Action{CueBattery}},
		{fine, low, []Action{CueBattery}},
		{low, veryLow, []Action{CueBattery}},
		{veryLow, low, nil},
		{low, fine, nil},
		{empty, fine, nil},
		{empty, veryLow, nil},
		{low, unknownB, nil},
		{veryLow, empty, []Action{CueBattery}},
	}
	for _, test := range tests {
		for name, s := range everything {
			from := s.but(func(s *State) { s.Battery = test.from })
			to, does := s.but(func(s *State) { s.Battery = test.to }), test.cues
			switch {
			case test.from == empty && (s.Wanted || s.Kept):
				continue // cannot be
			case test.to == empty && (s.Phase == Stopping || s.Closing):
				to.Wanted, to.Kept = false, false
			case test.to == empty && s.Kept:
				to = closing.but(func(s *State) { s.Battery = empty })
				does = ending(name, Close{}, CueBattery)
			case test.to == empty && s.Wanted:
				to = ended(s).but(func(s *State) { s.Battery = empty })
				does = ending(name, HangUp{NoCharge}, CueEndedItself, CueBattery)
			}
			step(t, Battery{test.to}, now, row{name: name, from: from, to: to, does: does})
		}
	}
}

// Nothing begins with a nearly empty battery, in no phase; once it is charged it
// does.
func TestStepOnWithoutCharge(t *testing.T) {
	for _, s := range []State{ready, stopping} {
		drained := s.but(func(s *State) { s.Battery = empty })
		step(t, On{}, now, row{from: drained, to: drained, does: []Action{CueBattery}})
	}
	charged, _ := Step(ready.but(func(s *State) { s.Battery = empty }), Battery{fine}, now, testLimits)
	step(t, On{}, now, row{from: charged, to: started(charged).but(func(s *State) { s.Battery = fine }), does: []Action{Open{5}}})
}

func TestStepHeat(t *testing.T) {
	tests := []struct {
		from, to hardware.HeatLevel
		does     []Action
	}{
		{unknownH, normal, []Action{Ease{normal}}},
		{normal, normal, nil},
		{normal, warmish, []Action{Ease{warmish}}},
		{warmish, hot, []Action{Ease{hot}, CueHeat}},
		{unknownH, veryHot, []Action{Ease{veryHot}, CueHeat}},
		{hot, veryHot, []Action{Ease{veryHot}, CueHeat}},
		{veryHot, hot, []Action{Ease{hot}}},
		{hot, warmish, []Action{Ease{warmish}}},
		{hot, unknownH, []Action{Ease{unknownH}}},
	}
	for _, test := range tests {
		for name, s := range everything {
			step(t, Heat{test.to}, now, row{
				name: name, from: s.but(func(s *State) { s.Heat = test.from }), to: s.but(func(s *State) { s.Heat = test.to }), does: test.does,
			})
		}
	}
}

// What is known of battery and heat outlives a conversation.
func TestPowerOutlivesConversations(t *testing.T) {
	for name, s := range everything {
		s.Battery, s.Heat = low, hot
		for _, e := range []Event{On{}, Mute{}, End{ByAdvisor}, End{Shutdown}, Hung{}, Tick{}, Keep{true}, Keep{false}} {
			if got, _ := Step(s, e, now, testLimits); got.Battery != low || got.Heat != hot {
				t.Errorf("%#v in %s forgets: %+v", e, name, got)
			}
		}
	}
}

func TestEasing(t *testing.T) {
	last := easing{1, 1}
	for _, level := range []hardware.HeatLevel{unknownH, normal, warmish, hot, veryHot} {
		e := easingOf(level)
		if e.pictures > last.pictures || e.rate > last.rate || e.pictures <= 0 || e.rate <= 0 {
			t.Errorf("%s: %+v after %+v", level, e, last)
		}
		last = e
	}
	for rate, want := range map[int]int{2_500_000: 875_000, 400_000: 200_000, 100_000: 100_000} {
		if got := easingOf(veryHot).limit(bits(rate)); got != bits(want) {
			t.Errorf("of %d %d are left, want %d", rate, got, want)
		}
	}
}

func TestPowerWarnings(t *testing.T) {
	raw := &media{video: &videoStage{}}
	encoded := &media{video: &videoStage{}}
	encoded.video.fixed.Store(true)
	tests := map[string]struct {
		battery hardware.BatteryLevel
		heat    hardware.HeatLevel
		media   *media
	}{
		"":                   {fine, warmish, raw},
		"the battery is low": {low, normal, nil},
		"the battery is very low: live ends when it is nearly empty":             {veryLow, normal, nil},
		"the battery is nearly empty: live is off until it is charged":           {empty, normal, nil},
		"the board is too hot: 67 % of the pictures leave, at 60 % of the bit r": {fine, hot, raw},
		"the board is too hot: 50 % of the pictures leave, at 35 % of the bit r": {fine, veryHot, nil},
		"the board is too hot, and pictures that come encoded cannot be made le": {fine, hot, encoded},
	}
	for want, test := range tests {
		got := powerWarnings(State{Battery: test.battery, Heat: test.heat}, test.media)
		if (want == "") != (len(got) == 0) || want != "" && (len(got) != 1 || got[0][:len(want)] != want) {
			t.Errorf("%s, %s: %q, want %q", test.battery, test.heat, got, want)
		}
	}
	if all := powerWarnings(State{Battery: low, Heat: hot}, nil); len(all) != 2 {
		t.Errorf("both: %q", all)
	}
}
