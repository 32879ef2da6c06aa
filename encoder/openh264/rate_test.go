package openh264

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bril-edge/bril/encoder"
)

const frame = time.Second / 25

// steady returns a budget of 1 Mb/s that has sent bits every frame until just
// before t.
func steady(t time.Duration, bits int) *budget {
	b := newBudget(1_000_000, 25)
	for at := t - window + frame; at < t; at += frame {
		b.advance(at)
		b.add(at, bits, 1_000_000, false)
	}
	b.advance(t)
	return b
}

func TestAsk(t *testing.T) {
	const now = 10 * time.Second
	share := func(percent int) int { return 10_000 * percent / 25 } // bits a frame at 1 Mb/s
	tests := []struct {
		name   string
		budget func() *budget
		low    encoder.BitRate
		high   encoder.BitRate
	}{
		{"nothing sent yet", func() *budget { return newBudget(1_000_000, 25) }, 930_000, 950_000},
		{"as aimed at", func() *budget { return steady(now, share(94)) }, 980_000, 1_050_000}, // makes 94 % of what is asked
		{"at the ceiling", func() *budget { return steady(now, share(100)) }, 400_000, 600_000},
		{"a tenth over", func() *budget { return steady(now, share(110)) }, 62_500, 62_500},
		{"half", func() *budget { return steady(now, share(50)) }, 1_000_000, 1_060_000},
		{"a large picture just now", func() *budget {
			b := steady(now, share(94))
			b.add(now, 100_000, 1_000_000, true)
			return b
		}, 600_000, 640_000},
		{"a large picture about to leave the window", func() *budget {
			b := newBudget(1_000_000, 25)
			b.add(now-window+300*time.Millisecond, 1_800_000, 1_000_000, true)
			return b
		}, 266_000, 267_000},
	}
	for _, test := range tests {
		if got := test.budget().ask(now); got < test.low || got > test.high {
			t.Errorf("%s: asks for %d, want %d to %d", test.name, got, test.low, test.high)
		}
	}
}

func TestAskKeyAfterOneThatWasTooLarge(t *testing.T) {
	b := newBudget(1_000_000, 25)
	first := b.askKey(0, 0, 0)
	second := b.askKey(0, first, 2*b.over(keyShare))
	if first != 940_000 || second < first/3 || second > first/2 {
		t.Errorf("asks for %d, then %d", first, second)
	}
	if got := b.askKey(0, first, 1<<30); got != b.rate/16 {
		t.Errorf("after a huge one asks for %d, want the least, %d", got, b.rate/16)
	}
}

func TestRoom(t *testing.T) {
	b := newBudget(1_000_000, 25)
	b.add(0, 500_000, 0, true)
	b.add(time.Second, 700_000, 0, false)
	for _, test := range []struct {
		at   time.Duration
		want int
	}{
		{time.Second, 800_000},
		{window - 1, 800_000},
		{window, 1_300_000}, // the first has left the window, which is open at its start
		{window + time.Second, 2_000_000},
	} {
		b.advance(test.at)
		if got := b.room(100); got != test.want {
			t.Errorf("at %v: %d bits, want %d", test.at, got, test.want)
		}
	}
}

func TestTimeThatRunsBackwardsBeginsAnew(t *testing.T) {
	b := steady(time.Hour, 37_600)
	b.advance(time.Minute)
	if got := b.room(100); got != 2_000_000 {
		t.Errorf("%d bits left, want all 2000000", got)
	}
}

func TestNewCeilingCountsWhatWasSentByTheOldOne(t *testing.T) {
	b := steady(time.Minute, 37_600)
	before := float64(b.room(100)) / float64(b.over(100))
	for _, rate := range []encoder.BitRate{250_000, 4_000_000, 1_000_000} {
		b.setRate(rate)
		if after := float64(b.room(100)) / float64(b.over(100)); after < before-0.001 || after > before+0.001 {
			t.Errorf("at %d: %.3f of the window is free, before %.3f", rate, after, before)
		}
	}
}

