package relay

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// streamID is the msid stream and the CNAME of all that goes to viewers: one for
// sound and picture, because browsers synchronise only within a stream.
const streamID = "bril"

// lateWindow is how many packets after a switch of source an older one of the new
// source is recognised as such.
const lateWindow = 512

// leg is one track to one viewer. It maps a publisher's packets to one unbroken
// RTP stream, also across a change of publisher: sequence numbers go on where they
// stopped and timestamps move by the time that has passed. Not the SSRC: it
// cannot change within a session.
type leg struct {
	kind      webrtc.RTPCodecType
	clockRate uint32
	lead      time.Duration // by which reports make this medium older than it is
	choice    *media        // nil when the viewer did not offer this kind
	askKey    func()        // asks the publisher for a key frame; never blocks
	sendRTCP  func([]rtcp.Packet) error

	mu      sync.Mutex
	writer  webrtc.TrackLocalWriter // nil until bound
	ids     extensionIDs
	header  rtp.Header // reused; its SSRC and payload type are set by Bind
	open    bool       // the viewer is connected
	asked   time.Time  // when a key frame was last asked for
	mapping mapping
	reports reports
}

// mapping takes one source's sequence numbers and timestamps to the viewer's.
type mapping struct {
	source   *source
	seq      uint16 // added to the source's
	ts       uint32
	first    uint16 // the source's sequence number that it began with
	age      int    // packets since
	running  bool   // something was sent already, by this source or one before
	lastSeq  uint16 // highest sent
	lastTS   uint32
	lastSent time.Time
}

type reports struct {
	sent            int // since the last change of source
	next            time.Time
	packets, octets uint32
}

func newLeg(kind webrtc.RTPCodecType, choice *media, askKey func()) *leg {
	l := &leg{kind: kind, choice: choice, askKey: askKey, clockRate: 90000}
	if kind == webrtc.RTPCodecTypeAudio {
		l.clockRate, l.lead = 48000, soundLead
	}
	return l
}

// Bind implements webrtc.TrackLocal.
func (l *leg) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, codec := range c.CodecParameters() {
		if uint8(codec.PayloadType) == l.choice.chosen.payloadType {
			l.writer = c.WriteStream()
			l.ids = negotiatedIDs(c.HeaderExtensions())
			l.header = rtp.Header{Version: 2, SSRC: uint32(c.SSRC()), PayloadType: uint8(codec.PayloadType)}
			return codec, nil
		}
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind implements webrtc.TrackLocal.
func (l *leg) Unbind(webrtc.TrackLocalContext) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writer, l.open = nil, false
	return nil
}

// ID implements webrtc.TrackLocal.
func (l *leg) ID() string { return l.kind.String() }

// RID implements webrtc.TrackLocal.
func (l *leg) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (l *leg) StreamID() string { return streamID }

// Kind implements webrtc.TrackLocal.
func (l *leg) Kind() webrtc.RTPCodecType { return l.kind }

// start lets packets through from now on.
func (l *leg) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = l.writer != nil
}

// want asks for the key frame that the viewer begins with. The first pictures that
// come before it do not ask once more.
func (l *leg) want() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remind(time.Now())
}

// write sends one packet of the source to the viewer. It never blocks: the socket
// below drops what does not fit. e refers to the packet's memory.
func (l *leg) write(s *source, p *rtp.Packet, e extensions, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open || !l.adopt(s, p, now) {
		return
	}
	m := &l.mapping
	l.header.SequenceNumber = p.SequenceNumber + m.seq
	l.header.Timestamp = p.Timestamp + m.ts
	l.header.Marker = p.Marker
	writeExtensions(&l.header, l.ids, e, []byte(l.choice.mid))
	m.sent(l.header.SequenceNumber, l.header.Timestamp, now)
	if _, err := l.writer.WriteRTP(&l.header, p.Payload); err != nil {
		return // the session is ending; its owner knows
	}
	l.reports.packets++
	l.reports.octets += uint32(len(p.Payload))
	l.report(now)
}

// adopt makes s the source when it is not, and says whether p may pass. A picture
// begins with a key frame: anything before it could not be decoded.
func (l *leg) adopt(s *source, p *rtp.Packet, now time.Time) bool {
	m := &l.mapping
	if m.source == s {
		m.age++
		return m.age > lateWindow || int16(p.SequenceNumber-m.first) >= 0
	}
	if l.kind == webrtc.RTPCodecTypeVideo && !startsKeyFrame(p.Payload) {
		l.remind(now)
		return false
	}
	m.begin(s, p, l.clockRate, now)
	l.reports.sent, l.reports.next = 0, now
	return true
}

// remind asks again when a request or its key frame was lost.
func (l *leg) remind(now time.Time) {
	if now.Sub(l.asked) >= keyFrameInterval {
		l.asked = now
		l.askKey()
	}
}

func (m *mapping) begin(s *source, p *rtp.Packet, clockRate uint32, now time.Time) {
	m.source, m.first, m.age = s, p.SequenceNumber, 0
	if !m.running {
		m.running = true
		m.lastSeq, m.seq, m.ts = p.SequenceNumber-1, 0, 0
		return
	}
	m.seq = m.lastSeq + 1 - p.SequenceNumber
	m.ts = m.lastTS + max(1, rtpUnits(now.Sub(m.lastSent), clockRate)) - p.Timestamp
}

// sent notes what the next source has to go on from.
func (m *mapping) sent(seq uint16, ts uint32, now time.Time) {
	if int16(seq-m.lastSeq) > 0 {
		m.lastSeq = seq
	}
	if int32(ts-m.lastTS) > 0 || m.age == 0 {
		m.lastTS = ts
	}
	m.lastSent = now
}

// The first reports follow each other fast: a browser needs two of each track
// before it can synchronise sound and picture.
const (
	firstReports   = 3
	firstReportGap = 100 * time.Millisecond
	reportInterval = time.Second
)

// report sends a sender report when one is due and the publisher has said how its
// clocks relate.
func (l *leg) report(now time.Time) {
	r := &l.reports
	published := l.mapping.source.report.Load()
	if published == nil || now.Before(r.next) {
		return
	}
	r.next = now.Add(reportInterval)
	if r.sent++; r.sent < firstReports {
		r.next = now.Add(firstReportGap)
	}
	ntp, ts := published.shifted(now, l.clockRate)
	ts += rtpUnits(l.lead, l.clockRate)
	_ = l.sendRTCP([]rtcp.Packet{ // an error means that the session is ending
		&rtcp.SenderReport{
			SSRC: l.header.SSRC, NTPTime: ntp, RTPTime: ts + l.mapping.ts,
			PacketCount: r.packets, OctetCount: r.octets,
		},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
			Source: l.header.SSRC,
			Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: streamID}},
		}}},
	})
}
