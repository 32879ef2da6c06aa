package rtc

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/bril-edge/bril/hardware/monotonic"
)

const (
	// packetSize is the largest RTP packet, header and extensions included: with
	// SRTP, UDP, IP and TURN around it still below the 1280 bytes that IPv6
	// carries everywhere.
	packetSize = 1200
	// reportInterval is between sender reports, RFC 3550 section 6.2; the first
	// leaves with the first packet, so that lips match from the start.
	reportInterval = time.Second

	absCaptureTimeURI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
	playoutDelayURI   = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

	rtxHeaderSize = 2 // original sequence number, RFC 4588 section 4
)

// playoutDelay is a minimum of 0 and a maximum of 40 ms, 12 bits each in units of
// 10 ms: a viewer shows a picture as soon as it is there, but for a little room in
// which it may wait for its sound, which is some 90 ms old when it is heard.
var playoutDelay = [3]byte{0, 0, 4}

// track is a webrtc.TrackLocal that cuts what it is given into RTP packets with
// the capture time, keeps the last ones for retransmission (RFC 4585 NACK, RFC
// 4588 RTX) and counts for sender reports: what pion's interceptors would do for
// each packet, without their allocations.
type track struct {
	kind     webrtc.RTPCodecType
	codec    webrtc.RTPCodecCapability
	streamID string

	mu       sync.Mutex
	writer   webrtc.TrackLocalWriter // nil while not negotiated
	first    rtp.Header              // of a picture or packet of sound: with the extensions
	rest     rtp.Header              // of a picture's further packets
	opening  bool                    // the next packet is a picture's first
	firstCap int                     // payload bytes that a first packet has room for
	restCap  int
	capture  [8]byte // abs-capture-time of the picture in hand
	history  history
	rtx      rtp.Header // SSRC 0 when not negotiated
	scratch  [packetSize]byte
	cutter   packetiser
	err      error // of the packets of the picture in hand

	clock      timeline
	packets    uint32
	octets     uint32
	nextReport time.Duration
	nacked     uint64 // packets asked for again
	lost       uint64 // packets that were, each counted once
}

func newTrack(kind webrtc.RTPCodecType, codec webrtc.RTPCodecCapability, streamID string) *track {
	t := &track{kind: kind, codec: codec, streamID: streamID}
	t.clock = timeline{rate: codec.ClockRate, last: rand.Uint32()}
	t.history.size = audioHistory
	if kind == webrtc.RTPCodecTypeVideo {
		t.history.size = videoHistory
	}
	return t
}

// ID, RID, StreamID and Kind are webrtc.TrackLocal's. Sound and picture share
// the stream, so that a browser keeps them in step.
func (t *track) ID() string                { return t.kind.String() }
func (t *track) RID() string               { return "" }
func (t *track) StreamID() string          { return t.streamID }
func (t *track) Kind() webrtc.RTPCodecType { return t.kind }

// Bind takes what the answer allows.
func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := c.CodecParameters()
	i := slices.IndexFunc(codecs, func(p webrtc.RTPCodecParameters) bool { return p.MimeType == t.codec.MimeType })
	if i < 0 {
		return webrtc.RTPCodecParameters{}, fmt.Errorf("answer has no %s: %w", t.codec.MimeType, webrtc.ErrUnsupportedCodec)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest = rtp.Header{Version: 2, PayloadType: uint8(codecs[i].PayloadType), SSRC: uint32(c.SSRC()), SequenceNumber: uint16(rand.Uint32())}
	t.first = t.rest
	for _, e := range c.HeaderExtensions() {
		if err := t.addExtension(e); err != nil {
			return webrtc.RTPCodecParameters{}, err
		}
	}
	t.bindRTX(c, codecs)
	room := packetSize // one size for all of a picture's packets: the kernel then cuts them itself
	if t.rtx.SSRC != 0 {
		room -= rtxHeaderSize
	}
	t.firstCap, t.restCap = room-t.first.MarshalSize(), room-t.rest.MarshalSize()
	t.writer = c.WriteStream()
	return codecs[i], nil
}

// addExtension keeps a slice of what is rewritten for each picture.
func (t *track) addExtension(e webrtc.RTPHeaderExtensionParameter) error {
	switch {
	case e.URI == absCaptureTimeURI:
		return t.first.SetExtension(uint8(e.ID), t.capture[:])
	case e.URI == playoutDelayURI && t.kind == webrtc.RTPCodecTypeVideo:
		return t.first.SetExtension(uint8(e.ID), playoutDelay[:])
	}
	return nil
}

