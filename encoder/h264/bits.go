package h264

import "errors"

var errShort = errors.New("ends too early")

// bits reads the fields of a NAL unit (7.2, 9.1), skipping emulation prevention
// bytes (7.4.1.1) on the way, so that nothing has to be copied. The first read
// past the end sets err; later reads give 0.
type bits struct {
	data  []byte
	zeros int  // zero bytes just passed, for 00 00 03
	cur   byte // the byte being read
	left  uint // its unread bits
	err   error
}

func (b *bits) bit() uint32 {
	if b.left == 0 && !b.fill() {
		return 0
	}
	b.left--
	return uint32(b.cur>>b.left) & 1
}

func (b *bits) fill() bool {
	if len(b.data) > 0 && b.zeros >= 2 && b.data[0] == 3 {
		b.data, b.zeros = b.data[1:], 0
	}
	if len(b.data) == 0 {
		b.err = errShort
		return false
	}
	b.cur, b.data, b.left = b.data[0], b.data[1:], 8
	if b.cur == 0 {
		b.zeros++
	} else {
		b.zeros = 0
	}
	return true
}

func (b *bits) flag() bool { return b.bit() == 1 }

// u reads n bits, at most 32.
func (b *bits) u(n int) uint32 {
	var v uint32
	for range n {
		v = v<<1 | b.bit()
	}
	return v
}

// ue reads an unsigned Exp-Golomb code (9.1).
func (b *bits) ue() uint32 {
	zeros := 0
	for !b.flag() {
		zeros++
		if b.err != nil || zeros > 31 {
			b.fail()
			return 0
		}
	}
	return 1<<zeros - 1 + b.u(zeros)
}

// se reads a signed Exp-Golomb code (9.1.1).
func (b *bits) se() int32 {
	v := b.ue()
	if v%2 == 1 {
		return int32(v/2 + 1)
	}
	return -int32(v / 2)
}

func (b *bits) fail() {
	if b.err == nil {
		b.err = errors.New("holds a number that is too large")
	}
}

// limit reads a ue that the standard bounds by most.
func (b *bits) limit(most uint32) uint32 {
	v := b.ue()
	if v > most {
		b.fail()
		return 0
	}
	return v
}
