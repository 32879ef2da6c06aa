package pixel

import (
	"encoding/binary"
	"fmt"

	"github.com/bril-edge/bril/capture"
)

// The JPEG markers that are looked at (ITU-T T.81, table B.1).
const (
	markerSOF0 = 0xc0 // baseline
	markerSOF1 = 0xc1 // extended sequential
	markerDHT  = 0xc4
	markerSOI  = 0xd8
	markerEOI  = 0xd9
	markerSOS  = 0xda
)

// header is what the segments in front of a JPEG's picture data say.
type header struct {
	width, height int
	components    int
	tables        bool // has Huffman tables of its own
	scan          int  // offset of the SOS marker
}

// scan reads the segments up to the picture data. It is what stands between a
// hostile picture and the memory that a decoder would allocate for it.
func scan(data []byte) (h header, err error) {
	if len(data) < 2 || data[0] != 0xff || data[1] != markerSOI {
		return h, fmt.Errorf("%w: no JPEG", ErrBroken)
	}
	for at := 2; ; {
		marker, body, next, err := segment(data, at)
		if err != nil {
			return h, err
		}
		switch {
		case marker == markerSOF0 || marker == markerSOF1:
			err = h.frame(body)
		case isFrame(marker):
			err = fmt.Errorf("%w: JPEG of type SOF%d, only sequential ones are video", ErrBroken, marker-markerSOF0)
		case marker == markerDHT:
			h.tables = true
		case marker == markerEOI:
			err = fmt.Errorf("%w: JPEG without picture data", ErrBroken)
		case marker == markerSOS:
			h.scan = at
			if h.components == 0 {
				err = fmt.Errorf("%w: JPEG without a frame header", ErrBroken)
			}
			return h, err
		}
		if err != nil {
			return h, err
		}
		at = next
	}
}

// isFrame says that a marker is one of SOF0 to SOF15, which leave out DHT, JPG
// and DAC.
func isFrame(marker byte) bool {
	return marker >= markerSOF0 && marker <= 0xcf && marker != markerDHT && marker != 0xc8 && marker != 0xcc
}

// segment returns the marker at at, what belongs to it and where the next begins.
func segment(data []byte, at int) (marker byte, body []byte, next int, err error) {
	if at >= len(data) || data[at] != 0xff {
		return 0, nil, 0, fmt.Errorf("%w: no JPEG marker at byte %d of %d", ErrBroken, at, len(data))
	}
	for at < len(data) && data[at] == 0xff { // may be filled up with 0xff
		at++
	}
	if at == len(data) {
		return 0, nil, 0, fmt.Errorf("%w: JPEG ends in a marker", ErrBroken)
	}
	marker = data[at]
	if marker == markerEOI || marker == 0x01 || marker >= 0xd0 && marker <= markerSOI {
		return marker, nil, at + 1, nil // stands alone
	}
	rest := data[at+1:]
	if len(rest) < 2 {
		return 0, nil, 0, fmt.Errorf("%w: JPEG ends in segment %#x", ErrBroken, marker)
	}
	length := int(binary.BigEndian.Uint16(rest))
	if length < 2 || length > len(rest) {
		return 0, nil, 0, fmt.Errorf("%w: JPEG segment %#x of %d bytes, %d are left", ErrBroken, marker, length, len(rest))
	}
	return marker, rest[2:length], at + 1 + length, nil
}

// frame reads a frame header (ITU-T T.81, B.2.2).
func (h *header) frame(body []byte) error {
	if len(body) < 6 || len(body) != 6+3*int(body[5]) {
		return fmt.Errorf("%w: JPEG frame header of %d bytes", ErrBroken, len(body))
	}
	if h.components != 0 {
		return fmt.Errorf("%w: JPEG with two frame headers", ErrBroken)
	}
	h.height, h.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	h.components = int(body[5])
	if body[0] != 8 || h.components != 1 && h.components != 3 {
		return fmt.Errorf("%w: JPEG with %d components of %d bits, must be 1 or 3 of 8", ErrBroken, h.components, body[0])
	}
	return nil
}

// decode decodes a JPEG into an I420 frame of its size.
func (c *Converter) decode(out capture.Frame, data []byte) error {
	h, err := scan(data)
	if err != nil {
		return err
	}
	if h.width != out.Width || h.height != out.Height {
		return fmt.Errorf("%w: the JPEG has %dx%d", ErrBroken, h.width, h.height)
	}
	if !h.tables {
		data = c.withTables(data, h)
	}
	if c.jpeg == nil {
		c.jpeg = newDecoder(c.log)
	}
	return c.jpeg.decode(out, data)
}

// withTables puts the standard Huffman tables in front of the picture data:
// cameras leave them out to save bytes (Motion JPEG in AVI does the same).
func (c *Converter) withTables(data []byte, h header) []byte {
	c.scratch = append(c.scratch[:0], data[:h.scan]...)
	c.scratch = appendTables(c.scratch)
	c.scratch = append(c.scratch, data[h.scan:]...)
	return c.scratch
}
