package duck

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
)

// tone is a source of the same value, in a buffer that it keeps.
type tone struct {
	samples [capture.ChunkSamples]int16
	n       int
	format  capture.SoundFormat
	err     error
}

func (s *tone) Next(context.Context) (capture.Sound, error) {
	for i, x := range s.samples {
		if x != 10_000 && s.n > 0 {
			return capture.Sound{}, errors.New("the source's own memory was written to")
		}
		s.samples[i] = 10_000
	}
	s.n++
	return capture.Sound{Format: s.format, Samples: s.samples[:], Packet: []byte{1}, Length: capture.ChunkTime, PTS: time.Duration(s.n) * capture.ChunkTime}, s.err
}

func (s *tone) Close() error { return io.EOF }

func TestDuck(t *testing.T) {
	voice := false
	m := New(&tone{format: capture.PCM16}, func() bool { return voice })
	last := int16(10_000)
	// pass takes so much sound, and wants no step in it.
	pass := func(d time.Duration) {
		t.Helper()
		for range d / capture.ChunkTime {
			s, err := m.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range s.Samples {
				if d := int(x) - int(last); d > 15 || d < -15 {
					t.Fatalf("sample %d of %v is %d after %d", i, s.PTS, x, last)
				}
				last = x
			}
		}
	}
	want := func(what string, low, high int16) {
		t.Helper()
		if last < low || last > high {
			t.Errorf("%s: %d, want %d to %d", what, last, low, high)
		}
	}
	pass(time.Second)
	want("without a voice", 10_000, 10_000)
	voice = true
	pass(attack)
	want("once the voice is heard", 490, 510)
	pass(time.Second)
	want("while it is heard", 490, 510)
	voice = false
	pass(hangover - capture.ChunkTime)
	want("between two words", 490, 510)
	pass(release + 2*capture.ChunkTime)
	want("after it", 10_000, 10_000)
	if err := m.Close(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// What is encoded already passes as it is.
func TestPackets(t *testing.T) {
	m := New(&tone{format: capture.Opus}, func() bool { t.Error("asked"); return true })
	s, err := m.Next(t.Context())
	if err != nil || s.Samples[5] != 10_000 || len(s.Packet) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

func BenchmarkSoften(b *testing.B) {
	m := New(&tone{format: capture.PCM16}, func() bool { return true })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
