package pattern

import (
	"context"
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
)

var second = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// record fills chunks that start at a moment, and returns their samples. skew is
// how wrong each chunk's reading of the wall clock is.
func record(t *testing.T, start time.Time, chunks int, skew func(chunk int) time.Duration) []int16 {
	t.Helper()
	tone := openTone(t)
	var samples []int16
	for i := range chunks {
		tone.fill(int64(i)*capture.ChunkSamples, start.Add(time.Duration(i)*capture.ChunkTime+skew(i)))
		samples = append(samples, tone.chunk[:]...)
	}
	return samples
}

// beeps returns the sample numbers at which something else than the hum begins
// after quiet, and for how many samples it lasts.
func beeps(samples []int16) (begins, lengths []int) {
	const quiet = 48 // samples, one period of the beep
	last := -quiet - 1
	var hum [humPeriod]int16
	sine(hum[:], humHertz, humLevel)
	for i, v := range samples {
		if v != hum[i%humPeriod] {
			if i-last > quiet {
				begins, lengths = append(begins, i), append(lengths, 0)
			}
			last = i
			lengths[len(lengths)-1] = i - begins[len(begins)-1] + 1
		}
	}
	return begins, lengths
}

func exactly(int) time.Duration { return 0 }

func TestBeepsAtEachWholeSecond(t *testing.T) {
	for _, early := range []time.Duration{0, 990 * time.Millisecond, 250 * time.Millisecond, 7 * time.Millisecond, capture.ChunkTime, capture.ChunkTime - 1} {
		samples := record(t, second.Add(-early), 320, exactly)
		begins, lengths := beeps(samples)
		first := int(math.Round(early.Seconds() * capture.SampleRate))
		for i, begin := range begins {
			// One sample more: at zero phase the first is silent.
			if want := first + i*capture.SampleRate + 1; begin != want {
				t.Errorf("%v before the second: beep %d begins at sample %d, want %d", early, i, begin, want)
			}
			if full := begin+int(beepSamples) < len(samples); full && lengths[i] != int(beepSamples)-1 {
				t.Errorf("beep %d lasts %d samples, want %d", i, lengths[i], beepSamples)
			}
		}
		if want := (len(samples)-1-first)/capture.SampleRate + 1; len(begins) != want {
			t.Errorf("%v before the second: %d beeps, want %d", early, len(begins), want)
		}
	}
}

// TestBeepsOnceWhateverTheClockSays jitters the reading of the clock around a
// second that falls on the border of two chunks, and steps the clock.
func TestBeepsOnceWhateverTheClockSays(t *testing.T) {
	tests := []struct {
		name string
		skew func(chunk int) time.Duration
		want int
	}{
		{"late by 0.1 ms", func(int) time.Duration { return 100 * time.Microsecond }, 2},
		{"to and fro", func(i int) time.Duration { return time.Duration(i%2*200-100) * time.Microsecond }, 2},
		{"fro and to", func(i int) time.Duration { return time.Duration(100-i%2*200) * time.Microsecond }, 2},
		{"stepped back a little after the beep", func(i int) time.Duration { return -time.Duration(i/20) * 30 * time.Millisecond / 5 }, 2},
		{"stepped an hour back", func(i int) time.Duration { return -time.Duration(i/120) * time.Hour }, 2},
	}
	for _, test := range tests {
		// The first second is at the start of chunk 5, the next at that of chunk 105.
		begins, _ := beeps(record(t, second.Add(-5*capture.ChunkTime), 180, test.skew))
		if len(begins) != test.want {
			t.Errorf("%s: beeps at samples %v, want %d", test.name, begins, test.want)
		}
	}
}

func TestHumIsQuietAndContinuous(t *testing.T) {
	samples := record(t, second.Add(100*time.Millisecond), 80, exactly) // no beep in these 0.8 s
	peak, jump, crossings := 0, 0, 0
	for i := 1; i < len(samples); i++ {
		peak = max(peak, int(samples[i]))
		jump = max(jump, int(math.Abs(float64(samples[i])-float64(samples[i-1]))))
		if samples[i-1] < 0 && samples[i] >= 0 {
			crossings++
		}
	}
	if level := 20 * math.Log10(float64(peak)/math.MaxInt16); level < -30.1 || level > -29.9 {
		t.Errorf("%.2f dBFS, want -30", level)
	}
	// A sine of 440 Hz changes by 2*pi*440/48000 of its peak at most.
	if jump > peak*6/100+1 {
		t.Errorf("jumps by %d at a peak of %d", jump, peak)
	}
	if crossings != 440*8/10-1 && crossings != 440*8/10 {
		t.Errorf("%d periods in 0.8 s, want 352", crossings)
	}
}

func TestToneDeliversChunksWhenComplete(t *testing.T) {
	tone := openTone(t)
	var last capture.Sound
	for i := range 4 {
		s, err := tone.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if now := monotonic.Now(); now < s.PTS+capture.ChunkTime {
			t.Errorf("chunk %d came %v before its last sample", i, s.PTS+capture.ChunkTime-now)
		}
		if s.Format != capture.PCM16 || len(s.Samples) != capture.ChunkSamples || s.Length != capture.ChunkTime {
			t.Errorf("got %+v", s)
		}
		if step := s.PTS - last.PTS; i > 0 && step != time.Duration(s.Sequence-last.Sequence)*capture.ChunkTime {
			t.Errorf("chunk %d starts %v after chunk %d", s.Sequence, step, last.Sequence)
		}
		last = s
	}
}

func TestLateListenerLosesTheOldest(t *testing.T) {
	tone := openTone(t)
	first := listen(t, tone)
	tone.start -= (backlog - 1) * capture.ChunkTime // as if the listener had been away for so long
	if s := listen(t, tone); s.Sequence != first.Sequence+1 {
		t.Errorf("a little late: chunk %d follows %d, want no gap", s.Sequence, first.Sequence)
	}
	tone.start -= time.Second
	s := listen(t, tone)
	if behind := monotonic.Now() - s.PTS; s.Sequence < 90 || behind < backlog*capture.ChunkTime {
		t.Errorf("a second late: chunk %d, %v old", s.Sequence, behind)
	}
}

func TestToneEnds(t *testing.T) {
	tone := openTone(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tone.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: got %v, want context.Canceled", err)
	}
	for range 2 {
		if err := tone.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if _, err := tone.Next(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after close: got %v, want os.ErrClosed", err)
	}
}

func TestToneAllocatesNothing(t *testing.T) {
	tone := openTone(t)
	ctx := t.Context()
	if n := testing.AllocsPerRun(5, func() {
		if _, err := tone.Next(ctx); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a chunk", n)
	}
}

func openTone(t *testing.T) *Tone {
	t.Helper()
	tone, err := NewTone()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tone.Close() })
	return tone
}

func listen(t *testing.T, tone *Tone) capture.Sound {
	t.Helper()
	s, err := tone.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
