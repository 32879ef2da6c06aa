package opus

import (
	"math"
	"testing"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
)

func BenchmarkEncode(b *testing.B) {
	e, err := New(Config{}, func(encoder.Packet) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	s := capture.Sound{Format: capture.PCM16, Samples: make([]int16, capture.ChunkSamples)}
	for i := range s.Samples {
		s.Samples[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(i)/capture.SampleRate))
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Encode(s); err != nil {
			b.Fatal(err)
		}
	}
}
