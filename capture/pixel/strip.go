package pixel

import (
	"bytes"
	"encoding/binary"
)

// Strip appends a JPEG to to with nothing in it but what it takes to decode it:
// quantisation and Huffman tables, frame and scan headers, the restart interval
// and the picture data, all as they are; the standard Huffman tables where there
// are none; the two statements about the colours, JFIF's and Adobe's, without the
// rest of what these segments say. All other segments, comments and what comes
// after the picture are left out. exif, when not empty, is put in as the body of
// an APP1 segment.
//
// A picture that decodes, decodes to the same afterwards.
func Strip(to, data, exif []byte) ([]byte, error) {
	h, err := scan(data)
	if err != nil {
		return to, err
	}
	to = append(to, 0xff, markerSOI)
	if h.jfif { // version 1.02, square pixels, no thumbnail
		to = appendSegment(to, markerAPP0, []byte("JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00"))
	}
	if len(exif) > 0 {
		to = appendSegment(to, markerAPP1, exif)
	}
	for at := 2; ; {
		marker, body, next, err := segment(data, at)
		if err != nil || marker == markerEOI {
			// scan has been as far as the first picture data, behind which rubbish
			// ends the picture.
			return append(to, 0xff, markerEOI), nil
		}
		switch {
		case marker == markerSOS:
			if !h.tables {
				to, h.tables = appendTables(to), true
			}
			end := endOfScan(data, next)
			to = append(appendSegment(to, marker, body), data[next:end]...)
			next = end
		case marker == markerAPPE && !h.jfif && len(body) >= 12 && bytes.HasPrefix(body, []byte("Adobe")):
			to = appendSegment(to, marker, append([]byte("Adobe\x00\x64\x00\x00\x00\x00"), body[11]))
		case kept(marker) && (at < h.scan || !isFrame(marker)):
			to = appendSegment(to, marker, body)
		}
		at = next
	}
}

func kept(marker byte) bool {
	switch marker {
	case markerSOF0, markerSOF1, markerDHT, markerDQT, markerDRI:
		return true
	}
	return false
}

func appendSegment(to []byte, marker byte, body []byte) []byte {
	to = append(to, 0xff, marker)
	to = binary.BigEndian.AppendUint16(to, uint16(2+len(body)))
	return append(to, body...)
}

// endOfScan returns where the next marker is that is neither a restart nor a byte
// of 0xff in the picture data (ITU-T T.81, B.1.1.5); the end of data otherwise.
func endOfScan(data []byte, at int) int {
	for {
		next := bytes.IndexByte(data[at:], 0xff)
		if next < 0 {
			return len(data)
		}
		marker := at + next
		for at = marker; at < len(data) && data[at] == 0xff; at++ {
		}
		if at == len(data) {
			return marker
		}
		if code := data[at]; code != 0 && (code < 0xd0 || code > 0xd7) {
			return marker
		}
		at++
	}
}
