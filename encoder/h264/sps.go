package h264

import "fmt"

// maxSide bounds the picture: level 6.2 allows 139,264 macroblocks and at most
// the square root of eight times that on one side (A.3.1), 16,896 pixels.
const maxSide = 16896 / 16

// SPS is what a sender needs of a sequence parameter set (7.3.2.1.1).
type SPS struct {
	ID          uint8
	Profile     uint8 // profile_idc: 66 baseline, 77 main, 100 high
	Constraints uint8 // constraint_set0_flag is the highest bit
	Level       uint8 // level_idc: ten times the level

	Width, Height int // in pixels, after cropping

	FrameMBsOnly    bool // false: the stream may be interlaced
	PicOrderCntType uint8

	// MaxReorder is how many pictures may precede one in decoding order and
	// follow it on the screen, so 0 without B pictures; -1 when the stream does
	// not say. See E.2.1, max_num_reorder_frames.
	MaxReorder int

	// FPS is the frame rate by the VUI's timing, 0 when it has none.
	FPS float64
}

// ParseSPS reads a sequence parameter set.
func ParseSPS(nal NAL) (SPS, error) {
	if len(nal) == 0 || nal.Type() != TypeSPS {
		return SPS{}, fmt.Errorf("parse sps: not a sequence parameter set")
	}
	p := spsParser{bits: bits{data: nal[1:]}}
	p.parse()
	if p.err != nil {
		return SPS{}, fmt.Errorf("parse sps of %d bytes: %w", len(nal), p.err)
	}
	if p.Width <= 0 || p.Height <= 0 {
		return SPS{}, fmt.Errorf("parse sps of %d bytes: nothing is left of the picture after cropping", len(nal))
	}
	return p.SPS, nil
}

// ProfileLevelID returns profile-level-id as the SDP writes it (RFC 6184,
// section 8.1), for example "42e01f".
func (s SPS) ProfileLevelID() string {
	return fmt.Sprintf("%02x%02x%02x", s.Profile, s.Constraints, s.Level)
}

// Reorders says whether the stream declares that pictures are shown in another
// order than they are sent, as with B pictures. A stream that declares nothing
// may do so all the same; see Contents.B.
func (s SPS) Reorders() bool { return s.MaxReorder > 0 }

type spsParser struct {
	bits
	SPS
	chroma        uint32 // chroma_format_idc
	separate      bool   // separate_colour_plane_flag
	widthMBs      int
	heightMapUnit int
}

func (p *spsParser) parse() {
	p.Profile, p.Constraints, p.Level = uint8(p.u(8)), uint8(p.u(8)), uint8(p.u(8))
	p.ID = uint8(p.limit(31))
	p.chroma = 1
	if highProfile(p.Profile) {
		p.high()
	}
	p.limit(12) // log2_max_frame_num_minus4
	p.pictureOrder()
	p.limit(16) // max_num_ref_frames
	p.flag()    // gaps_in_frame_num_value_allowed_flag
	p.widthMBs = int(p.limit(maxSide-1)) + 1
	p.heightMapUnit = int(p.limit(maxSide-1)) + 1
	if p.FrameMBsOnly = p.flag(); !p.FrameMBsOnly {
		p.flag() // mb_adaptive_frame_field_flag
	}
	p.flag() // direct_8x8_inference_flag
	p.crop()
	p.MaxReorder = p.impliedReorder()
	if p.err == nil && p.flag() {
		p.vui()
	}
}

// highProfile says that the profile has the chroma and scaling fields (7.3.2.1.1).
func highProfile(profile uint8) bool {
	switch profile {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		return true
	}
	return false
}

func (p *spsParser) high() {
	if p.chroma = p.limit(3); p.chroma == 3 {
		p.separate = p.flag()
	}
	p.limit(6) // bit_depth_luma_minus8
	p.limit(6) // bit_depth_chroma_minus8
	p.flag()   // qpprime_y_zero_transform_bypass_flag
	if !p.flag() {
		return
	}
	lists := 8
	if p.chroma == 3 {
		lists = 12
	}
	for i := range lists {
		if p.flag() {
			p.scalingList(i)
		}
	}
}

// scalingList skips a list (7.3.2.1.1.1): the first six have 16 entries, the others 64.
func (p *spsParser) scalingList(i int) {
	size := 16
	if i >= 6 {
		size = 64
	}
	last, next := int32(8), int32(8)
	for range size {
		if next != 0 {
			next = (last + p.se()) & 0xff
		}
		if next != 0 {
			last = next
		}
	}
}

func (p *spsParser) pictureOrder() {
	switch p.PicOrderCntType = uint8(p.limit(2)); p.PicOrderCntType {
	case 0:
		p.limit(12) // log2_max_pic_order_cnt_lsb_minus4
	case 1:
		p.flag() // delta_pic_order_always_zero_flag
		p.se()   // offset_for_non_ref_pic
		p.se()   // offset_for_top_to_bottom_field
		for range p.limit(255) {
			p.se() // offset_for_ref_frame
		}
	}
}

// crop reads the cropping rectangle, whose unit depends on the chroma format and
// on interlacing (equations 7-19 to 7-22).
func (p *spsParser) crop() {
	fields := 2
	if p.FrameMBsOnly {
		fields = 1
	}
	p.Width, p.Height = 16*p.widthMBs, 16*p.heightMapUnit*fields
	if !p.flag() {
		return
	}
	unitX, unitY := 1, fields
	if !p.separate && (p.chroma == 1 || p.chroma == 2) {
		unitX = 2
	}
	if !p.separate && p.chroma == 1 {
		unitY *= 2
	}
	const most = 16 * maxSide
	p.Width -= unitX * int(p.limit(most)+p.limit(most))
	p.Height -= unitY * int(p.limit(most)+p.limit(most))
}

// impliedReorder is MaxReorder as far as the fields before the VUI tell it:
// baseline has no B pictures (A.2.1), picture order count type 2 means output in
// decoding order (8.2.1.3), and constraint_set3_flag makes the high profiles
// intra only (E.2.1).
func (p *spsParser) impliedReorder() int {
	const constraintSet3 = 1 << 4
	switch p.Profile {
	case 66:
		return 0
	case 44, 86, 100, 110, 122, 244:
		if p.Constraints&constraintSet3 != 0 {
			return 0
		}
	}
	if p.PicOrderCntType == 2 {
		return 0
	}
	return -1
}
