package rtc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/hardware/monotonic"
)

const (
	captureTimeID  = 1
	playoutDelayID = 2
	mediaSSRC      = 0x1000
	rtxSSRC        = 0x2000
)

// wire is what pion would be to a track: it keeps the packets as marshalled.
type wire struct {
	rtx     bool
	discard bool
	packets [][]byte
	err     error
}

func (w *wire) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	if w.discard {
		return len(payload), nil
	}
	b, err := (&rtp.Packet{Header: *h, Payload: payload}).Marshal()
	if err != nil {
		return 0, err
	}
	w.packets = append(w.packets, b)
	return len(payload), w.err
}

func (w *wire) Write(b []byte) (int, error) { return len(b), nil }

func (w *wire) CodecParameters() []webrtc.RTPCodecParameters {
	codecs := []webrtc.RTPCodecParameters{
		{RTPCodecCapability: videoCodec("42e01f"), PayloadType: payloadVideo},
		{RTPCodecCapability: audioCodec(), PayloadType: payloadAudio},
	}
	if w.rtx {
		codecs = append(codecs, webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, SDPFmtpLine: "apt=102"}, PayloadType: payloadVideoRTX,
		})
	}
	return codecs
}

func (w *wire) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter {
	return []webrtc.RTPHeaderExtensionParameter{{URI: absCaptureTimeURI, ID: captureTimeID}, {URI: playoutDelayURI, ID: playoutDelayID}}
}

func (w *wire) SSRC() webrtc.SSRC                       { return mediaSSRC }
func (w *wire) SSRCRetransmission() webrtc.SSRC         { return rtxSSRC }
func (w *wire) SSRCForwardErrorCorrection() webrtc.SSRC { return 0 }
func (w *wire) WriteStream() webrtc.TrackLocalWriter    { return w }
func (w *wire) ID() string                              { return "wire" }
func (w *wire) RTCPReader() interceptor.RTCPReader      { return nil }

