package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func keptOf(serial uint64) Kept {
	hash := fmt.Sprintf("%064x", serial%7) // contents repeat
	return Kept{Serial: serial, Content: hash, Envelope: fmt.Sprintf("%064x", serial), Key: "ed25519:x"}
}

func run(s State, events ...Event) State {
	for _, e := range events {
		s, _ = Step(s, e)
	}
	return s
}

// The ways that a bundle can go.
func TestStep(t *testing.T) {
	one, two := keptOf(1), keptOf(2)
	good := run(State{}, Stage{Kept: one, At: noon}, Apply{noon}, Start{At: noon}, Prove{noon})
	trial := run(good, Stage{Kept: two, At: noon}, Apply{noon})
	for _, test := range []struct {
		name   string
		from   State
		events []Event
		good   uint64 // 0: none
		trial  uint64
		staged uint64
		phase  Phase
		during Phase
		anew   bool
	}{
		{"staged", State{}, []Event{Stage{Kept: one, At: noon}}, 0, 0, 1, Staged, "", false},
		{"applied", State{}, []Event{Stage{Kept: one, At: noon}, Apply{noon}}, 0, 1, 0, Probation, "", true},
		{"confirmed", State{}, []Event{Stage{Kept: one, At: noon}, Apply{noon}, Start{At: noon}, Prove{noon}}, 1, 0, 0, Confirmed, "", false},
		{"nothing to apply", good, []Event{Apply{noon}}, 1, 0, 0, Confirmed, "", false},
		{"superseded while it waits", good, []Event{Stage{Kept: two, At: noon}, Stage{Kept: keptOf(3), At: noon}}, 1, 0, 3, Staged, "", false},
		{"a gate fails", trial, []Event{Start{At: noon}, Fail{Element: "whip", Error: "404", At: noon}}, 1, 0, 0, Returned, Probation, true},
		{"two starts are not too many", trial, []Event{Start{At: noon}, Start{At: noon}}, 1, 2, 0, Probation, "", false},
		{"three are", trial, []Event{Start{At: noon}, Start{At: noon}, Start{At: noon}}, 1, 0, 0, Returned, Probation, false},
		{"an end in good order does not count", trial, []Event{Start{At: noon}, Rest{}, Start{At: noon}, Rest{}, Start{At: noon}, Rest{}, Start{At: noon}}, 1, 2, 0, Probation, "", false},
		{"one waits behind it", trial, []Event{Stage{Kept: keptOf(3), At: noon}, Apply{noon}}, 1, 2, 3, Probation, "", false},
		{"and is next", trial, []Event{Stage{Kept: keptOf(3), At: noon}, Start{At: noon}, Fail{At: noon}, Apply{noon}}, 1, 3, 0, Probation, "", true},
		{"the same content waits behind it", trial, []Event{Stage{Kept: keptOf(9), At: noon}, Start{At: noon}, Fail{At: noon}}, 1, 0, 0, Returned, Probation, true},
		{"on probation and broken", trial, []Event{Broken{At: noon}}, 1, 0, 0, Returned, Probation, true},
		{"good and broken", good, []Event{Broken{At: noon}}, 0, 0, 0, Returned, Schema, true},
		{"nothing is broken", State{}, []Event{Broken{At: noon}}, 0, 0, 0, "", "", false},
		{"refused", good, []Event{Refuse{Attempt: Attempt{Serial: 2, Content: two.Content, During: DryRun}, Quarantine: true}}, 1, 0, 0, Refused, DryRun, false},
		{"what runs is refused in another envelope", good, []Event{Refuse{Attempt: Attempt{Serial: 8, Content: one.Content, During: DryRun}, Quarantine: true}}, 1, 0, 0, Refused, DryRun, false},
		{"a stranger while one is on probation", trial, []Event{Refuse{Attempt: Attempt{Serial: 9}}}, 1, 2, 0, Probation, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, anew := test.from, false
			for _, e := range test.events {
				var actions []Action
				s, actions = Step(s, e)
				anew = len(actions) > 0
			}
			serial := func(k *Kept) uint64 {
				if k == nil {
					return 0
				}
				return k.Serial
			}
			var phase, during Phase
			if s.Attempt != nil {
				phase, during = s.Attempt.Phase, s.Attempt.During
			}
			if serial(s.Good) != test.good || serial(s.Trial) != test.trial || serial(s.Staged) != test.staged || phase != test.phase || during != test.during || anew != test.anew {
				t.Errorf("good %d, trial %d, staged %d, %s during %q, anew %v", serial(s.Good), serial(s.Trial), serial(s.Staged), phase, during, anew)
			}
		})
	}
}

