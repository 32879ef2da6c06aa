// Package resample brings 16-bit mono sound of any rate to 48 kHz. It works on a
// stream, keeps the samples' times (linear phase, no shift), and knows nothing of
// where they come from.
package resample

import (
	"fmt"
	"math"

	"github.com/bril-edge/bril/capture"
)

const (
	// MinRate and MaxRate bound the rates that are accepted, in hertz.
	MinRate = 4000
	MaxRate = 384000

	// halfTaps is half the length of the filter, in samples of the lower rate.
	// With a Kaiser window for 90 dB that leaves a transition band of 9 % of the
	// lower rate.
	halfTaps = 32
	beta     = 8.96 // 0.1102 * (90 - 8.7), Kaiser's formula
	// cutoff is where the filter is at half amplitude, relative to the lower
	// rate's Nyquist frequency: the transition band lies below that frequency for
	// the most part.
	cutoff = 0.93

	// maxPhases bounds the table. Rates whose ratio to 48 kHz needs more phases
	// are interpolated between neighbouring ones, which costs twice as much.
	maxPhases = 640
)

// Resampler converts one stream. It is not for concurrent use.
type Resampler struct {
	from, to int // the rates, divided by their greatest common divisor
	phases   int
	taps     int       // of one phase
	table    []float32 // phases+1 rows of taps; the last is the first, one sample on
	in       []float32 // input not yet done with
	pos      int       // in in, of the first tap for the next output
	frac     int       // of the next output between two inputs, in 1/to
}

// New makes a resampler from a rate in hertz to capture.SampleRate.
func New(rate int) (*Resampler, error) {
	if rate < MinRate || rate > MaxRate {
		return nil, fmt.Errorf("sound at %d Hz: between %d and %d Hz is supported", rate, MinRate, MaxRate)
	}
	g := gcd(rate, capture.SampleRate)
	r := &Resampler{from: rate / g, to: capture.SampleRate / g}
	r.phases = min(r.to, maxPhases)
	r.design()
	r.Reset()
	return r, nil
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Reset forgets the stream, as if before its first sample.
func (r *Resampler) Reset() {
	r.pos, r.frac = 0, 0
	r.in = append(r.in[:0], make([]float32, r.taps/2-1)...)
}

// Process appends to dst what src, the next part of the stream, gives at 48 kHz.
// It allocates only when dst or its own buffer has to grow. The end of the
// stream stays inside until Flush.
func (r *Resampler) Process(dst, src []int16) []int16 {
	if r.from == r.to {
		return append(dst, src...)
	}
	for _, s := range src {
		r.in = append(r.in, float32(s))
	}
	for r.pos+r.taps <= len(r.in) {
		dst = append(dst, round(r.output(r.in[r.pos:r.pos+r.taps])))
		r.frac += r.from
		r.pos += r.frac / r.to
		r.frac %= r.to
	}
	drop := min(r.pos, len(r.in))
	r.in = r.in[:copy(r.in, r.in[drop:])]
	r.pos -= drop
	return dst
}

// Flush appends the rest of the stream to dst and resets.
func (r *Resampler) Flush(dst []int16) []int16 {
	if r.from != r.to {
		dst = r.Process(dst, make([]int16, r.taps/2))
	}
	r.Reset()
	return dst
}

// output is the sample between in[taps/2-1] and in[taps/2], at frac.
func (r *Resampler) output(in []float32) float32 {
	if r.phases == r.to {
		return dot(r.row(r.frac), in)
	}
	at := float32(r.frac) * float32(r.phases) / float32(r.to)
	phase := int(at)
	a, b := dot(r.row(phase), in), dot(r.row(phase+1), in)
	return a + (at-float32(phase))*(b-a)
}

func (r *Resampler) row(phase int) []float32 {
	return r.table[phase*r.taps : (phase+1)*r.taps]
}

func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32 // four sums, so that additions overlap
	for i := 0; i+3 < len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	return s0 + s1 + s2 + s3
}

func round(v float32) int16 {
	return int16(max(math.MinInt16, min(math.MaxInt16, math.Round(float64(v)))))
}

// design computes the filter: a sinc under a Kaiser window, one row of taps for
// each phase, each of gain 1. Downwards it stretches with the ratio.
func (r *Resampler) design() {
	stretch := max(1, float64(r.from)/float64(r.to))
	half := int(math.Ceil(halfTaps*stretch/2)) * 2 // so that taps is a multiple of four
	r.taps = 2 * half
	r.table = make([]float32, (r.phases+1)*r.taps)
	row := make([]float64, r.taps)
	for p := range r.phases + 1 {
		sum := 0.0
		for i := range row {
			t := (float64(i-half+1) - float64(p)/float64(r.phases)) / stretch
			row[i] = sinc(t*cutoff) * kaiser(t/halfTaps)
			sum += row[i]
		}
		for i, v := range row {
			r.table[p*r.taps+i] = float32(v / sum)
		}
	}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the window at x, from -1 to 1.
func kaiser(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return bessel(beta*math.Sqrt(1-x*x)) / bessel(beta)
}

// bessel is the modified Bessel function of the first kind and order zero.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-12*sum; k++ {
		term *= x / (2 * k) * (x / (2 * k))
		sum += term
	}
	return sum
}
