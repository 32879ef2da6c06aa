package talkback

import (
	"math"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/opus"
)

// encoded is a tone as n packets of 10 ms.
func encoded(t testing.TB, n int) (packets [][]byte) {
	t.Helper()
	e, err := opus.New(opus.Config{}, func(p encoder.Packet) error {
		packets = append(packets, append([]byte(nil), p.Data...))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	samples := make([]int16, capture.ChunkSamples)
	for i := range n {
		for j := range samples {
			samples[j] = int16(8000 * math.Sin(2*math.Pi*440*float64(i*len(samples)+j)/capture.SampleRate))
		}
		if err := e.Encode(capture.Sound{Format: capture.PCM16, Samples: samples, PTS: time.Duration(i) * capture.ChunkTime}); err != nil {
			t.Fatal(err)
		}
	}
	return packets
}

func tone(n int) []int16 {
	samples := make([]int16, n, 2*n)
	for i := range samples {
		samples[i] = int16(8000 * math.Sin(2*math.Pi*200*float64(i)/sampleRate))
	}
	return samples
}

// Sound that is shortened or lengthened by whole periods has no step in it.
func TestSeams(t *testing.T) {
	const period = sampleRate / 200
	for what, got := range map[string][]int16{
		"shortened":  shorten(tone(20*ms), period),
		"lengthened": lengthen(tone(20*ms), period),
	} {
		want := 20*ms - period
		if what == "lengthened" {
			want = 20*ms + period
		}
		if len(got) != want {
			t.Errorf("%s: %d samples, want %d", what, len(got), want)
		}
		for i, x := range tone(len(got)) {
			if abs(int64(got[i])-int64(x)) > 2 {
				t.Errorf("%s: sample %d is %d, want %d", what, i, got[i], x)
				break
			}
		}
	}
	for _, n := range []int{0, -5, 10_000} {
		if got := shorten(tone(4*ms), n); len(got) != 4*ms {
			t.Errorf("4 ms shortened by %d are %d samples", n, len(got))
		}
		if got := lengthen(tone(4*ms), n); len(got) != 4*ms {
			t.Errorf("4 ms lengthened by %d are %d samples", n, len(got))
		}
	}
}
