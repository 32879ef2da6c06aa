package relay

// NAL unit types (ITU-T H.264 table 7-1) and RTP packet types (RFC 6184 table 1).
const (
	nalIDR   = 5
	nalSPS   = 7
	nalSTAPA = 24
	nalFUA   = 28
)

// startsKeyFrame says whether a decoder can begin with this RTP payload: it holds
// a parameter set or the first slice of an IDR picture. RFC 6184 section 5.2.
func startsKeyFrame(payload []byte) bool {
	if len(payload) < 2 {
		return false
	}
	switch t := payload[0] & 0x1f; t {
	case nalIDR, nalSPS:
		return true
	case nalSTAPA:
		return aggregateStartsKeyFrame(payload[1:])
	case nalFUA:
		inner := payload[1] & 0x1f
		first := payload[1]&0x80 != 0
		return first && (inner == nalIDR || inner == nalSPS)
	}
	return false
}

// aggregateStartsKeyFrame walks the units of a STAP-A, each behind its 16-bit size.
func aggregateStartsKeyFrame(units []byte) bool {
	for len(units) > 2 {
		size := int(units[0])<<8 | int(units[1])
		if t := units[2] & 0x1f; t == nalIDR || t == nalSPS {
			return true
		}
		if size+2 >= len(units) {
			return false
		}
		units = units[2+size:]
	}
	return false
}