// What waited and never ran is in the history, once.
func TestSupersededIsKept(t *testing.T) {
	two, three := keptOf(2), keptOf(3)
	s := run(State{}, Stage{Kept: two, At: noon})
	s = run(s, Stage{Kept: two, At: noon})
	s = run(s, Stage{Kept: three, At: noon})
	if len(s.History) != 1 || s.History[0].Serial != 2 || s.History[0].Content != two.Content || s.History[0].Phase != Superseded {
		t.Errorf("%+v", s.History)
	}
}

func TestQuarantine(t *testing.T) {
	s := run(State{}, Stage{Kept: keptOf(2), At: noon}, Apply{noon}, Start{At: noon}, Fail{Element: "encoder", At: noon})
	if at := s.Quarantined(keptOf(2).Content); at == nil || at.Element != "encoder" {
		t.Fatalf("%+v", s)
	}
	if again := run(s, Stage{Kept: keptOf(9), At: noon}); again.Staged != nil {
		t.Error("the same content is staged again")
	}
	if again := run(s, Stage{Kept: keptOf(9), Retry: true, At: noon}); again.Staged == nil || again.Quarantined(keptOf(9).Content) != nil {
		t.Error("a retry does not lift it")
	}
	for n := range uint64(200) {
		a := Attempt{Serial: n + 10, Content: fmt.Sprintf("%064x", n), Log: strings.Split(strings.Repeat(strings.Repeat("x", 500)+"\n", 60), "\n"), Error: strings.Repeat("é", 400)}
		s = run(s, Refuse{Attempt: a, Quarantine: true})
	}
	if len(s.Failed) > maxFailed || len(s.History) > maxHistory || len(s.Attempt.Log) > maxLogLines || len(s.Attempt.Log[0]) > maxLogLine+4 || len(s.Attempt.Error) > maxText+4 {
		t.Errorf("%d failed, %d of history, %d lines", len(s.Failed), len(s.History), len(s.Attempt.Log))
	}
}

// The content of the last known good comes again, as after a rollback, while the network
// is away: it goes on running, and is not one that may never run again.
func TestGoodIsNotQuarantined(t *testing.T) {
	good := run(State{}, Stage{Kept: keptOf(1), At: noon}, Apply{noon}, Start{At: noon}, Prove{noon})
	again := keptOf(8) // the same content
	s := run(good, Stage{Kept: again, At: noon}, Apply{noon}, Start{At: noon}, Fail{Element: "control-plane", At: noon})
	if s.Attempt.Phase != Returned || s.Runs().Serial != 1 || s.Quarantined(again.Content) != nil {
		t.Errorf("%+v", s)
	}
	if s = run(s, Stage{Kept: keptOf(15), At: noon}); s.Staged == nil {
		t.Error("the same under a third serial is not tried")
	}
}

