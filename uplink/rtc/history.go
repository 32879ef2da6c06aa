package rtc

// How many packets are kept for retransmission: two seconds at 2.5 Mb/s, and as
// much of sound. A NACK for an older one comes too late to be of use.
const (
	videoHistory = 512 // a power of two, as is the next
	audioHistory = 128
)

// history is a ring of the last packets, by sequence number. It grows to its
// size with the stream and then allocates nothing.
type history struct {
	size    int
	packets []kept
}

type kept struct {
	sequence  uint16
	marker    bool
	valid     bool
	timestamp uint32
	payload   []byte
}

// keep copies a payload, which is head and then body, and returns the copy. It
// is valid until size packets later.
func (h *history) keep(sequence uint16, timestamp uint32, marker bool, head, body []byte) []byte {
	if h.packets == nil {
		h.packets = make([]kept, h.size)
	}
	p := &h.packets[int(sequence)%h.size]
	if p.payload == nil {
		p.payload = make([]byte, 0, capacity(len(head)+len(body)))
	}
	p.sequence, p.timestamp, p.marker, p.valid = sequence, timestamp, marker, true
	p.payload = append(append(p.payload[:0], head...), body...)
	return p.payload
}

// capacity rounds up, so that a slot need not grow with each larger packet.
func capacity(n int) int {
	if n > packetSize/4 {
		return packetSize
	}
	return packetSize / 4
}

// find returns the packet of that sequence number, or nil when it has gone.
func (h *history) find(sequence uint16) *kept {
	if h.packets == nil {
		return nil
	}
	p := &h.packets[int(sequence)%h.size]
	if !p.valid || p.sequence != sequence {
		return nil
	}
	return p
}
