package rtc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
)

var both = Config{Video: VideoConfig{ProfileLevelID: "42e01f"}, Audio: true}

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
		"m=video": 1, "m=audio": 1, "a=group:BUNDLE 0 1": 1, "profile-level-id=42e01f": 1, "a=candidate": 0,
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

func TestRefusedLevel(t *testing.T) {
	e := newEndpoint(t)
	e.edit = func(answer string) string {
		answer = strings.ReplaceAll(answer, "level-asymmetry-allowed=1;", "")
		return strings.ReplaceAll(answer, "profile-level-id=42e01f", "profile-level-id=42e01e")
	}
	_, err := dial(t, e, both)
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "level 3.1 offered, at most 3.0 taken") {
		t.Errorf("got %v", err)
	}
}

func TestEndpointThatIsGoneIsNoticed(t *testing.T) {
	e := newEndpoint(t)
	p := mustDial(t, e, both)
	e.peer.Close() // says goodbye by DTLS
	select {
	case <-p.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("not noticed within 10 s")
	}
	if !errors.Is(p.Err(), ErrLost) {
		t.Errorf("got %v", p.Err())
	}
	if err := p.WriteVideo(encoder.AccessUnit{Data: picture(10, 9), PTS: monotonic.Now()}); !errors.Is(err, ErrLost) {
		t.Errorf("write: %v", err)
	}
}

func TestCloseDeletesTheSessionAndLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	e := newEndpoint(t)
	p := mustDial(t, e, both)
	for range 2 {
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-e.deleted:
	default:
		t.Error("no DELETE")
	}
	e.close()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}
