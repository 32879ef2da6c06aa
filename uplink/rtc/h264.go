package rtc

import "github.com/bril-edge/bril/encoder/h264"

// Fragmentation units of the RTP payload format for H.264, RFC 6184 section 5.8.
const (
	typeFUA      = 28
	fuHeaderSize = 2
	fuStart      = 0x80
	fuEnd        = 0x40
)

// packetiser cuts the NAL units of an access unit in Annex B into RTP payloads:
// single NAL unit packets and FU-A, which packetization-mode 1 has (RFC 6184
// section 6.3). It copies and allocates nothing.
type packetiser struct {
	nal       h264.NAL // in hand; nil at the end
	following h264.NAL
	tail      []byte // Annex B behind following
	body      []byte // what is left of nal once it is being fragmented
	head      [fuHeaderSize]byte
}

// payload is one RTP payload in two parts: head is the FU indicator and header,
// or empty. It is valid until the next one.
type payload struct {
	head, body []byte
	last       bool // ends the picture
}

// begin takes an access unit; its bytes are not to change until the end.
func (p *packetiser) begin(au []byte) {
	p.nal, p.tail = nextNAL(au)
	p.following, p.tail = nextNAL(p.tail)
	p.body = nil
}

// next returns the next payload, of at most limit bytes, or false at the end.
func (p *packetiser) next(limit int) (payload, bool) {
	switch {
	case p.nal == nil:
		return payload{}, false
	case p.body == nil && len(p.nal) <= limit:
		whole := payload{body: p.nal, last: p.following == nil}
		p.advance()
		return whole, true
	}
	return p.fragment(limit), true
}

func (p *packetiser) fragment(limit int) payload {
	start := byte(0)
	if p.body == nil {
		p.body, start = p.nal[1:], fuStart
	}
	n := min(len(p.body), limit-fuHeaderSize)
	part := payload{body: p.body[:n]}
	p.body = p.body[n:]
	p.head = [fuHeaderSize]byte{p.nal[0]&0xe0 | typeFUA, p.nal[0]&0x1f | start}
	if len(p.body) == 0 {
		p.head[1] |= fuEnd
		part.last = p.following == nil
		p.advance()
	}
	part.head = p.head[:]
	return part
}

func (p *packetiser) advance() {
	p.nal, p.body = p.following, nil
	p.following, p.tail = nextNAL(p.tail)
}

// nextNAL passes over what is not sent.
func nextNAL(b []byte) (h264.NAL, []byte) {
	nal, rest := h264.Next(b)
	for nal != nil && !travels(nal.Type()) {
		nal, rest = h264.Next(rest)
	}
	return nal, rest
}

// travels says whether a NAL unit goes into packets: not delimiters and filler,
// which carry nothing there, and not the types that H.264 leaves open and the
// payload format takes for itself (RFC 6184 section 5.2).
func travels(t h264.Type) bool {
	return t != 0 && t < 24 && t != h264.TypeAUD && t != h264.TypeFiller
}
