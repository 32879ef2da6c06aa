package rtc

import "time"

const (
	// How many packets are kept for retransmission: two seconds at 2.5 Mb/s, and
	// as much of sound. A NACK for an older one comes too late to be of use.
	// Powers of two, so that they divide the sequence numbers.
	videoHistory = 512
	audioHistory = 128

	// resendInterval is between two retransmissions of one packet: a NACK that
	// comes sooner was under way when the packet was sent again, or is an attempt
	// to have us flood somebody.
	resendInterval = 20 * time.Millisecond
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
	resent    time.Duration // on CLOCK_MONOTONIC; 0 for never
	payload   []byte
}

// keep copies a payload, which is head and then body, and returns the copy. It
// is valid until size packets later.
func (h *history) keep(sequence uint16, timestamp uint32, marker bool, head, body []byte) []byte {
	if h.packets == nil {
		h.packets = make([]kept, h.size)
	}
	p := &h.packets[int(sequence)%h.size]
	if n := len(head) + len(body); cap(p.payload) < n {
		p.payload = make([]byte, 0, capacity(n))
	}
	p.sequence, p.timestamp, p.marker, p.valid, p.resent = sequence, timestamp, marker, true, 0
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

// due says whether the packet may be sent again at the moment now, and that it
// is.
func (p *kept) due(now time.Duration) bool {
	if p.resent != 0 && now-p.resent < resendInterval {
		return false
	}
	p.resent = now
	return true
}
