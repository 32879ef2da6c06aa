package resample

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/bril-edge/bril/capture"
)

// The error of a tone against the exact one at 48 kHz, sample by sample, so that
// a shift in time counts as much as noise. 16 bits allow 98 dB at full scale;
// half of full scale is used here.
func TestProcessSNR(t *testing.T) {
	for _, c := range []struct {
		rate int
		tone float64 // Hz
		want float64 // dB
	}{
		{8000, 440, 85}, {8000, 3000, 80}, {11025, 1000, 85}, {16000, 1000, 85}, {16000, 6300, 80},
		{22050, 5000, 85}, {32000, 10000, 85}, {44100, 1000, 85}, {44100, 15000, 85}, {48000, 1000, 90},
		{96000, 1000, 85}, {192000, 15000, 85}, {44056, 1000, 85}, {47999, 10000, 80},
	} {
		t.Run(fmt.Sprintf("%d Hz at %g Hz", c.rate, c.tone), func(t *testing.T) {
			out := convert(t, c.rate, tone(c.rate, c.tone, c.rate))
			if n := len(out) - capture.SampleRate; n < -1 || n > 1 {
				t.Errorf("one second became %d samples", len(out))
			}
			snr := ratio(out, c.tone)
			t.Logf("signal to noise %.1f dB", snr)
			if snr < c.want {
				t.Errorf("signal to noise %.1f dB, want %g", snr, c.want)
			}
		})
	}
}

// What lies above 24 kHz must not come back as a tone below it.
func TestProcessRejectsAliases(t *testing.T) {
	for _, rate := range []int{96000, 192000} {
		out := convert(t, rate, tone(rate, 27000, rate))
		peak := 0
		for _, s := range out[1000 : len(out)-1000] {
			peak = max(peak, int(math.Abs(float64(s))))
		}
		if peak > 2 {
			t.Errorf("%d Hz: 27 kHz at half scale leaves a peak of %d", rate, peak)
		}
	}
}

// Cut into pieces of any size, a stream gives the same samples.
func TestProcessInPieces(t *testing.T) {
	in := tone(44100, 1234, 5000)
	whole := convert(t, 44100, in)
	r := newResampler(t, 44100)
	var pieces []int16
	for n := 1; len(in) > 0; n = n*7%311 + 1 {
		n = min(n, len(in))
		pieces, in = r.Process(pieces, in[:n]), in[n:]
	}
	if pieces = r.Flush(pieces); !slices.Equal(whole, pieces) {
		t.Error("the pieces differ from the whole")
	}
}

func TestProcessClips(t *testing.T) {
	in := make([]int16, 400)
	for i := range in {
		in[i] = math.MaxInt16
		if i/40%2 == 1 {
			in[i] = math.MinInt16
		}
	}
	for i, s := range convert(t, 16000, in) {
		if want := in[i/3]; i%120 > 55 && i%120 < 65 && (s > 0) != (want > 0) {
			t.Fatalf("sample %d is %d: it wrapped around", i, s)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, rate := range []int{-1, 0, 3999, 384001} {
		if _, err := New(rate); err == nil {
			t.Errorf("%d Hz: no error", rate)
		}
	}
}

func TestProcessAllocatesNothing(t *testing.T) {
	r := newResampler(t, 44100)
	in, out := make([]int16, 882), make([]int16, 0, 2000)
	r.Process(out, in)
	if n := testing.AllocsPerRun(100, func() { r.Process(out, in) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkProcess converts 10 ms at a time.
func BenchmarkProcess(b *testing.B) {
	for _, rate := range []int{16000, 44100, 47999, 96000} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			r, err := New(rate)
			if err != nil {
				b.Fatal(err)
			}
			in, out := tone(rate, 1000, rate/50), make([]int16, 0, 1000)
			b.ReportAllocs()
			for b.Loop() {
				r.Process(out, in)
			}
		})
	}
}

func newResampler(t *testing.T, rate int) *Resampler {
	t.Helper()
	r, err := New(rate)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func convert(t *testing.T, rate int, in []int16) []int16 {
	t.Helper()
	r := newResampler(t, rate)
	return r.Flush(r.Process(nil, in))
}

func tone(rate int, hertz float64, samples int) []int16 {
	out := make([]int16, samples)
	for i := range out {
		out[i] = int16(math.Round(16384 * math.Sin(2*math.Pi*hertz*float64(i)/float64(rate))))
	}
	return out
}

// ratio is signal to noise in dB, leaving out the ends, where the tone begins and stops.
func ratio(out []int16, hertz float64) float64 {
	var signal, noise float64
	for i := 2000; i < len(out)-2000; i++ {
		want := 16384 * math.Sin(2*math.Pi*hertz*float64(i)/capture.SampleRate)
		signal += want * want
		noise += (float64(out[i]) - want) * (float64(out[i]) - want)
	}
	return 10 * math.Log10(signal/noise)
}
