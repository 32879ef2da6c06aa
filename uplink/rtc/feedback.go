package rtc

import (
	"encoding/binary"
	"time"
)

// RTCP packet types and formats: RFC 3550 section 12.1, RFC 4585 section 6,
// RFC 5104 section 4.3.1, draft-alvestrand-rmcat-remb.
const (
	rtcpSR        = 200
	rtcpRR        = 201
	rtcpRTPFB     = 205
	rtcpPSFB      = 206
	formatNACK    = 1
	formatPLI     = 1
	formatFIR     = 4
	formatREMB    = 15
	rtcpHeader    = 4
	rtcpPadding   = 0x20
	reportBlock   = 24
	feedbackStart = 12 // header, sender's SSRC, media SSRC
)

// maxRTT bounds what is believed: a longer round trip is our own clock being set
// between report and answer, or a peer's mistake.
const maxRTT = 10 * time.Second

// reception is one report block about our stream.
type reception struct {
	lost float64       // fraction since the report before, 0 to 1
	rtt  time.Duration // 0 when the peer has not heard a sender report yet
}

// feedback is what a receiver may say; the parser calls it in the order in
// which things stand in the packet.
type feedback interface {
	nack(ssrc uint32, sequence uint16)
	keyFrame(ssrc uint32)
	estimate(bitsPerSecond uint64)
	received(ssrc uint32, r reception)
}

// parseFeedback reads a compound RTCP packet without building values of it. What
// it does not know it passes over; from a malformed packet on it stops, since
// the lengths after it mean nothing. now is the NTP time for the round trip.
func parseFeedback(b []byte, now uint64, to feedback) {
	for len(b) >= 2*rtcpHeader && b[0]>>6 == 2 {
		n := rtcpHeader * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if n > len(b) {
			return
		}
		if one, ok := unpad(b[:n]); ok {
			parseOne(one, now, to)
		}
		b = b[n:]
	}
}

// unpad takes off the padding, whose last byte counts it: RFC 3550 section 6.4.1.
func unpad(b []byte) ([]byte, bool) {
	if b[0]&rtcpPadding == 0 {
		return b, true
	}
	n := int(b[len(b)-1])
	if n == 0 || n%4 != 0 || n > len(b)-rtcpHeader {
		return nil, false
	}
	return b[:len(b)-n], true
}

func parseOne(b []byte, now uint64, to feedback) {
	format := int(b[0] & 0x1f)
	switch b[1] {
	case rtcpSR:
		parseReports(b, 28, format, now, to)
	case rtcpRR:
		parseReports(b, 8, format, now, to)
	case rtcpRTPFB:
		if format == formatNACK {
			parseNACK(b, to)
		}
	case rtcpPSFB:
		parsePayloadFeedback(b, format, to)
	}
}

func parseReports(b []byte, from, count int, now uint64, to feedback) {
	if len(b) < from {
		return
	}
	for b = b[from:]; count > 0 && len(b) >= reportBlock; count-- {
		to.received(binary.BigEndian.Uint32(b), reception{
			lost: float64(b[4]) / 256,
			rtt:  roundTrip(now, binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])),
		})
		b = b[reportBlock:]
	}
}

// roundTrip follows RFC 3550 section 6.4.1: arrival minus last SR minus delay
// since it, in 1/65536 s. It is 0 when it cannot be known.
func roundTrip(now uint64, lastSR, delay uint32) time.Duration {
	if lastSR == 0 {
		return 0
	}
	units := int32(uint32(now>>16) - lastSR - delay)
	rtt := time.Duration(units) * time.Second / 65536
	if rtt < 0 || rtt > maxRTT {
		return 0
	}
	return rtt
}

func parseNACK(b []byte, to feedback) {
	if len(b) < feedbackStart {
		return
	}
	ssrc := binary.BigEndian.Uint32(b[8:])
	for b = b[feedbackStart:]; len(b) >= 4; b = b[4:] {
		first, mask := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		to.nack(ssrc, first)
		for i := range uint16(16) {
			if mask>>i&1 != 0 {
				to.nack(ssrc, first+i+1)
			}
		}
	}
}

func parsePayloadFeedback(b []byte, format int, to feedback) {
	if len(b) < feedbackStart {
		return
	}
	switch format {
	case formatPLI:
		to.keyFrame(binary.BigEndian.Uint32(b[8:]))
	case formatFIR:
		for b = b[feedbackStart:]; len(b) >= 8; b = b[8:] {
			to.keyFrame(binary.BigEndian.Uint32(b))
		}
	case formatREMB:
		if len(b) >= 20 && string(b[12:16]) == "REMB" {
			exponent, mantissa := b[17]>>2, uint64(b[17]&3)<<16|uint64(b[18])<<8|uint64(b[19])
			if exponent < 46 { // else it says nothing that fits 64 bits
				to.estimate(mantissa << exponent)
			}
		}
	}
}
