package relay

import (
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// recorder is a viewer's track that keeps what is written.
type recorder struct {
	packets []rtp.Packet
	reports []*rtcp.SenderReport
}

func (r *recorder) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	r.packets = append(r.packets, rtp.Packet{Header: h.Clone(), Payload: payload})
	return len(payload), nil
}

func (r *recorder) Write([]byte) (int, error) { panic("not used") }

func (r *recorder) sendRTCP(packets []rtcp.Packet) error {
	for _, p := range packets {
		if sr, ok := p.(*rtcp.SenderReport); ok {
			r.reports = append(r.reports, sr)
		}
	}
	return nil
}

// context is what pion would bind a leg with.
type bindContext struct {
	webrtc.TrackLocalContext
	writer webrtc.TrackLocalWriter
	codec  webrtc.RTPCodecParameters
}

func (c bindContext) CodecParameters() []webrtc.RTPCodecParameters {
	return []webrtc.RTPCodecParameters{c.codec}
}
func (c bindContext) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter {
	return []webrtc.RTPHeaderExtensionParameter{{URI: uriMid, ID: 4}, {URI: uriPlayoutDelay, ID: 6}}
}
func (c bindContext) SSRC() webrtc.SSRC                    { return 77 }
func (c bindContext) WriteStream() webrtc.TrackLocalWriter { return c.writer }
func (c bindContext) RTCPReader() interceptor.RTCPReader   { return nil }

func newTestLeg(t *testing.T, kind webrtc.RTPCodecType) (*leg, *recorder, *int) {
	t.Helper()
	asked := 0
	choice := &media{mid: "1", chosen: codec{payloadType: 96}}
	l, r := newLeg(kind, choice, func() { asked++ }), &recorder{}
	l.sendRTCP = r.sendRTCP
	if _, err := l.Bind(bindContext{writer: r, codec: webrtc.RTPCodecParameters{PayloadType: 96}}); err != nil {
		t.Fatal(err)
	}
	l.start()
	return l, r, &asked
}

var (
	epoch = time.Unix(1_700_000_000, 0)
	key   = []byte{0x65, 1}
	other = []byte{0x41, 1}
)

func packet(seq uint16, timestamp uint32, payload []byte) *rtp.Packet {
	return &rtp.Packet{Header: rtp.Header{SequenceNumber: seq, Timestamp: timestamp}, Payload: payload}
}

func TestLegContinuesAcrossSources(t *testing.T) {
	l, r, _ := newTestLeg(t, webrtc.RTPCodecTypeVideo)
	first, second := &source{clockRate: 90000}, &source{clockRate: 90000}
	write := func(s *source, after time.Duration, p *rtp.Packet) { l.write(s, p, extensions{}, epoch.Add(after)) }
	write(first, 0, packet(65535, 4294967000, key))
	write(first, 33*time.Millisecond, packet(0, 4294970000-4294967296, other))
	write(second, time.Second, packet(500, 10, other)) // before its key frame
	write(second, 1033*time.Millisecond, packet(502, 3010, key))
	write(second, 1034*time.Millisecond, packet(501, 3010, other)) // late, from before the key frame
	write(second, 1066*time.Millisecond, packet(503, 6010, other))

	want := []struct {
		seq       uint16
		timestamp uint32
	}{{65535, 4294967000}, {0, 2704}, {1, 2704 + 90000}, {2, 2704 + 93000}}
	if len(r.packets) != len(want) {
		t.Fatalf("%d packets, want %d", len(r.packets), len(want))
	}
	for i, w := range want {
		p := r.packets[i]
		if p.SequenceNumber != w.seq || p.Timestamp != w.timestamp || p.SSRC != 77 || p.PayloadType != 96 {
			t.Errorf("packet %d is %v, want seq %d, timestamp %d", i, p.Header, w.seq, w.timestamp)
		}
	}
}

func TestLegAsksForAKeyFrameAgain(t *testing.T) {
	l, _, asked := newTestLeg(t, webrtc.RTPCodecTypeVideo)
	s := &source{clockRate: 90000}
	for i := range 31 { // one second of pictures without a key frame
		l.write(s, packet(uint16(i), uint32(i)*3000, other), extensions{}, epoch.Add(time.Duration(i)*time.Second/30))
	}
	if *asked != 4 {
		t.Errorf("asked %d times in a second, want 4", *asked)
	}
}

func TestLegReports(t *testing.T) {
	l, r, _ := newTestLeg(t, webrtc.RTPCodecTypeAudio)
	s := &source{clockRate: 48000}
	write := func(i int) {
		l.write(s, packet(uint16(i), uint32(i)*960, []byte{1, 2, 3}), extensions{}, epoch.Add(time.Duration(i)*20*time.Millisecond))
	}
	write(0)
	if len(r.reports) != 0 {
		t.Fatal("a report before the publisher's clocks are known")
	}
	s.report.Store(&senderReport{ntp: 5 << 32, rtp: 1000, at: epoch})
	for i := 1; i <= 100; i++ {
		write(i)
	}
	if len(r.reports) != 4 { // at 20, 120, 220 and 1220 ms
		t.Fatalf("%d reports in 2 s", len(r.reports))
	}
	for _, sr := range r.reports {
		seconds := float64(sr.NTPTime-5<<32) / (1 << 32)
		if off := seconds - float64(sr.RTPTime-1000)/48000 + soundLead.Seconds(); off > 1e-4 || off < -1e-4 {
			t.Errorf("report at %v s: sound is made %v s younger than by %v older", seconds, off, soundLead)
		}
	}
	if last := r.reports[3]; last.PacketCount != 62 || last.OctetCount != 186 {
		t.Errorf("the last report counts %d packets, %d octets", last.PacketCount, last.OctetCount)
	}
}

func TestLegWritesWithoutAllocating(t *testing.T) {
	l, _, _ := newTestLeg(t, webrtc.RTPCodecTypeAudio)
	l.writer = discard{}
	s := &source{clockRate: 48000}
	p, e := packet(1, 1, []byte{1}), extensions{playoutDelay: []byte{0, 0, 0}}
	if n := testing.AllocsPerRun(100, func() { l.write(s, p, e, epoch) }); n > 1 {
		t.Errorf("%v allocations a packet", n)
	}
}

type discard struct{}

func (discard) WriteRTP(*rtp.Header, []byte) (int, error) { return 0, nil }
func (discard) Write([]byte) (int, error)                 { return 0, nil }

func TestNTPArithmetic(t *testing.T) {
	r := senderReport{ntp: 100 << 32, rtp: 4294967290, at: epoch}
	for _, c := range []struct {
		after time.Duration
		ntp   uint64
		rtp   uint32
	}{
		{0, 100 << 32, 4294967290},
		{time.Second, 101 << 32, 89994},
		{500 * time.Millisecond, 100<<32 + 1<<31, 44994},
		{-time.Second, 99 << 32, 4294877290},
	} {
		if ntp, rtp := r.shifted(epoch.Add(c.after), 90000); ntp != c.ntp || rtp != c.rtp {
			t.Errorf("after %v: %d %d, want %d %d", c.after, ntp, rtp, c.ntp, c.rtp)
		}
	}
}
