package photo

import (
	"encoding/binary"
	"time"
)

// exif is all that a photo says beside the picture (CIPA DC-008, "Exif"). What is
// empty is left out.
type exif struct {
	model    string
	software string
	taken    time.Time
	rotation int // degrees clockwise that make the picture upright
}

// The tags, and the types of their values.
const (
	tagModel              = 0x0110
	tagOrientation        = 0x0112
	tagSoftware           = 0x0131
	tagExifIFD            = 0x8769
	tagVersion            = 0x9000
	tagDateTimeOriginal   = 0x9003
	tagOffsetTimeOriginal = 0x9011

	typeASCII     = 2
	typeShort     = 3
	typeLong      = 4
	typeUndefined = 7
)

// entry is a tag of a directory; a value of up to four bytes lies in it.
type entry struct {
	tag, typ uint16
	count    uint32
	value    []byte
}

func text(tag uint16, s string) entry {
	value := append([]byte(s), 0)
	return entry{tag, typeASCII, uint32(len(value)), value}
}

// encode returns the body of an APP1 segment.
func (e exif) encode() []byte {
	const header = 8 // of TIFF; offsets count from its first byte
	main := e.main(0)
	tiff := append([]byte("MM\x00*"), 0, 0, 0, header)
	main = e.main(uint32(header + len(appendDirectory(nil, main, header))))
	tiff = appendDirectory(tiff, main, header)
	tiff = appendDirectory(tiff, e.detail(), len(tiff))
	return append([]byte("Exif\x00\x00"), tiff...)
}

// main returns the first directory, in the order of the tags. It tells where the
// other one lies.
func (e exif) main(detail uint32) (list []entry) {
	if e.model != "" {
		list = append(list, text(tagModel, e.model))
	}
	if o := orientation(e.rotation); o != 0 {
		list = append(list, entry{tagOrientation, typeShort, 1, []byte{0, o}})
	}
	if e.software != "" {
		list = append(list, text(tagSoftware, e.software))
	}
	return append(list, entry{tagExifIFD, typeLong, 1, binary.BigEndian.AppendUint32(nil, detail)})
}

// detail returns the Exif directory.
func (e exif) detail() []entry {
	list := []entry{{tagVersion, typeUndefined, 4, []byte("0232")}}
	if !e.taken.IsZero() {
		list = append(list,
			text(tagDateTimeOriginal, e.taken.Format("2006:01:02 15:04:05")),
			text(tagOffsetTimeOriginal, e.taken.Format("-07:00")))
	}
	return list
}

// orientation returns the value of that tag for a picture that has to be turned
// clockwise; 0 for one that has not.
func orientation(degrees int) byte {
	switch degrees {
	case 90:
		return 6
	case 180:
		return 3
	case 270:
		return 8
	}
	return 0
}

// appendDirectory appends an IFD that begins at offset at, with its values behind
// it; none follows it.
func appendDirectory(b []byte, list []entry, at int) []byte {
	const size = 12 // of an entry
	b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
	values := at + 2 + size*len(list) + 4
	var behind []byte
	for _, e := range list {
		b = binary.BigEndian.AppendUint16(b, e.tag)
		b = binary.BigEndian.AppendUint16(b, e.typ)
		b = binary.BigEndian.AppendUint32(b, e.count)
		if len(e.value) <= 4 {
			b = append(append(b, e.value...), make([]byte, 4-len(e.value))...)
			continue
		}
		b = binary.BigEndian.AppendUint32(b, uint32(values+len(behind)))
		if behind = append(behind, e.value...); len(behind)%2 != 0 { // values begin at even offsets
			behind = append(behind, 0)
		}
	}
	b = append(b, 0, 0, 0, 0)
	return append(b, behind...)
}
