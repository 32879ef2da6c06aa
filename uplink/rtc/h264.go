package rtc

import "github.com/bril-edge/bril/encoder/h264"

// Fragmentation units of the RTP payload format for H.264, RFC 6184 section 5.8.
const (
	typeFUA      = 28
	fuHeaderSize = 2
	fuStart      = 0x80
	fuEnd        = 0x40
)

// packetise cuts the NAL units of an access unit in Annex B into RTP payloads
// (RFC 6184, single NAL unit packets and FU-A) and hands them to emit: head is
// the FU indicator and header, or empty, and goes before body; last marks the
// packet that ends the picture. The first payload has at most first bytes, the
// others at most rest. Access unit delimiters and filler are left out: they
// carry nothing over RTP.
func packetise(au []byte, first, rest int, emit func(head, body []byte, last bool)) {
	limit := first
	for nal, tail := nextNAL(au); nal != nil; {
		next, nextTail := nextNAL(tail)
		cut(nal, limit, rest, next == nil, emit)
		limit = rest
		nal, tail = next, nextTail
	}
}

// nextNAL passes over what is not sent.
func nextNAL(b []byte) (h264.NAL, []byte) {
	nal, rest := h264.Next(b)
	for nal != nil && (nal.Type() == h264.TypeAUD || nal.Type() == h264.TypeFiller) {
		nal, rest = h264.Next(rest)
	}
	return nal, rest
}

func cut(nal h264.NAL, limit, rest int, lastNAL bool, emit func(head, body []byte, last bool)) {
	if len(nal) <= limit {
		emit(nil, nal, lastNAL)
		return
	}
	head := []byte{nal[0]&0xe0 | typeFUA, nal[0]&0x1f | fuStart}
	for body := nal[1:]; len(body) > 0; limit = rest {
		n := min(len(body), limit-fuHeaderSize)
		end := n == len(body)
		if end {
			head[1] |= fuEnd
		}
		emit(head, body[:n], lastNAL && end)
		head[1] &^= fuStart
		body = body[n:]
	}
}
