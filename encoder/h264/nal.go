// Package h264 reads H.264 bitstreams (ITU-T H.264) as far as a sender needs:
// NAL units and access units of the byte stream format, parameter sets, the
// first fields of a slice, AVCC. It decodes no pictures and does no I/O of its
// own. What runs for each picture allocates nothing.
package h264

import (
	"bytes"
	"fmt"
	"iter"
)

// Type is nal_unit_type (Table 7-1).
type Type uint8

// The NAL unit types that matter to a sender.
const (
	TypeSlice      Type = 1
	TypePartitionA Type = 2
	TypePartitionB Type = 3
	TypePartitionC Type = 4
	TypeIDR        Type = 5
	TypeSEI        Type = 6
	TypeSPS        Type = 7
	TypePPS        Type = 8
	TypeAUD        Type = 9
	TypeEndOfSeq   Type = 10
	TypeEndOfStr   Type = 11
	TypeFiller     Type = 12
)

// String returns the name that the standard uses, shortened.
func (t Type) String() string {
	switch t {
	case TypeSlice:
		return "slice"
	case TypePartitionA, TypePartitionB, TypePartitionC:
		return "partition"
	case TypeIDR:
		return "IDR slice"
	case TypeSEI:
		return "SEI"
	case TypeSPS:
		return "SPS"
	case TypePPS:
		return "PPS"
	case TypeAUD:
		return "AUD"
	case TypeEndOfSeq:
		return "end of sequence"
	case TypeEndOfStr:
		return "end of stream"
	case TypeFiller:
		return "filler"
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// vcl says that the unit carries picture data.
func (t Type) vcl() bool { return t >= TypeSlice && t <= TypeIDR }

// sliced says that the unit begins with a slice header.
func (t Type) sliced() bool { return t == TypeSlice || t == TypePartitionA || t == TypeIDR }

// NAL is one NAL unit without its start code: header byte and payload, with the
// emulation prevention bytes still in it. It is never empty.
type NAL []byte

// Type returns its nal_unit_type.
func (n NAL) Type() Type { return Type(n[0] & 0x1f) }

// RefIDC returns its nal_ref_idc: 0 when no other picture refers to it.
func (n NAL) RefIDC() uint8 { return n[0] >> 5 & 3 }

// startCode is the three-byte start code; a four-byte one is it behind a zero_byte.
var startCode = []byte{0, 0, 1}

// NALs yields the NAL units of an access unit in Annex B format, in order,
// without copying or allocating. Start codes may have three or four bytes; the
// zero bytes around them are left out (B.1), and so is what precedes the first.
func NALs(au []byte) iter.Seq[NAL] {
	return func(yield func(NAL) bool) {
		for nal, rest := Next(au); nal != nil; nal, rest = Next(rest) {
			if !yield(nal) {
				return
			}
		}
	}
}

// Next returns the first NAL unit of b, which aliases it, and what follows that
// unit, from the next start code on. The unit is nil when there is none.
func Next(b []byte) (nal NAL, rest []byte) {
	for {
		at := bytes.Index(b, startCode)
		if at < 0 {
			return nil, nil
		}
		b = b[at+len(startCode):]
		end := bytes.Index(b, startCode)
		if end < 0 {
			end = len(b)
		}
		if unit := trimZeros(b[:end]); len(unit) > 0 {
			return unit, b[end:]
		}
		b = b[end:] // two start codes with nothing between
	}
}

// trimZeros cuts trailing_zero_8bits and the zero_byte of the next start code:
// a NAL unit never ends in a zero byte (7.4.1).
func trimZeros(b []byte) []byte {
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return b[:n]
}

// Contents says what an access unit holds.
type Contents struct {
	SPS, PPS bool
	Picture  bool // any slice
	IDR      bool // an IDR slice: a decoder can start here, given the parameter sets
	B        bool // a B slice: the picture may be shown later than the next one
}

// Inspect looks through the NAL units of an access unit. A slice whose header
// cannot be read counts as a picture that is not B.
func Inspect(au []byte) Contents {
	var c Contents
	for nal, rest := Next(au); nal != nil; nal, rest = Next(rest) {
		switch t := nal.Type(); {
		case t == TypeSPS:
			c.SPS = true
		case t == TypePPS:
			c.PPS = true
		case t.vcl():
			c.Picture = true
			c.IDR = c.IDR || t == TypeIDR
			if s, err := ParseSlice(nal); err == nil {
				c.B = c.B || s.Type == SliceB
			}
		}
	}
	return c
}