// A state is read up to MaxState: a longer one would be damaged. JSON writes "<" with
// six bytes.
func TestLongestState(t *testing.T) {
	long := strings.Repeat("<", 2000)
	var s State
	for n := range uint64(200) {
		a := Attempt{Serial: n + 10, Content: fmt.Sprintf("%064x", n), Element: long, Error: long, Hint: long, At: noon}
		for range 100 {
			a.Log = append(a.Log, long)
		}
		s = run(s, Refuse{Attempt: a, Quarantine: true})
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil || len(data) > MaxState {
		t.Errorf("%d bytes, of at most %d, %v", len(data), MaxState, err)
	}
	if len(s.Failed) != maxFailed || len(s.Failed[0].Log) != 0 || len(s.History[0].Log) != maxLogLines {
		t.Errorf("%d failed, %d lines of log with them", len(s.Failed), len(s.Failed[0].Log))
	}
}

func TestSuccessor(t *testing.T) {
	k := keptOf(1)
	k.Successor = "ed25519:next"
	s := run(State{}, Stage{Kept: k, At: noon}, Apply{noon})
	if len(s.Keys) != 0 {
		t.Error("the next key signs before it is confirmed")
	}
	if s = run(s, Start{At: noon}, Prove{noon}); !reflect.DeepEqual(s.Keys, []string{"ed25519:next"}) {
		t.Errorf("keys %v", s.Keys)
	}
}

// events are those of a number, for tests that take any.
func eventOf(n byte, serial uint64) Event {
	switch n % 9 {
	case 0:
		return Stage{Kept: keptOf(serial), At: noon}
	case 1:
		return Stage{Kept: keptOf(serial), Retry: true, At: noon}
	case 2:
		return Apply{noon}
	case 3:
		return Start{At: noon}
	case 4:
		return Prove{noon}
	case 5:
		return Fail{Element: "x", At: noon}
	case 6:
		return Rest{}
	case 7:
		return Broken{At: noon}
	}
	return Refuse{Attempt: Attempt{Serial: serial, Content: keptOf(serial).Content}, Quarantine: n > 127}
}

// holds says what is wrong with a state after an event.
func holds(before, s State, e Event) error {
	_, broken := e.(Broken)
	switch {
	case before.Good != nil && s.Good == nil && !broken:
		return errors.New("the good one is lost")
	case s.Starts > MaxStarts:
		return errors.New("it is started too often")
	case s.Trial != nil && s.Trial != before.Trial && before.Trial != nil && before.Trial.Serial != s.Trial.Serial:
		return errors.New("two are on probation")
	case s.Staged != nil && s.Quarantined(s.Staged.Content) != nil:
		return errors.New("what is quarantined waits to be applied")
	case s.Trial != nil && s.Quarantined(s.Trial.Content) != nil:
		return errors.New("what is quarantined is on probation")
	case s.Good != nil && s.Quarantined(s.Good.Content) != nil:
		return errors.New("what is quarantined runs as the last known good")
	case s.Trial == nil && before.Trial != nil && s.Attempt.Phase == Returned && !reflect.DeepEqual(s.Runs(), before.Good):
		return errors.New("it has returned to another one")
	case s.Attempt != nil && s.Attempt.Phase == Returned && s.Trial != nil:
		return errors.New("it has returned and runs")
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	back, err := ReadState(data)
	if err != nil {
		return err
	}
	if again, _ := json.Marshal(back); string(again) != string(data) {
		return errors.New("it is read in another way than it was written")
	}
	return nil
}

// FuzzStep: whatever happens, in whatever order, the good one stays, and nothing that
// is quarantined is applied.
func FuzzStep(f *testing.F) {
	f.Add([]byte{0, 2, 3, 4, 0, 2, 3, 3, 3})
	f.Add([]byte{0, 2, 3, 5, 0, 1, 2, 3, 4, 7, 7})
	f.Add([]byte{0, 8, 137, 2, 3, 6, 3, 6, 4})
	f.Fuzz(func(t *testing.T, steps []byte) {
		s := State{}
		for i, n := range steps {
			before := s
			copied, _ := json.Marshal(before)
			e := eventOf(n, uint64(i+1))
			s, _ = Step(s, e)
			if still, _ := json.Marshal(before); string(still) != string(copied) {
				t.Fatal("the state before was changed")
			}
			if err := holds(before, s, e); err != nil {
				t.Fatalf("after %v, %T: %v\n%+v", steps[:i+1], e, err, s)
			}
		}
	})
}

func TestAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 600 {
		s := State{}
		for i := range 40 {
			before, e := s, eventOf(byte(r.IntN(256)), uint64(i+1))
			s, _ = Step(s, e)
			if err := holds(before, s, e); err != nil {
				t.Fatalf("%T: %v\n%+v", e, err, s)
			}
		}
	}
}

func TestReadState(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON": "{", "nothing": "null", "without a version": "{}", "starts below 0": `{"schema_version":1,"starts":-9}`,
		"a bundle without content": `{"schema_version":1,"good":{"serial":1}}`, "serial 0": `{"schema_version":1,"trial":{"serial":0}}`,
	} {
		if _, err := ReadState([]byte(text)); err == nil || errors.Is(err, ErrNewer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadState([]byte(`{"schema_version":2}`)); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer one: %v", err)
	}
}

// What failed is named once: the error of a key begins with its line and its name.
func TestCause(t *testing.T) {
	for want, a := range map[string]Attempt{
		"whip: 404 Not Found":                                 {Element: "whip", Error: "404 Not Found"},
		"bundle 3:2: video.gop: 1ms is outside 1s to 60s":     {Element: "video.gop", Error: "bundle 3:2: video.gop: 1ms is outside 1s to 60s"},
		"camera: open /dev/video9: no such file or directory": {Element: "camera", Error: "open /dev/video9: no such file or directory"},
	} {
		if got := a.Cause(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
