package h264

// vui reads the video usability information (E.1.1): the frame rate, and how
// far pictures may be reordered. Encoders that break it off early are common and
// decoders take them, so a VUI that ends too early counts as one that says no
// more.
func (p *spsParser) vui() {
	saved := p.err
	p.readVUI()
	if p.err == errShort {
		p.err = saved
	}
}

func (p *spsParser) readVUI() {
	const extendedSAR = 255
	if p.flag() && p.u(8) == extendedSAR {
		p.u(32)
	}
	if p.flag() { // overscan_info_present_flag
		p.flag()
	}
	if p.flag() { // video_signal_type_present_flag
		p.u(4)
		if p.flag() {
			p.u(24) // colour description
		}
	}
	if p.flag() { // chroma_loc_info_present_flag
		p.limit(5)
		p.limit(5)
	}
	if p.flag() {
		p.timing()
	}
	p.hypotheticalDecoder()
	p.flag() // pic_struct_present_flag
	if p.flag() {
		p.restriction()
	}
}

// timing reads the frame rate. A tick is one field, so a frame takes two (E.2.1,
// Table E-6).
func (p *spsParser) timing() {
	units, scale := p.u(32), p.u(32)
	p.flag() // fixed_frame_rate_flag
	if units > 0 && scale > 0 && p.err == nil {
		p.FPS = float64(scale) / float64(units) / 2
	}
}

func (p *spsParser) hypotheticalDecoder() {
	nal := p.flag()
	if nal {
		p.hrd()
	}
	vcl := p.flag()
	if vcl {
		p.hrd()
	}
	if nal || vcl {
		p.flag() // low_delay_hrd_flag
	}
}

// hrd skips the parameters of a hypothetical reference decoder (E.1.2).
func (p *spsParser) hrd() {
	count := p.limit(31) + 1
	p.u(8)
	for range count {
		p.ue() // bit_rate_value_minus1
		p.ue() // cpb_size_value_minus1
		p.flag()
	}
	p.u(20)
}

func (p *spsParser) restriction() {
	p.flag()    // motion_vectors_over_pic_boundaries_flag
	p.limit(16) // max_bytes_per_pic_denom
	p.limit(16) // max_bits_per_mb_denom
	p.limit(16) // log2_max_mv_length_horizontal
	p.limit(16) // log2_max_mv_length_vertical
	if reorder := p.limit(16); p.err == nil {
		p.MaxReorder = int(reorder)
	}
}
