package pattern

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
)

const (
	humHertz   = 440
	humLevel   = -30.0 // dBFS of the peak
	beepHertz  = 1000
	beepLevel  = -6.0
	beepLength = 60 * time.Millisecond // whole periods, so that it ends at zero phase too

	beepSamples = capture.SampleRate * int64(beepLength) / int64(time.Second)
	// humPeriod samples hold a whole number of periods: 48000/440 is 1200/11.
	humPeriod = 1200

	// backlog is how many chunks a late consumer still gets, as from the ring
	// buffer of a sound card. Older ones are dropped.
	backlog = 10
)

// Tone is a sound source: a quiet hum of 440 Hz, and at each whole second of the
// wall clock a beep of 1 kHz, at the moment at which Pattern flashes. One
// goroutine calls Next.
type Tone struct {
	timer  *monotonic.Timer
	hum    [humPeriod]int16
	beep   [beepSamples]int16
	chunk  [capture.ChunkSamples]int16
	beeper beeper

	started bool
	start   time.Duration // PTS of chunk 0
	next    int64         // chunk that Next delivers next
}

// NewTone makes a sound source. Close frees it.
func NewTone() (*Tone, error) {
	timer, err := monotonic.NewTimer()
	if err != nil {
		return nil, fmt.Errorf("open tone: %w", err)
	}
	t := &Tone{timer: timer}
	sine(t.hum[:], humHertz, humLevel)
	sine(t.beep[:], beepHertz, beepLevel)
	return t, nil
}

// sine fills samples with a sine that starts at zero phase.
func sine(samples []int16, hertz, dBFS float64) {
	peak := math.MaxInt16 * math.Pow(10, dBFS/20)
	for i := range samples {
		samples[i] = int16(math.Round(peak * math.Sin(2*math.Pi*hertz*float64(i)/capture.SampleRate)))
	}
}

// Next returns the next chunk once its last sample's time has come, as a
// microphone would. It blocks until then, ctx ends, or the tone is closed
// (os.ErrClosed). The chunk is valid until the next call. A consumer that is more
// than 100 ms late loses the oldest chunks, which Sequence shows.
func (t *Tone) Next(ctx context.Context) (capture.Sound, error) {
	if !t.started {
		t.started, t.start = true, monotonic.Now()
	}
	if err := t.timer.SleepUntil(ctx, t.start+time.Duration(t.next+1)*capture.ChunkTime); err != nil {
		return capture.Sound{}, fmt.Errorf("next chunk of tone: %w", err)
	}
	complete := int64((monotonic.Now() - t.start) / capture.ChunkTime) // chunks
	t.next = max(t.next, complete-backlog)
	pts := t.start + time.Duration(t.next)*capture.ChunkTime
	t.fill(t.next*capture.ChunkSamples, monotonic.Wall(pts))
	s := capture.Sound{
		Format: capture.PCM16, Samples: t.chunk[:], Length: capture.ChunkTime,
		PTS: pts, Sequence: uint64(t.next),
	}
	t.next++
	return s, nil
}

// Close ends Next. It may be called twice.
func (t *Tone) Close() error { return t.timer.Close() }

// fill makes the chunk that starts with sample number first, taken at wall.
func (t *Tone) fill(first int64, wall time.Time) {
	phase := int(first % humPeriod)
	for i := range t.chunk {
		t.chunk[i] = t.hum[phase]
		if phase++; phase == humPeriod {
			phase = 0
		}
	}
	from, at, n := t.beeper.next(first, wall)
	for i := range n {
		t.chunk[at+i] += t.beep[from+i]
	}
}

// beeper decides where in the stream of samples the beeps are. A beep that has
// begun keeps to its samples, so that neither a clock reading that comes late by
// a moment nor an adjustment of the clock can repeat, miss or tear one.
type beeper struct {
	began int64 // sample number of the last beep's first sample
	end   int64 // began plus its length; 0 before the first beep
	wait  int64 // no beep begins before this sample
}

// next returns which part of a beep belongs into the chunk that starts with
// sample number first, taken at wall: n samples of it, from sample number from,
// placed at sample at of the chunk. Without a beep n is 0.
func (b *beeper) next(first int64, wall time.Time) (from, at, n int) {
	if first >= b.end {
		b.begin(first, wall)
	}
	lo, hi := max(first, b.began), min(first+capture.ChunkSamples, b.end)
	if hi <= lo {
		return 0, 0, 0
	}
	return int(lo - b.began), int(lo - first), int(hi - lo)
}

// begin starts a beep if a whole second falls into the chunk, or fell just
// before it and had none.
func (b *beeper) begin(first int64, wall time.Time) {
	second := wall.Round(time.Second)
	offset := int64(math.Round(second.Sub(wall).Seconds() * capture.SampleRate)) // samples from the chunk's first
	if offset < -capture.ChunkSamples/4 || offset >= capture.ChunkSamples {
		return
	}
	began := first + max(offset, 0)
	if began < b.wait {
		return
	}
	b.began, b.end, b.wait = began, began+beepSamples, began+capture.SampleRate/2
}
