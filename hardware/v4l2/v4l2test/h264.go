package v4l2test

import "encoding/binary"

// bitWriter writes the fields of a parameter set (ITU-T H.264, 7.2).
type bitWriter struct {
	data []byte
	free int // bits left in the last byte
}

func (w *bitWriter) u(n int, v uint32) {
	for i := n - 1; i >= 0; i-- {
		if w.free == 0 {
			w.data, w.free = append(w.data, 0), 8
		}
		w.free--
		w.data[len(w.data)-1] |= byte(v>>i&1) << w.free
	}
}

// ue writes an unsigned Exp-Golomb code (9.1).
func (w *bitWriter) ue(v uint32) {
	n := 0
	for (v+1)>>(n+1) != 0 {
		n++
	}
	w.u(n, 0)
	w.u(n+1, v+1)
}

// sps returns a sequence parameter set for a picture size (7.3.2.1.1), behind
// its start code. Its few bytes need no emulation prevention.
func sps(profile, constraints, level uint8, width, height uint32) []byte {
	w := bitWriter{data: []byte{0, 0, 0, 1, 0x67, profile, constraints, level}}
	w.ue(0) // seq_parameter_set_id
	if profile == 100 {
		w.ue(1)   // chroma_format_idc
		w.ue(0)   // bit_depth_luma_minus8
		w.ue(0)   // bit_depth_chroma_minus8
		w.u(2, 0) // no transform bypass, no scaling matrix
	}
	w.ue(0)   // log2_max_frame_num_minus4
	w.ue(2)   // pic_order_cnt_type
	w.ue(1)   // max_num_ref_frames
	w.u(1, 0) // gaps_in_frame_num_value_allowed_flag
	mbw, mbh := (width+15)/16, (height+15)/16
	w.ue(mbw - 1)
	w.ue(mbh - 1)
	w.u(2, 3) // frame_mbs_only_flag, direct_8x8_inference_flag
	w.u(1, 1) // frame_cropping_flag
	w.ue(0)
	w.ue((16*mbw - width) / 2)
	w.ue(0)
	w.ue((16*mbh - height) / 2)
	w.u(1, 0) // vui_parameters_present_flag
	w.u(1, 1) // rbsp_stop_one_bit
	return w.data
}

// pps is a picture parameter set of baseline: every field at its simplest.
var pps = []byte{0, 0, 0, 1, 0x68, 0xce, 0x38, 0x80}

// slice returns a slice that decodes to nothing, with what a test wants to know
// about it in its data: the count of the picture and its first byte.
func slice(key bool, count uint32, first byte) []byte {
	head := []byte{0, 0, 0, 1, 0x41, 0x9a} // first_mb 0, P
	if key {
		head = []byte{0, 0, 0, 1, 0x65, 0x88} // first_mb 0, I
	}
	head = append(head, 0x80, 0x80|byte(count>>14), 0x80|byte(count>>7), 0x80|byte(count), 0x80|first>>4, 0x80|first&15)
	for range 40 {
		head = append(head, 0x55)
	}
	return head
}

// filler returns a filler data NAL unit (7.3.2.7).
func filler(n int) []byte {
	data := []byte{0, 0, 0, 1, 0x0c}
	for range n {
		data = append(data, 0xff)
	}
	return append(data, 0x80)
}

// Slice is what the scripted encoder put into a picture.
type Slice struct {
	Count uint32 // of the picture in its stream, from 0
	First byte   // of the picture's data
}

// ReadSlice reads what is in the slice of an access unit; false when it has no
// whole slice.
func ReadSlice(au []byte) (s Slice, ok bool) {
	const size = 12 + 40
	for i := 0; i+size <= len(au); i++ {
		if binary.BigEndian.Uint32(au[i:]) != 1 || au[i+4]&0x1f != 1 && au[i+4]&0x1f != 5 {
			continue
		}
		b := au[i+7:]
		s.Count = uint32(b[0]&0x7f)<<14 | uint32(b[1]&0x7f)<<7 | uint32(b[2]&0x7f)
		s.First = b[3]&15<<4 | b[4]&15
		return s, true
	}
	return s, false
}
