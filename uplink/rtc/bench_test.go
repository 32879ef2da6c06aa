package rtc

import (
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// BenchmarkWriteVideo sends pictures of 10 kB, nine packets: 720p30 at 2.5 Mb/s.
// "ours" is what this package does for one; "connected" adds pion's SRTP and ICE
// and the system calls, and whatever the endpoint in this process allocates to
// receive them.
func BenchmarkWriteVideo(b *testing.B) {
	au := encoder.AccessUnit{Data: slice(10_000)}
	b.Run("ours", func(b *testing.B) {
		video := bound(b, webrtc.RTPCodecTypeVideo, &wire{rtx: true, discard: true})
		for range videoHistory {
			if err := video.writeAccessUnit(au.Data, 0); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			au.PTS += time.Second / 30
			if err := video.writeAccessUnit(au.Data, au.PTS); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("connected", func(b *testing.B) {
		e := newEndpoint(b)
		go e.discard()
		p := mustDial(b, e, both)
		for range videoHistory {
			if err := p.WriteVideo(au); err != nil {
				b.Fatal(err)
			}
		}
		calls := p.sockets.Stats().Calls
		b.ReportAllocs()
		for b.Loop() {
			au.PTS = monotonic.Now()
			if err := p.WriteVideo(au); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(p.sockets.Stats().Calls-calls)/float64(b.N), "syscalls/op")
	})
}

// BenchmarkWriteAudio is what this package does for one packet of sound.
func BenchmarkWriteAudio(b *testing.B) {
	audio := bound(b, webrtc.RTPCodecTypeAudio, &wire{discard: true})
	packet, pts := make([]byte, 120), time.Duration(0)
	for range audioHistory {
		if err := audio.writePacket(packet, pts, 20*time.Millisecond); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		pts += 20 * time.Millisecond
		if err := audio.writePacket(packet, pts, 20*time.Millisecond); err != nil {
			b.Fatal(err)
		}
	}
}