func TestGain(t *testing.T) {
	tests := []struct {
		name string
		bits int // made of 30000, each picture
		want float64
	}{
		{"as asked", 30_000, 1},
		{"a tenth over", 33_000, 1.1},
		{"three times", 90_000, 2},
		{"a still scene", 100, 0.9},
	}
	for _, test := range tests {
		var g gain
		for range 300 {
			g.add(test.bits, 30_000)
		}
		if got := g.value(); got < test.want-0.01 || got > test.want+0.01 {
			t.Errorf("%s: %.3f, want %.3f", test.name, got, test.want)
		}
	}
	if got := new(gain).value(); got != 1 {
		t.Errorf("before the first picture: %v, want 1", got)
	}
}

func TestSlowCameraGetsLargerPictures(t *testing.T) {
	tests := []struct {
		every time.Duration // nominal is 40 ms
		want  float64       // of the rate that is asked for at 40 ms
	}{
		{20 * time.Millisecond, 0.5},
		{40 * time.Millisecond, 1},
		{80 * time.Millisecond, 2},
		{time.Second, 1}, // pauses
	}
	for _, test := range tests {
		b := newBudget(1_000_000, 25)
		for at := time.Duration(0); at < 10*time.Second; at += test.every {
			b.advance(at)
		}
		if got := float64(b.ask(10*time.Second)) / 940_000; got < test.want*0.98 || got > test.want*1.02 {
			t.Errorf("a picture each %v: asks for %.2f times as much, want %.2f", test.every, got, test.want)
		}
	}
}

// TestAskHoldsAnEncoderThatMakesMore feeds the budget by a model of an encoder
// that makes more than asked, unevenly and late, and by IDR pictures.
func TestAskHoldsAnEncoderThatMakesMore(t *testing.T) {
	tests := []struct {
		name   string
		gain   float64
		spread float64 // of a picture's size
		key    int     // pictures from one IDR picture to the next; 0 for the first only
		size   float64 // of an IDR picture, in pictures
	}{
		{"exact", 1, 0, 0, 1},
		{"10 % over", 1.1, 0.2, 0, 5},
		{"40 % over", 1.4, 0.3, 0, 5},
		{"IDR each second", 1.1, 0.2, 25, 3},
		{"IDR each 5 s", 1.1, 0.2, 125, 4},
		{"30 % under", 0.7, 0.3, 0, 5},
	}
	for _, test := range tests {
		rng := rand.New(rand.NewPCG(1, 2))
		b := newBudget(2_500_000, 25)
		follows := float64(b.rate) // the rate that the model has settled on
		worst, total := 0.0, 0
		for i := range 3000 {
			at := time.Duration(i) * frame
			b.advance(at)
			asked := b.ask(at)
			follows += (float64(asked) - follows) / 4
			bits := follows / 25 * test.gain * (1 + test.spread*(2*rng.Float64()-1))
			key := i == 0 || test.key > 0 && i%test.key == 0
			if key {
				bits = 2_500_000 / 25 * test.size
			}
			b.add(at, int(bits), asked, key)
			total += int(bits)
			worst = max(worst, 1-float64(b.room(100))/float64(b.over(100)))
		}
		mean := float64(total) / 120 / 2_500_000
		t.Logf("%-20s mean %.3f, most in 2 s %.3f of the ceiling", test.name, mean, worst)
		if worst > 1.05 {
			t.Errorf("%s: %.3f of the ceiling in 2 s", test.name, worst)
		}
		if test.gain >= 1 && mean < 0.9 {
			t.Errorf("%s: uses only %.3f of the ceiling", test.name, mean)
		}
	}
}

func TestAskAllocatesNothing(t *testing.T) {
	b := steady(time.Minute, 37_600)
	at := time.Minute
	if n := testing.AllocsPerRun(500, func() {
		b.advance(at)
		b.add(at, 37_600, b.ask(at), false)
		at += frame
	}); n > 0 {
		t.Errorf("%v allocations a picture", n)
	}
}
