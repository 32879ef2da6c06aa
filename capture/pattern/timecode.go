package pattern

import (
	"image"
	"time"
)

// The timecode is a strip along the top edge, Width/32 pixels high, of 64 black
// and white cells. Cell i covers the columns from i*Width/64 to (i+1)*Width/64:
//
//	 0..3   1 0 1 0           white and black, to find the levels by
//	 4..47  44 bits           Unix time in milliseconds, most significant bit first
//	48..55  CRC-8             polynomial 0x07, initial value 0, over the 6 bytes big
//	                          endian of the time, its 4 upper bits zero
//	56..63  0 1 0 1 0 1 0 1
//
// 44 bits of milliseconds last until the year 2527. Large cells of two levels
// survive compression and scaling, and a canvas in a browser can read them.
const (
	cells    = 64
	timeBits = 44

	white, black = 235, 16 // luma of limited range
	neutral      = 128     // chroma of both

	head        = 0b1010
	tail        = 0b01010101
	minContrast = 48 // between white and black; below it the strip is something else
)

// stripHeight returns the height of the timecode in a picture of this width.
func stripHeight(width int) int { return width / 32 }

// codeword returns the 64 cells for the moment t, the leftmost in the highest bit.
func codeword(t time.Time) uint64 {
	ms := uint64(t.UnixMilli()) & (1<<timeBits - 1)
	return head<<60 | ms<<16 | uint64(crc8(ms))<<8 | tail
}

// crc8 is the CRC of the 48-bit number v, bit by bit.
func crc8(v uint64) uint8 {
	var crc uint8
	for shift := 40; shift >= 0; shift -= 8 {
		crc ^= uint8(v >> shift)
		for range 8 {
			if crc&0x80 != 0 {
				crc = crc<<1 ^ 0x07
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// drawTimecode paints the strip for t into a luma plane. The chroma under it has
// to be neutral already.
func drawTimecode(luma []byte, stride, width int, t time.Time) {
	word := codeword(t)
	first := luma[:width]
	for i := range cells {
		level := byte(black)
		if word>>(cells-1-i)&1 == 1 {
			level = white
		}
		cell := first[i*width/cells : (i+1)*width/cells]
		for x := range cell {
			cell[x] = level
		}
	}
	for y := 1; y < stripHeight(width); y++ {
		copy(luma[y*stride:y*stride+width], first)
	}
}

// ReadTimecode reads the moment that the timecode in a picture says, to the
// millisecond, from its luma plane with rows stride bytes apart. It tolerates
// what compression and a change of size do to the strip, and returns false for
// a picture without a timecode, or with one that is damaged.
func ReadTimecode(luma []byte, stride, width, height int) (time.Time, bool) {
	strip := stripHeight(width)
	if width < cells || height < strip || strip < 1 || stride < width || len(luma)/stride < strip-1 ||
		len(luma) < (strip-1)*stride+width {
		return time.Time{}, false
	}
	var levels [cells]int
	for i := range levels {
		levels[i] = mean(luma, stride, middle(image.Rect(i*width/cells, 0, (i+1)*width/cells, strip)))
	}
	high, low := (levels[0]+levels[2])/2, (levels[1]+levels[3])/2
	if high-low < minContrast {
		return time.Time{}, false
	}
	var word uint64
	for _, level := range levels {
		word <<= 1
		if 2*level > high+low {
			word |= 1
		}
	}
	ms := word >> 16 & (1<<timeBits - 1)
	if word>>60 != head || word&0xff != tail || uint8(word>>8) != crc8(ms) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(ms)), true
}

// middle returns the inner half of r each way, where compression smears least,
// and at least one pixel.
func middle(r image.Rectangle) image.Rectangle {
	in := image.Rect(r.Min.X+r.Dx()/4, r.Min.Y+r.Dy()/4, r.Max.X-r.Dx()/4, r.Max.Y-r.Dy()/4)
	if in.Empty() {
		return r
	}
	return in
}

// mean returns the mean luma of the pixels in r.
func mean(luma []byte, stride int, r image.Rectangle) int {
	sum := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for _, v := range luma[y*stride+r.Min.X : y*stride+r.Max.X] {
			sum += int(v)
		}
	}
	return sum / (r.Dx() * r.Dy())
}
