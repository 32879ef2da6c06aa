package session

import (
	"context"
	"testing"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// instant is a source and an encoder that take no time.
type instant struct {
	frames uint64
	sink   func(encoder.AccessUnit) error
	data   [1]byte
}

func (i *instant) Next(context.Context) (capture.Frame, error) {
	i.frames++
	now := monotonic.Now()
	return capture.Frame{Format: capture.I420, PTS: now, Ready: now, Sequence: i.frames}, nil
}

func (i *instant) Encode(f capture.Frame) error {
	f.Release()
	return i.sink(encoder.AccessUnit{Data: i.data[:], PTS: f.PTS, Ready: f.Ready, Key: i.frames%50 == 0})
}

func (*instant) Format() capture.VideoFormat {
	return capture.VideoFormat{Format: capture.I420, FPS: 30}
}
func (*instant) State() EncoderState              { return EncoderState{} }
func (*instant) ProfileLevelID() string           { return "42c01f" }
func (*instant) ForceKeyFrame()                   {}
func (*instant) SetBitRate(encoder.BitRate) error { return nil }
func (*instant) Close() error                     { return nil }

// well is a connection that takes everything.
type well struct{ Publisher }

func (well) WriteVideo(encoder.AccessUnit) error { return nil }

// videoBench is a video stage that is open, connected, and shows a Tap.
func videoBench(tap Tap, connected bool) *videoStage {
	i := &instant{}
	r := &record{tap: tap}
	cfg := &Config{KeyFrameEvery: keyInterval}
	out := newOutlet()
	v := &videoStage{stage: newStage("camera", 0, &faults{}, new(pulse)), cfg: cfg, out: out, record: r, meter: &meter{}}
	v.video, v.encoder, v.spacing.every = Video{Source: i, Format: i.Format()}, i, cfg.KeyFrameEvery
	v.tally()
	i.sink = v.sink
	if connected {
		out.set(well{})
	}
	out.record(r.begin(), false)
	return v
}

// counter is a Tap that counts.
type counter struct{ frames, video, audio int }

func (*counter) Begin()                     {}
func (*counter) End()                       {}
func (c *counter) Frame(*capture.Frame)     { c.frames++ }
func (c *counter) Video(encoder.AccessUnit) { c.video++ }
func (c *counter) Audio(encoder.Packet)     { c.audio++ }

var stages = []struct {
	name      string
	tap       Tap
	connected bool
}{{"sent", nil, true}, {"sent and recorded", &counter{}, true}, {"recorded", &counter{}, false}}

// What a Tap is shown costs no allocation.
func TestTapAllocatesNothing(t *testing.T) {
	for _, s := range stages {
		v := videoBench(s.tap, s.connected)
		n := testing.AllocsPerRun(1000, func() {
			if err := v.one(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations a frame", s.name, n)
		}
		if c, ok := s.tap.(*counter); ok && (c.frames < 1000 || c.video != c.frames) {
			t.Errorf("%s: shown %+v", s.name, *c)
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	for _, s := range stages {
		b.Run(s.name, func(b *testing.B) {
			v := videoBench(s.tap, s.connected)
			b.ReportAllocs()
			for b.Loop() {
				if err := v.one(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
