package pixel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"

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
	markerDQT  = 0xdb
	markerDRI  = 0xdd
	markerAPP0 = 0xe0
	markerAPP1 = 0xe1
	markerAPPE = 0xee // APP14
)

// header is what the segments in front of a JPEG's picture data say.
type header struct {
	width, height int
	components    int
	tables        bool // has Huffman tables of its own
	jfif          bool // says that it is JFIF, so that its colours are YCbCr
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
		case marker == markerAPP0:
			h.jfif = h.jfif || len(body) >= 14 && bytes.HasPrefix(body, []byte("JFIF\x00"))
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

// jpegReader decodes Motion JPEG by whatever decoder there is.
type jpegReader struct {
	log     *slog.Logger
	decoder jpegDecoder // made for the first picture
	scratch []byte      // a JPEG with its tables put in
	grey    []byte      // the luma of a JPEG
}

// prepare returns the picture with Huffman tables, its decoder made, if it is a
// JPEG of that size.
func (r *jpegReader) prepare(data []byte, width, height int) ([]byte, error) {
	h, err := scan(data)
	if err != nil {
		return nil, err
	}
	if h.width != width || h.height != height {
		return nil, fmt.Errorf("%w: the JPEG has %dx%d", ErrBroken, h.width, h.height)
	}
	if !h.tables {
		data = r.withTables(data, h)
	}
	if r.decoder == nil {
		r.decoder = newDecoder(r.log)
	}
	return data, nil
}

// decode decodes a JPEG into an I420 frame of its size.
func (r *jpegReader) decode(out capture.Frame, data []byte) error {
	data, err := r.prepare(data, out.Width, out.Height)
	if err != nil {
		return err
	}
	return r.decoder.decode(out, data)
}

// luma decodes the luma of a JPEG of that size. It is valid until the next call.
func (r *jpegReader) luma(width, height int, data []byte) (capture.Plane, error) {
	data, err := r.prepare(data, width, height)
	if err != nil {
		return capture.Plane{}, err
	}
	if len(r.grey) != width*height {
		r.grey = make([]byte, width*height)
	}
	out := capture.Plane{Data: r.grey, Stride: width}
	return out, r.decoder.luma(out, width, height, data)
}

func (r *jpegReader) close() error {
	if r.decoder == nil {
		return nil
	}
	err := r.decoder.close()
	r.decoder = nil
	return err
}

// withTables puts the standard Huffman tables in front of the picture data:
// cameras leave them out to save bytes (Motion JPEG in AVI does the same).
func (r *jpegReader) withTables(data []byte, h header) []byte {
	r.scratch = append(r.scratch[:0], data[:h.scan]...)
	r.scratch = appendTables(r.scratch)
	r.scratch = append(r.scratch, data[h.scan:]...)
	return r.scratch
}
