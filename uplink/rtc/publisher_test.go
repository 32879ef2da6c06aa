package rtc

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

var both = Config{Video: VideoConfig{ProfileLevelID: "42e01f"}, Audio: true}

// slice is an access unit of one slice of n bytes.
func slice(n int) []byte {
	return append([]byte{0, 0, 0, 1, 0x41}, bytes.Repeat([]byte{0xab}, n-1)...)
}

// picture is an access unit with parameter sets and one slice of n bytes.
func picture(n int, fill byte) []byte {
	au := []byte{0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0, 0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65}
	return append(au, bytes.Repeat([]byte{fill}, n)...)
}

func TestPublishPictureAndSound(t *testing.T) {
	e := newEndpoint(t)
	p := mustDial(t, e, both)
	at := monotonic.Now()
	au := encoder.AccessUnit{Data: picture(3000, 7), PTS: at, Key: true}
	if err := p.WriteVideo(au); err != nil {
		t.Fatal(err)
	}
	if err := p.WriteAudio(encoder.Packet{Data: []byte{1, 2, 3}, PTS: at, Length: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}

	var got []byte
	var first *rtp.Packet
	for {
		packet := e.next(payloadVideo)
		if first == nil {
			first = packet
		}
		got = depacketise(t, got, packet.Payload)
		if packet.Marker {
			break
		}
	}
	if want := bytes.ReplaceAll(picture(3000, 7), []byte{0, 0, 0, 1}, []byte{0, 0, 1}); !bytes.Equal(got, want) {
		t.Errorf("received %d bytes of NAL units, want %d", len(got), len(want))
	}
	checkCaptureTime(t, first, at)
	if sound := e.next(payloadAudio); !bytes.Equal(sound.Payload, []byte{1, 2, 3}) {
		t.Errorf("sound: % x", sound.Payload)
	}
}

func checkCaptureTime(t *testing.T, p *rtp.Packet, at time.Duration) {
	t.Helper()
	var found bool
	for _, id := range p.GetExtensionIDs() {
		if b := p.GetExtension(id); len(b) == 8 {
			found = true
			off := int64(binary.BigEndian.Uint64(b) - ntp(monotonic.Wall(at)))
			if seconds := float64(off) / (1 << 32); seconds < -0.01 || seconds > 0.01 {
				t.Errorf("capture time is off by %v s", seconds)
			}
		}
	}
	if !found {
		t.Error("no abs-capture-time on the first packet")
	}
}

// depacketise appends what a payload holds in Annex B, RFC 6184.
func depacketise(t *testing.T, au, payload []byte) []byte {
	t.Helper()
	if payload[0]&0x1f != typeFUA {
		return append(append(au, 0, 0, 1), payload...)
	}
	if payload[1]&fuStart != 0 {
		au = append(au, 0, 0, 1, payload[0]&0xe0|payload[1]&0x1f)
	}
	return append(au, payload[2:]...)
}

func TestOfferIsAsRFC9725Asks(t *testing.T) {
	e := newEndpoint(t)
	mustDial(t, e, both)
	for want, count := range map[string]int{
		"a=sendonly": 2, "a=recvonly": 0, "a=sendrecv": 0, "a=rtcp-mux-only": 2, "a=setup:actpass": 2,
		"m=video": 1, "m=audio": 1, "m=application": 0, "a=group:BUNDLE 0 1": 1, "profile-level-id=42e01f": 1, "a=candidate": 0,
	} {
		if n := strings.Count(e.offer, want); n != count {
			t.Errorf("%q stands %d times in the offer, want %d:\n%s", want, n, count, e.offer)
		}
	}
	streams := map[string]bool{}
	cnames := map[string]bool{}
	for line := range strings.Lines(e.offer) {
		if msid, ok := strings.CutPrefix(line, "a=msid:"); ok {
			streams[strings.Fields(msid)[0]] = true
		}
		if _, cname, ok := strings.Cut(line, " cname:"); ok {
			cnames[strings.TrimSpace(cname)] = true
		}
	}
	if len(streams) != 1 || len(cnames) != 1 {
		t.Errorf("msid streams %v and CNAMEs %v: want one of each", streams, cnames)
	}
}

func TestLostPacketIsSentAgain(t *testing.T) {
	e := newEndpoint(t)
	p := mustDial(t, e, both)
	if err := p.WriteVideo(encoder.AccessUnit{Data: picture(3000, 9), PTS: monotonic.Now()}); err != nil {
		t.Fatal(err)
	}
	lost := e.next(payloadVideo)
	e.send(&rtcp.TransportLayerNack{MediaSSRC: lost.SSRC, Nacks: []rtcp.NackPair{{PacketID: lost.SequenceNumber}}})
	for p.Stats().NACK == 0 {
		runtime.Gosched()
	}
	// pion's receiver looks for RTX when a packet of the stream itself comes,
	// and delivers it as the packet that it repeats.
	again := lost
	for again == lost || again.SequenceNumber != lost.SequenceNumber {
		if err := p.WriteVideo(encoder.AccessUnit{Data: picture(10, 9), PTS: monotonic.Now()}); err != nil {
			t.Fatal(err)
		}
		again = e.next(payloadVideo)
	}
	if !bytes.Equal(again.Payload, lost.Payload) || again.Timestamp != lost.Timestamp || again.Marker != lost.Marker {
		t.Error("the packet came back changed")
	}
	if n := p.Stats().NACK; n != 1 {
		t.Errorf("%d NACKs counted, want 1", n)
	}
}

func TestViewerAsksForKeyFrame(t *testing.T) {
	asked := make(chan struct{}, 8)
	cfg := both
	cfg.KeyFrame = func() { asked <- struct{}{} }
	e := newEndpoint(t)
	p := mustDial(t, e, cfg)
	if err := p.WriteVideo(encoder.AccessUnit{Data: picture(10, 9), PTS: monotonic.Now()}); err != nil {
		t.Fatal(err)
	}
	ssrc := e.next(payloadVideo).SSRC
	e.send(&rtcp.PictureLossIndication{MediaSSRC: ssrc})
	<-asked
	e.send(&rtcp.FullIntraRequest{MediaSSRC: ssrc, FIR: []rtcp.FIREntry{{SSRC: ssrc}}})
	<-asked
}

// Feedback of any size leaves the reader reading.
func TestOversizedFeedback(t *testing.T) {
	asked := make(chan struct{}, 8)
	cfg := both
	cfg.KeyFrame = func() { asked <- struct{}{} }
	e := newEndpoint(t)
	p := mustDial(t, e, cfg)
	if err := p.WriteVideo(encoder.AccessUnit{Data: picture(10, 9), PTS: monotonic.Now()}); err != nil {
		t.Fatal(err)
	}
	ssrc := e.next(payloadVideo).SSRC
	unknown := rtcp.RawPacket(make([]byte, 2000))
	copy(unknown, []byte{0x80, 210, 1, 243}) // 500 words
	e.send(&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: ssrc}}}, &unknown)
	e.send(&rtcp.PictureLossIndication{MediaSSRC: ssrc})
	<-asked
}