// take returns what has been sent since the last call.
func (w *wire) take(t *testing.T) (out []*rtp.Packet) {
	t.Helper()
	for _, b := range w.packets {
		if len(b) > packetSize {
			t.Errorf("a packet of %d bytes", len(b))
		}
		p := &rtp.Packet{}
		if err := p.Unmarshal(b); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	w.packets = nil
	return out
}

func bound(t testing.TB, kind webrtc.RTPCodecType, w *wire) *track {
	t.Helper()
	codec := videoCodec("42e01f")
	if kind == webrtc.RTPCodecTypeAudio {
		codec = audioCodec()
	}
	track := newTrack(kind, codec, "stream")
	if _, err := track.Bind(w); err != nil {
		t.Fatal(err)
	}
	return track
}

func TestPicturesOnTheWire(t *testing.T) {
	w := &wire{rtx: true}
	video := bound(t, webrtc.RTPCodecTypeVideo, w)
	video.rest.SequenceNumber = 65500 // over the wrap
	sequence, pts := uint16(65500), 30*time.Hour
	var last *rtp.Packet
	for i := range 300 {
		au := picture(1+rand.IntN(20_000), byte(i)|1)
		if err := video.writeAccessUnit(au, pts); err != nil {
			t.Fatal(err)
		}
		sent := w.take(t)
		var got []byte
		for j, p := range sent {
			if p.SequenceNumber != sequence {
				t.Fatalf("picture %d: sequence number %d, want %d", i, p.SequenceNumber, sequence)
			}
			if p.Timestamp != sent[0].Timestamp || p.Marker != (j == len(sent)-1) || p.SSRC != mediaSSRC || p.PayloadType != payloadVideo {
				t.Fatalf("picture %d, packet %d of %d: %v", i, j, len(sent), p)
			}
			if (j == 0) != (p.GetExtension(captureTimeID) != nil) || (j == 0) != bytes.Equal(p.GetExtension(playoutDelayID), playoutDelay[:]) {
				t.Fatalf("picture %d, packet %d: extensions %v", i, j, p.Extensions)
			}
			got = depacketise(t, got, p.Payload)
			sequence++
		}
		if want := bytes.ReplaceAll(au, []byte{0, 0, 0, 1}, []byte{0, 0, 1}); !bytes.Equal(got, want) {
			t.Fatalf("picture %d came out changed", i)
		}
		if last != nil && int32(sent[0].Timestamp-last.Timestamp) != 2999 && int32(sent[0].Timestamp-last.Timestamp) != 3000 {
			t.Fatalf("picture %d: %d ticks after the one before", i, int32(sent[0].Timestamp-last.Timestamp))
		}
		last = sent[0]
		pts += time.Second / 30
	}
}

func TestCaptureTimeIsOfThePicture(t *testing.T) {
	w := &wire{}
	video := bound(t, webrtc.RTPCodecTypeVideo, w)
	for _, age := range []time.Duration{0, 40 * time.Millisecond, time.Second} {
		pts := monotonic.Now() - age
		if err := video.writeAccessUnit(picture(10, 1), pts); err != nil {
			t.Fatal(err)
		}
		b := w.take(t)[0].GetExtension(captureTimeID)
		off := int64(ntp(monotonic.Wall(pts)) - binary.BigEndian.Uint64(b))
		if limit := int64(1 << 32 / 1000); off > limit || off < -limit {
			t.Errorf("a picture %v old: off by %d/2^32 s", age, off)
		}
	}
}

func TestSoundOnTheWire(t *testing.T) {
	w := &wire{}
	audio := bound(t, webrtc.RTPCodecTypeAudio, w)
	for i := range 3 {
		if err := audio.writePacket([]byte{byte(i)}, time.Duration(i)*20*time.Millisecond, 20*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	sent := w.take(t)
	for i, p := range sent {
		if p.Marker || p.GetExtension(captureTimeID) == nil || p.GetExtension(playoutDelayID) != nil ||
			p.Timestamp != sent[0].Timestamp+uint32(i)*960 || p.SequenceNumber != sent[0].SequenceNumber+uint16(i) {
			t.Errorf("packet %d: %v", i, p)
		}
	}
	if err := audio.writePacket(make([]byte, packetSize), time.Second, 0); err == nil {
		t.Error("a packet larger than RTP may be was taken")
	}
}

func TestRetransmission(t *testing.T) {
	for _, rtx := range []bool{true, false} {
		w := &wire{rtx: rtx}
		video := bound(t, webrtc.RTPCodecTypeVideo, w)
		if err := video.writeAccessUnit(picture(5000, 3), time.Hour); err != nil {
			t.Fatal(err)
		}
		sent := w.take(t)
		now := time.Hour
		for _, p := range sent {
			video.resend(p.SequenceNumber, now)
			video.resend(p.SequenceNumber, now+resendInterval/2)
		}
		video.resend(sent[0].SequenceNumber-1, now)
		again := w.take(t)
		if len(again) != len(sent) {
			t.Fatalf("RTX %v: %d packets came back, want %d", rtx, len(again), len(sent))
		}
		for i, p := range again {
			payload, want := p.Payload, sent[i]
			if rtx {
				if p.SSRC != rtxSSRC || p.PayloadType != payloadVideoRTX || p.SequenceNumber != again[0].SequenceNumber+uint16(i) {
					t.Errorf("RTX packet %d: %v", i, p)
				}
				if osn := binary.BigEndian.Uint16(payload); osn != want.SequenceNumber {
					t.Errorf("RTX packet %d: original sequence number %d, want %d", i, osn, want.SequenceNumber)
				}
				payload = payload[rtxHeaderSize:]
			} else if p.SSRC != mediaSSRC || p.SequenceNumber != want.SequenceNumber {
				t.Errorf("packet %d: %v", i, p)
			}
			if !bytes.Equal(payload, want.Payload) || p.Timestamp != want.Timestamp || p.Marker != want.Marker {
				t.Errorf("RTX %v: packet %d came back changed", rtx, i)
			}
		}
		if _, nacked := video.counts(); nacked != uint64(2*len(sent)+1) {
			t.Errorf("%d packets asked for again", nacked)
		}
	}
}

func TestReportsCountWhatWasSent(t *testing.T) {
	w := &wire{}
	video := bound(t, webrtc.RTPCodecTypeVideo, w)
	if video.report(time.Hour) != nil {
		t.Error("a report before the first packet")
	}
	var packets, octets int
	for i := range 90 {
		now := time.Hour + time.Duration(i)*time.Second/30
		if err := video.writeAccessUnit(picture(3000, 1), now); err != nil {
			t.Fatal(err)
		}
		for _, p := range w.take(t) {
			packets, octets = packets+1, octets+len(p.Payload)
		}
		sr := video.report(now)
		if (sr != nil) != (i%30 == 0) {
			t.Fatalf("picture %d: report %v", i, sr)
		}
		if sr != nil && (int(sr.PacketCount) != packets || int(sr.OctetCount) != octets || sr.RTPTime != video.rest.Timestamp || sr.SSRC != mediaSSRC) {
			t.Errorf("%v after %d packets of %d bytes", sr, packets, octets)
		}
	}
}

func TestTrackWithoutAWay(t *testing.T) {
	video := newTrack(webrtc.RTPCodecTypeVideo, videoCodec("42e01f"), "stream")
	if err := video.writeAccessUnit(picture(10, 1), 0); err != nil {
		t.Errorf("before it is negotiated: %v", err)
	}
	w := &wire{err: errors.New("no way")}
	if _, err := video.Bind(w); err != nil {
		t.Fatal(err)
	}
	if err := video.writeAccessUnit(picture(10, 1), 0); !errors.Is(err, w.err) {
		t.Errorf("got %v", err)
	}
	w.err = nil
	if err := video.writeAccessUnit(picture(10, 1), 0); err != nil {
		t.Errorf("once it works again: %v", err)
	}
	for _, au := range [][]byte{nil, {0x65, 1}, {0, 0, 1, 9, 16}} {
		if err := video.writeAccessUnit(au, 0); err == nil {
			t.Errorf("% x is a picture", au)
		}
	}
	if err := video.Unbind(w); err != nil {
		t.Fatal(err)
	}
	w.packets = nil
	if err := video.writeAccessUnit(picture(10, 1), 0); err != nil || w.packets != nil {
		t.Errorf("after the end: %v, %d packets", err, len(w.packets))
	}
}

func TestBindNeedsTheCodec(t *testing.T) {
	other := newTrack(webrtc.RTPCodecTypeVideo, webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "stream")
	if _, err := other.Bind(&wire{}); !errors.Is(err, webrtc.ErrUnsupportedCodec) {
		t.Errorf("got %v", err)
	}
}

// What this package itself allocates for a picture: nothing.
func TestPictureAllocatesNothing(t *testing.T) {
	video := bound(t, webrtc.RTPCodecTypeVideo, &wire{rtx: true, discard: true})
	au, pts := picture(10_000, 1), time.Duration(0)
	write := func() {
		pts += time.Second / 30
		if err := video.writeAccessUnit(au, pts); err != nil {
			t.Fatal(err)
		}
	}
	for range videoHistory { // until the history has its size
		write()
	}
	if n := testing.AllocsPerRun(100, write); n > 0 {
		t.Errorf("%v allocations a picture", n)
	}
}
