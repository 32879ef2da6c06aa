package microphone

import (
	"context"
	"errors"
	"math"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/alsa"
)

const ms = time.Millisecond

// ramp returns n samples counting from start.
func ramp(start, n int) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(start + i)
	}
	return s
}

func mustNext(t *testing.T, r *recorder) capture.Sound {
	t.Helper()
	s, err := r.next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBuffersBecomeChunks(t *testing.T) {
	for _, size := range []int{1, 441, 480, 960, 1024, 4000} {
		r := newRecorder(0)
		total, got := 0, 0
		for chunks := 0; chunks < 5; {
			r.write(ramp(total, size), duration(total+size)+time.Second)
			total += size
			for ; (chunks+1)*capture.ChunkSamples <= total; chunks++ {
				s := mustNext(t, r)
				if s.Format != capture.PCM16 || s.Length != capture.ChunkTime || len(s.Samples) != capture.ChunkSamples {
					t.Fatalf("buffers of %d: %+v", size, s)
				}
				for i, v := range s.Samples {
					if v != int16(got+i) {
						t.Fatalf("buffers of %d: chunk %d sample %d is %d", size, chunks, i, v)
					}
				}
				// The moment of the first sample, whatever the buffers' borders.
				if off := s.PTS - (time.Second + duration(got)); off < -time.Microsecond || off > time.Microsecond {
					t.Errorf("buffers of %d: chunk %d is off by %v", size, chunks, off)
				}
				if s.Sequence != uint64(chunks) {
					t.Errorf("buffers of %d: sequence %d, want %d", size, s.Sequence, chunks)
				}
				got += capture.ChunkSamples
			}
		}
	}
}

func TestOldestSoundIsDropped(t *testing.T) {
	r := newRecorder(0)
	for i := range ringChunks + 3 {
		r.write(ramp(i, capture.ChunkSamples), time.Duration(i+1)*capture.ChunkTime)
	}
	for i := range ringChunks {
		s := mustNext(t, r)
		if s.Sequence != uint64(i+3) || s.Samples[0] != int16(i+3) || s.PTS != time.Duration(i+3)*capture.ChunkTime {
			t.Errorf("sequence %d, sample %d, PTS %v, want number %d", s.Sequence, s.Samples[0], s.PTS, i+3)
		}
	}
}

func TestWhatWasReturnedStays(t *testing.T) {
	r := newRecorder(0)
	r.write(ramp(1, capture.ChunkSamples), capture.ChunkTime)
	s := mustNext(t, r)
	for i := range 2 * ringChunks {
		r.write(ramp(1000, capture.ChunkSamples), time.Duration(i+2)*capture.ChunkTime)
	}
	if s.Samples[0] != 1 || s.Samples[capture.ChunkSamples-1] != capture.ChunkSamples {
		t.Error("the chunk changed before the next call")
	}
}

func TestNextEnds(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name string
		end  func(r *recorder, cancel func())
		want error
	}{
		{"context", func(_ *recorder, cancel func()) { cancel() }, context.Canceled},
		{"close", func(r *recorder, _ func()) { r.close() }, os.ErrClosed},
		{"unplugged", func(r *recorder, _ func()) { r.fail(broken) }, broken},
		{"unplugged, then closed", func(r *recorder, _ func()) { r.fail(broken); r.close() }, os.ErrClosed},
		{"closed, which stops the device", func(r *recorder, _ func()) { r.close(); r.fail(broken) }, os.ErrClosed},
		{"closed, and the device delivers once more", func(r *recorder, _ func()) {
			r.close()
			r.write(ramp(1, capture.ChunkSamples), capture.ChunkTime)
		}, os.ErrClosed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRecorder(0)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				result := make(chan error)
				go func() {
					_, err := r.next(ctx)
					result <- err
				}()
				synctest.Wait() // it waits
				test.end(r, cancel)
				// Who waits may see the first of two ends.
				if err := <-result; !errors.Is(err, test.want) && !errors.Is(err, broken) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if _, err := r.next(ctx); !errors.Is(err, test.want) {
					t.Errorf("afterwards got %v, want %v", err, test.want)
				}
			})
		})
	}
}

func TestSoundBeforeTheUnplugIsKept(t *testing.T) {
	r := newRecorder(0)
	r.write(ramp(0, capture.ChunkSamples), 20*ms)
	r.fail(alsa.ErrGone)
	mustNext(t, r)
	for range 2 {
		if _, err := r.next(t.Context()); !errors.Is(err, alsa.ErrGone) {
			t.Errorf("got %v, want alsa.ErrGone", err)
		}
	}
}

func TestGain(t *testing.T) {
	tests := []struct {
		db   float64
		in   int16
		want int16
	}{
		{0, 12345, 12345}, {0, math.MinInt16, math.MinInt16},
		{6.0206, 1000, 2000}, {6.0206, -1000, -2000},
		{20, 32767, 32767}, {20, -32768, -32768}, {20, 3000, 30000}, {20, 4000, 32767},
		{-20, 1000, 100}, {-60, 32767, 31}, {40, 100, 10000},
	}
	for _, test := range tests {
		out := make([]int16, 1)
		newGain(test.db).apply(out, []int16{test.in})
		if diff := int(out[0]) - int(test.want); diff < -1 || diff > 1 {
			t.Errorf("%d at %g dB is %d, want %d", test.in, test.db, out[0], test.want)
		}
	}
}

// A device whose crystal is 200 ppm off, fetched by a thread that wakes late.
func TestClockFollowsDriftWithoutJitter(t *testing.T) {
	for _, ppm := range []float64{-200, 0, 200} {
		var c clock
		last := time.Duration(-1)
		worst := time.Duration(0)
		for i := 1; i <= 100*120; i++ { // two minutes
			done := time.Duration(float64(i) * 10e6 * (1 + ppm/1e6))
			jitter := time.Duration(i*7919%5000) * time.Microsecond
			pts := c.stamp(c.advance(capture.ChunkSamples, done+jitter), 0)
			if pts <= last {
				t.Fatalf("%g ppm: stamp %d went from %v to %v", ppm, i, last, pts)
			}
			if step := pts - last; i > 1000 && (step < 9*ms || step > 11*ms) {
				t.Fatalf("%g ppm: step of %v at %d", ppm, step, i)
			}
			last = pts
			if off := (pts - (done - capture.ChunkTime)).Abs(); i > 1000 {
				worst = max(worst, off)
			}
		}
		if worst > 2*ms {
			t.Errorf("%g ppm: off by up to %v", ppm, worst)
		}
	}
}

func TestClockStartsAnewAfterLostSound(t *testing.T) {
	var c clock
	c.stamp(c.advance(960, time.Second), 0)
	if pts := c.stamp(c.advance(960, 3*time.Second), 0); pts != 3*time.Second-20*ms {
		t.Errorf("after a pause: %v", pts)
	}
	// A backlog, delivered at once, does not turn time back.
	before := c.last
	for range 20 {
		pts := c.stamp(c.advance(960, 3*time.Second), 0)
		if pts <= before {
			t.Fatalf("went back from %v to %v", before, pts)
		}
		before = pts
	}
}

func TestSoundAllocatesNothing(t *testing.T) {
	r := newRecorder(3)
	in := ramp(0, capture.ChunkSamples)
	ctx := t.Context()
	at := time.Duration(0)
	allocs := testing.AllocsPerRun(100, func() {
		at += 20 * ms
		r.write(in, at)
		if _, err := r.next(ctx); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations a chunk", allocs)
	}
}