// The packets of a picture leave together, also those with header extensions.
func TestPictureLeavesInOneSystemCall(t *testing.T) {
	e := newEndpoint(t)
	p := mustDial(t, e, both)
	before := p.sockets.Stats().Calls
	const pictures = 100
	for range pictures {
		if err := p.WriteVideo(encoder.AccessUnit{Data: slice(10_000), PTS: monotonic.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if calls := p.sockets.Stats().Calls - before; calls > pictures+pictures/10 { // reports and STUN besides
		t.Errorf("%d system calls for %d pictures", calls, pictures)
	}
}

// Sender reports leave with the first packets, name one source, and put sound
// and picture that were taken together at one moment.
func TestLipSync(t *testing.T) {
	e := newEndpoint(t)
	p := mustDial(t, e, both)
	taken := monotonic.Now() - 30*time.Millisecond
	if err := p.WriteVideo(encoder.AccessUnit{Data: picture(3000, 7), PTS: taken}); err != nil {
		t.Fatal(err)
	}
	if err := p.WriteAudio(encoder.Packet{Data: []byte{1, 2, 3}, PTS: taken, Length: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	_, cname, _ := strings.Cut(lineOf(e.offer, "a=ssrc:"), " cname:")
	var moments []time.Duration // since taken
	for _, kind := range []struct {
		payloadType webrtc.PayloadType
		rate        int64
	}{{payloadVideo, 90000}, {payloadAudio, 48000}} {
		packet := e.next(kind.payloadType)
		sr, sdes := e.nextReport(kind.payloadType)
		if sr.SSRC != packet.SSRC || sr.PacketCount == 0 {
			t.Errorf("report about %d after %d packets, stream %d", sr.SSRC, sr.PacketCount, packet.SSRC)
		}
		if c := sdes.Chunks[0]; c.Source != packet.SSRC || c.Items[0].Type != rtcp.SDESCNAME || c.Items[0].Text != cname || cname == "" {
			t.Errorf("described as %v, in the offer as %q", c, cname)
		}
		late := time.Duration(int64(int32(sr.RTPTime-packet.Timestamp))) * time.Second / time.Duration(kind.rate)
		reported := time.Duration(float64(int64(sr.NTPTime-ntp(monotonic.Wall(taken)))) / (1 << 32) * float64(time.Second))
		moments = append(moments, reported-late)
	}
	if apart := (moments[0] - moments[1]).Abs(); apart > time.Millisecond {
		t.Errorf("picture and sound of one moment are %v apart", apart)
	} else {
		t.Logf("picture and sound of one moment are %v apart", apart)
	}
}