func (t *track) bindRTX(c webrtc.TrackLocalContext, codecs []webrtc.RTPCodecParameters) {
	t.rtx = rtp.Header{}
	for _, p := range codecs {
		if p.MimeType == webrtc.MimeTypeRTX && p.SDPFmtpLine == fmt.Sprintf("apt=%d", t.rest.PayloadType) {
			t.rtx = rtp.Header{Version: 2, PayloadType: uint8(p.PayloadType), SSRC: uint32(c.SSRCRetransmission()), SequenceNumber: uint16(rand.Uint32())}
		}
	}
}

// Unbind stops sending.
func (t *track) Unbind(webrtc.TrackLocalContext) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writer = nil
	return nil
}

// writeAccessUnit sends a picture in Annex B format that was taken at pts.
func (t *track) writeAccessUnit(au []byte, pts time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begin(t.clock.at(pts), pts) {
		return nil
	}
	t.cutter.begin(au)
	part, more := t.cutter.next(t.firstCap)
	if !more {
		return fmt.Errorf("send a picture of %d bytes: no NAL units in it", len(au))
	}
	for ; more; part, more = t.cutter.next(t.restCap) {
		t.send(part)
	}
	return t.err
}

// writePacket sends one packet of sound whose first sample was taken at pts.
func (t *track) writePacket(sound []byte, pts, length time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begin(t.clock.follow(pts, length), pts) {
		return nil
	}
	if len(sound) > t.firstCap {
		return fmt.Errorf("send a sound packet of %d bytes: an RTP packet holds %d", len(sound), t.firstCap)
	}
	t.send(payload{body: sound}) // RFC 7587: no marker within a talk spurt
	return t.err
}

// begin sets the timestamps of the packets that follow; false while there is
// nobody to send to.
func (t *track) begin(timestamp uint32, pts time.Duration) bool {
	if t.writer == nil {
		return false
	}
	t.first.Timestamp, t.rest.Timestamp = timestamp, timestamp
	binary.BigEndian.PutUint64(t.capture[:], ntp(monotonic.Wall(pts)))
	t.opening, t.err = true, nil
	return true
}

// send sends one packet and keeps it for retransmission.
func (t *track) send(p payload) {
	h := &t.rest
	if t.opening {
		h = &t.first
		t.opening = false
	}
	h.SequenceNumber, h.Marker = t.rest.SequenceNumber, p.last
	kept := t.history.keep(h.SequenceNumber, h.Timestamp, p.last, p.head, p.body)
	if _, err := t.writer.WriteRTP(h, kept); err != nil {
		t.err = fmt.Errorf("send %v: %w", t.kind, err)
	}
	t.rest.SequenceNumber++
	t.packets++
	t.octets += uint32(len(kept))
}

// resend answers a NACK for one packet at the moment now: as RTX where that was
// negotiated, as the same packet otherwise. One that has left the history stays
// lost.
func (t *track) resend(sequence uint16, now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nacked++
	p := t.history.find(sequence)
	if p != nil && p.resent == 0 {
		t.lost++
	}
	if p == nil || t.writer == nil || !p.due(now) {
		return
	}
	if t.rtx.SSRC == 0 {
		h := t.rest
		h.SequenceNumber, h.Timestamp, h.Marker = sequence, p.timestamp, p.marker
		_, _ = t.writer.WriteRTP(&h, p.payload) // a failing path shows at the next picture
		return
	}
	binary.BigEndian.PutUint16(t.scratch[:], sequence)
	n := rtxHeaderSize + copy(t.scratch[rtxHeaderSize:], p.payload)
	t.rtx.Timestamp, t.rtx.Marker = p.timestamp, p.marker
	_, _ = t.writer.WriteRTP(&t.rtx, t.scratch[:n])
	t.rtx.SequenceNumber++
}

// report returns the sender report (RFC 3550 section 6.4.1) when one is due.
func (t *track) report(now time.Duration) *rtcp.SenderReport {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.packets == 0 || now < t.nextReport {
		return nil
	}
	t.nextReport = now + reportInterval
	return &rtcp.SenderReport{
		SSRC:        t.rest.SSRC,
		NTPTime:     ntp(monotonic.Wall(now)),
		RTPTime:     t.clock.now(now),
		PacketCount: t.packets,
		OctetCount:  t.octets,
	}
}

// losses are the packets that were sent, and those that did not come at first.
func (t *track) losses() (packets, lost uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return uint64(t.packets), t.lost
}

func (t *track) ssrc() uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rest.SSRC
}

func (t *track) counts() (packets, nacked uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return uint64(t.packets), t.nacked
}
