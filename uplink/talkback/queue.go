package talkback

import (
	"github.com/bril-edge/bril/encoder/opus"
	"github.com/bril-edge/bril/uplink/rtc"
)

const (
	slots = 64 // packets that may wait: 1.3 s of 20 ms
	// maxPayload is of 20 ms; a longer packet that is larger is left out (RFC 6716,
	// section 3.4, allows 1275 bytes a frame).
	maxPayload = 1400
)

type slotState byte

const (
	free   slotState = iota
	waits            // to be heard
	missed           // its turn is over, and it was not there
	passed           // heard, or too late for it
)

// slot holds one packet. Sequence and timestamp are counted on beyond where RTP's
// begin again.
type slot struct {
	state    slotState
	sequence int64
	at       int64
	length   int // in samples
	size     int // of data
	data     [maxPayload]byte
}

func (s *slot) payload() []byte { return s.data[:s.size] }

// queue holds packets of one source in their order. It allocates nothing.
type queue struct {
	begun  bool
	ssrc   uint32
	newest int64 // sequence
	last   int64 // its timestamp
	next   int64 // sequence of what is heard next
	slots  [slots]slot
}

// what came of a packet
type outcome byte

const (
	taken     outcome = iota
	anew              // taken, and all before it is forgotten
	late              // its turn was over
	duplicate         // it is here, or was
	useless           // it makes no sense
)

// put takes a packet in and returns its timestamp.
func (q *queue) put(s rtc.Speech) (at int64, o outcome) {
	length := opus.Samples(s.Payload)
	if length == 0 || len(s.Payload) > maxPayload {
		return 0, useless
	}
	o = taken
	sequence := q.newest + int64(int16(s.Sequence-uint16(q.newest)))
	at = q.last + int64(int32(s.Timestamp-uint32(q.last)))
	if !q.begun || s.SSRC != q.ssrc || sequence <= q.newest-slots || sequence > q.newest+10*slots {
		q.begin(s)
		sequence, at, o = q.newest, q.last, anew
	}
	if sequence > q.newest {
		q.newest, q.last = sequence, at
	}
	q.next = max(q.next, q.newest-slots+1)
	here := q.slot(sequence)
	switch {
	case here.sequence == sequence && (here.state == waits || here.state == passed):
		return at, duplicate
	case sequence < q.next:
		here.state, here.sequence = passed, sequence
		return at, late
	}
	here.state, here.sequence, here.at, here.length = waits, sequence, at, length
	here.size = copy(here.data[:], s.Payload)
	return at, o
}

// begin forgets the source before. What was sent before its first packet, and comes
// after it, is still in time.
func (q *queue) begin(s rtc.Speech) {
	for i := range q.slots {
		q.slots[i].state = free
	}
	// Beyond zero, so that what came before it counts as before.
	q.begun, q.ssrc, q.newest, q.last = true, s.SSRC, 1<<32+int64(s.Sequence), 1<<48+int64(s.Timestamp)
	q.next = q.newest - slots/4
}

func (q *queue) slot(sequence int64) *slot { return &q.slots[sequence%slots] }

// find returns what is heard next, nil when it is not there.
func (q *queue) find(sequence int64) *slot {
	if s := q.slot(sequence); s.state == waits && s.sequence == sequence {
		return s
	}
	return nil
}

// first returns the earliest that waits; nil when none does.
func (q *queue) first() *slot {
	for sequence := q.next; sequence <= q.newest; sequence++ {
		if s := q.find(sequence); s != nil {
			return s
		}
	}
	return nil
}

// advance has the turn come to the one after sequence.
func (q *queue) advance(sequence int64) {
	for ; q.next <= sequence; q.next++ {
		s, was := q.slot(q.next), q.find(q.next)
		if s.state, s.sequence = missed, q.next; was != nil {
			s.state = passed
		}
	}
}
