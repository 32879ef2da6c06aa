package gpio

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/hardware"
)

const ms = time.Millisecond

// play feeds edges, alternately down and up, at moments in ms, and wakes the
// recogniser when it asks for that, up to the end. It returns gestures with the
// moment at which each was told.
func play(r *recogniser, down bool, edges []int, end int) (told []string) {
	tell := func(g hardware.Gesture, at time.Duration) {
		if g != "" {
			told = append(told, fmt.Sprintf("%s@%d", g, at/ms))
		}
	}
	for _, edge := range append(edges, end) {
		at := time.Duration(edge) * ms
		for due, ok := r.deadline(); ok && due < at; due, ok = r.deadline() {
			tell(r.wake(due), due)
		}
		if edge < end {
			tell(r.edge(down, at), at)
			down = !down
		}
	}
	return told
}

func TestGestures(t *testing.T) {
	tests := []struct {
		name   string
		double bool
		edges  []int // pressed, released, pressed …
		want   string
		stuck  bool
	}{
		{"short at once", false, []int{1000, 1100}, "short@1100", false},
		{"short waits for a double", true, []int{1000, 1100}, "short@1400", false},
		{"double", true, []int{1000, 1100, 1300, 1400}, "double@1300", false},
		{"double, held", true, []int{1000, 1100, 1300, 9000}, "double@1300", false},
		{"slow double", true, []int{1000, 1100, 1399, 1500}, "double@1399", false},
		{"too slow a double", true, []int{1000, 1100, 1500, 1600}, "short@1400 short@1900", false},
		{"double where none is", false, []int{1000, 1100, 1300, 1400}, "short@1100 short@1400", false},
		{"triple", true, []int{1000, 1100, 1200, 1300, 1400, 1500}, "double@1200 short@1800", false},
		{"long", true, []int{1000, 2000}, "long@1800", false},
		{"just not long", false, []int{1000, 1799}, "short@1799", false},
		{"just long", false, []int{1000, 1800}, "long@1800", false},
		{"long, then short", false, []int{1000, 2000, 2100, 2200}, "long@1800 short@2200", false},
		{"short, then long", true, []int{1000, 1100, 3000, 4000}, "short@1400 long@3800", false},
		{"held", false, []int{1000}, "long@1800", true},
		{"bounces at the press", false, []int{1000, 1001, 1003, 1004, 1006, 1100}, "short@1100", false},
		{"bounces at the release", false, []int{1000, 1100, 1102, 1105, 1106, 1107}, "short@1100", false},
		{"bounces everywhere", true, []int{1000, 1002, 1004, 1100, 1103, 1104, 1250, 1251, 1252, 1300, 1301, 1302}, "double@1250", false},
		{"a spark", false, []int{1000, 1003}, "", false},
		{"a spark, then a press", false, []int{1000, 1003, 2000, 2100}, "short@2100", false},
		{"pressed in a bounce, and it lasts", false, []int{1000, 1100, 1105, 1200}, "short@1100 short@1200", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRecogniser(test.double, false, 0)
			got := strings.Join(play(&r, true, test.edges, 60_000), " ")
			if got != test.want || r.stuck != test.stuck {
				t.Errorf("got %q, stuck %v; want %q, stuck %v", got, r.stuck, test.want, test.stuck)
			}
		})
	}
}

// A button that is held when we come is no press, but may be stuck.
func TestHeldFromTheStart(t *testing.T) {
	for _, edges := range [][]int{{}, {3000}, {3000, 5000, 5100}} {
		r := newRecogniser(false, true, 0)
		want := ""
		if len(edges) > 1 {
			want = "short@5100"
		}
		got := strings.Join(play(&r, false, edges, 60_000), " ")
		if got != want || r.stuck != (len(edges) == 0) {
			t.Errorf("%v: got %q, stuck %v", edges, got, r.stuck)
		}
	}
}

// Who is woken late gets the same gestures: edges count by their own times.
func TestLateWake(t *testing.T) {
	for _, test := range []struct {
		edges []int
		want  hardware.Gesture
	}{{[]int{1000, 1500}, hardware.Short}, {[]int{1000, 1900}, hardware.Long}} {
		r := newRecogniser(false, false, 0)
		got := r.edge(true, time.Duration(test.edges[0])*ms)
		got += r.edge(false, time.Duration(test.edges[1])*ms)
		got += r.wake(10 * time.Second)
		if got != test.want {
			t.Errorf("%v: %q, want %q", test.edges, got, test.want)
		}
	}
}

// A repeated level, as after edges that the kernel had no room for, is none.
func TestRepeatedEdges(t *testing.T) {
	r := newRecogniser(false, false, 0)
	for i, step := range []struct {
		down bool
		at   time.Duration
		want hardware.Gesture
	}{{false, 500, ""}, {true, 1000, ""}, {true, 1100, ""}, {false, 1200, "short"}, {false, 1300, ""}} {
		if got := r.edge(step.down, step.at*ms); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
}

// Whatever comes, no deadline is asked for for ever, there are at most as many
// gestures as presses, and rest means rest.
func FuzzRecogniser(f *testing.F) {
	f.Add(uint64(1), true)
	f.Fuzz(func(t *testing.T, seed uint64, double bool) {
		random := rand.New(rand.NewPCG(seed, 0))
		r := newRecogniser(double, random.IntN(2) == 0, 0)
		var at time.Duration
		down, presses, gestures := r.down, 0, 0
		count := func(g hardware.Gesture) {
			if g != "" {
				gestures++
			}
		}
		for range 200 {
			at += time.Duration(random.IntN(1000)) * ms
			if random.IntN(3) == 0 {
				count(r.wake(at))
				if due, ok := r.deadline(); ok && due <= at {
					t.Fatalf("at %v it still waits for %v", at, due)
				}
				continue
			}
			if random.IntN(8) > 0 {
				down = !down
				if down {
					presses++
				}
			}
			count(r.edge(down, at))
		}
		count(r.edge(false, at+time.Minute))
		count(r.wake(at + 2*time.Minute))
		if due, ok := r.deadline(); ok {
			t.Errorf("at rest it waits for %v", due)
		}
		if gestures > presses {
			t.Errorf("%d gestures of %d presses", gestures, presses)
		}
	})
}
