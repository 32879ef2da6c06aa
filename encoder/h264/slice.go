package h264

import "fmt"

// SliceType is slice_type modulo 5 (Table 7-6).
type SliceType uint8

// The slice types.
const (
	SliceP  SliceType = 0
	SliceB  SliceType = 1
	SliceI  SliceType = 2
	SliceSP SliceType = 3
	SliceSI SliceType = 4
)

// Slice is the beginning of a slice header (7.3.3): as much as can be read
// without the parameter sets.
type Slice struct {
	FirstMB uint32 // first_mb_in_slice: 0 at the start of a picture
	Type    SliceType
	PPS     uint8 // pic_parameter_set_id
	RefIDC  uint8 // nal_ref_idc
	IDR     bool
}

// ParseSlice reads the beginning of a slice. It fails on other NAL units.
func ParseSlice(nal NAL) (Slice, error) {
	if len(nal) == 0 || !nal.Type().sliced() {
		return Slice{}, fmt.Errorf("parse slice: not a slice")
	}
	b := bits{data: nal[1:]}
	s := Slice{FirstMB: b.ue(), RefIDC: nal.RefIDC(), IDR: nal.Type() == TypeIDR}
	s.Type = SliceType(b.limit(9) % 5)
	s.PPS = uint8(b.limit(255))
	if b.err != nil {
		return Slice{}, fmt.Errorf("parse slice header: %w", b.err)
	}
	return s, nil
}

// follows says whether s belongs to another picture than prev, the slice before
// it (7.4.1.2.4). Of the fields that the standard compares, those which need no
// parameter sets are enough: an encoder that sends slices in order, as all but
// those with arbitrary slice order do, begins each picture at macroblock 0.
func (s Slice) follows(prev Slice) bool {
	return s.FirstMB == 0 || s.PPS != prev.PPS || s.IDR != prev.IDR ||
		(s.RefIDC == 0) != (prev.RefIDC == 0)
}

// ParsePPSID returns pic_parameter_set_id and seq_parameter_set_id of a picture
// parameter set (7.3.2.2).
func ParsePPSID(nal NAL) (pps, sps uint8, err error) {
	if len(nal) == 0 || nal.Type() != TypePPS {
		return 0, 0, fmt.Errorf("parse pps: not a picture parameter set")
	}
	b := bits{data: nal[1:]}
	pps, sps = uint8(b.limit(255)), uint8(b.limit(31))
	if b.err != nil {
		return 0, 0, fmt.Errorf("parse pps of %d bytes: %w", len(nal), b.err)
	}
	return pps, sps, nil
}
