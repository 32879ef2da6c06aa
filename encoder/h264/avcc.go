package h264

import "fmt"

// DecoderConfig is an AVCDecoderConfigurationRecord, the avcC box of an MP4
// (ISO/IEC 14496-15, section 5.3.3.1).
type DecoderConfig struct {
	LengthSize int // bytes of the length in front of each NAL unit: 1, 2 or 4
	SPS, PPS   []NAL
}

// ParseDecoderConfig reads an avcC record. The parameter sets alias it.
func ParseDecoderConfig(avcc []byte) (DecoderConfig, error) {
	if len(avcc) < 6 || avcc[0] != 1 {
		return DecoderConfig{}, fmt.Errorf("parse avcC of %d bytes: not a version 1 record", len(avcc))
	}
	c := DecoderConfig{LengthSize: int(avcc[4]&3) + 1}
	if c.LengthSize == 3 {
		return DecoderConfig{}, fmt.Errorf("parse avcC: lengths of 3 bytes are not allowed")
	}
	var err error
	rest := avcc[6:]
	if c.SPS, rest, err = parameterSets(rest, int(avcc[5]&0x1f), TypeSPS); err != nil {
		return DecoderConfig{}, err
	}
	if len(rest) == 0 {
		return DecoderConfig{}, fmt.Errorf("parse avcC: no count of picture parameter sets")
	}
	if c.PPS, _, err = parameterSets(rest[1:], int(rest[0]), TypePPS); err != nil {
		return DecoderConfig{}, err
	}
	return c, nil
}

func parameterSets(b []byte, count int, want Type) (sets []NAL, rest []byte, err error) {
	for i := range count {
		if len(b) < 2 {
			return nil, nil, fmt.Errorf("parse avcC: ends within %v %d of %d", want, i+1, count)
		}
		size := int(b[0])<<8 | int(b[1])
		if b = b[2:]; size == 0 || size > len(b) {
			return nil, nil, fmt.Errorf("parse avcC: %v %d of %d has %d bytes, %d are left", want, i+1, count, size, len(b))
		}
		nal := NAL(b[:size])
		if nal.Type() != want {
			return nil, nil, fmt.Errorf("parse avcC: a %v in the place of a %v", nal.Type(), want)
		}
		sets, b = append(sets, nal), b[size:]
	}
	return sets, b, nil
}

// AnnexB returns the parameter sets in Annex B format, SPS first.
func (c DecoderConfig) AnnexB() []byte {
	var b []byte
	for _, nal := range c.SPS {
		b = AppendNAL(b, nal)
	}
	for _, nal := range c.PPS {
		b = AppendNAL(b, nal)
	}
	return b
}

// AppendNAL appends a NAL unit behind a start code of four bytes.
func AppendNAL(dst []byte, nal NAL) []byte {
	return append(append(dst, 0, 0, 0, 1), nal...)
}

// AppendAnnexB appends a sample of an MP4, NAL units behind lengths of
// lengthSize bytes (1, 2 or 4), to dst in Annex B format. Empty units are left
// out. On an error dst is returned as it was.
func AppendAnnexB(dst, sample []byte, lengthSize int) ([]byte, error) {
	before := len(dst)
	for rest := sample; len(rest) > 0; {
		if len(rest) < lengthSize {
			return dst[:before], fmt.Errorf("sample of %d bytes: ends within a NAL unit's length", len(sample))
		}
		var size uint32
		for _, b := range rest[:lengthSize] {
			size = size<<8 | uint32(b)
		}
		if rest = rest[lengthSize:]; uint64(size) > uint64(len(rest)) {
			return dst[:before], fmt.Errorf("sample of %d bytes: a NAL unit of %d bytes where %d are left", len(sample), size, len(rest))
		}
		if size > 0 {
			dst = AppendNAL(dst, NAL(rest[:size]))
		}
		rest = rest[size:]
	}
	return dst, nil
}
