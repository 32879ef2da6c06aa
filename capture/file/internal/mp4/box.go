// Package mp4 finds the samples of the H.264 track of an MP4 or MOV file,
// progressive or fragmented (ISO/IEC 14496-12). It keeps the sample tables as
// they are in the file and walks through them, so that its memory is theirs; it
// reads no samples and ignores edit lists, which for a track without reordering
// only shift its times.
package mp4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// maxMoov bounds the memory that a file can claim: ten hours of 30 pictures a
	// second with sound need about 30 MB.
	maxMoov = 64 << 20
	// maxMoof bounds one fragment's tables.
	maxMoof = 4 << 20
	// maxSamples bounds tables whose entries take no room: 38 h at 30 a second.
	maxSamples = 1 << 22
	// MaxSample bounds one sample, in bytes.
	MaxSample = 8 << 20
)

var (
	// ErrNotMP4 says that the file does not begin as an MP4 or MOV does.
	ErrNotMP4 = errors.New("not an MP4 file")
	// ErrTruncated says that the file ends before what it announces.
	ErrTruncated = errors.New("truncated")
	// ErrNoVideo says that it has no track of H.264.
	ErrNoVideo = errors.New("no H.264 track")
)

// header is the beginning of a box.
type header struct {
	kind string
	pos  int64 // of the box
	body int64 // of what it holds
	end  int64
}

// readHeader reads the header of the box at pos. A size of 0 means up to the end
// of the file, 1 that 64 bits follow (section 4.2).
func (f *File) readHeader(pos int64) (header, error) {
	r, size, b := f.r, f.size, &f.scratch
	n, err := r.ReadAt(b[:min(16, size-pos)], pos)
	if n < 8 {
		if err == nil || err == io.EOF {
			err = fmt.Errorf("%w: %d bytes where a box should begin at byte %d", ErrTruncated, n, pos)
		}
		return header{}, err
	}
	h := header{kind: kindOf(b[4:8]), pos: pos, body: pos + 8}
	length := int64(binary.BigEndian.Uint32(b[:4]))
	switch {
	case length == 0:
		length = size - pos
	case length == 1 && n == 16:
		length, h.body = int64(binary.BigEndian.Uint64(b[8:])), pos+16
	}
	if length < h.body-pos || length > 1<<62 {
		return header{}, fmt.Errorf("box %q at byte %d: a length of %d bytes", h.kind, pos, length)
	}
	h.end = pos + length
	return h, nil
}

// read returns what a box holds, at most limit bytes, in buf when it fits.
func (h header) read(r io.ReaderAt, size, limit int64, buf []byte) ([]byte, error) {
	if h.end > size {
		return nil, fmt.Errorf("%w: box %q at byte %d ends at byte %d, the file at byte %d", ErrTruncated, h.kind, h.pos, h.end, size)
	}
	n := h.end - h.body
	if n > limit {
		return nil, fmt.Errorf("box %q at byte %d: %d bytes, more than %d are not accepted", h.kind, h.pos, n, limit)
	}
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if got, err := r.ReadAt(buf, h.body); int64(got) < n {
		return nil, fmt.Errorf("read box %q: %w", h.kind, err)
	}
	return buf, nil
}

// boxes calls f for each box within b, until it returns an error.
func boxes(b []byte, f func(kind string, body []byte) error) error {
	for len(b) >= 8 { // QuickTime ends some containers with four zero bytes
		kind, body, rest, err := nextBox(b)
		if err != nil {
			return err
		}
		if err := f(kind, body); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// nextBox returns the first of the boxes in b, which holds at least 8 bytes.
func nextBox(b []byte) (kind string, body, rest []byte, err error) {
	size, start := uint64(binary.BigEndian.Uint32(b)), uint64(8)
	switch {
	case size == 0:
		size = uint64(len(b))
	case size == 1 && len(b) >= 16:
		size, start = binary.BigEndian.Uint64(b[8:]), 16
	}
	kind = kindOf(b[4:8])
	if size < start || size > uint64(len(b)) {
		return "", nil, nil, fmt.Errorf("box %q: a length of %d bytes where %d are left", kind, size, len(b))
	}
	return kind, b[start:size], b[size:], nil
}

// kindOf returns a box's four letters. For those of fragments, which come while
// playing, it allocates nothing.
func kindOf(b []byte) string {
	for _, kind := range [...]string{"moof", "mdat", "mfhd", "traf", "tfhd", "tfdt", "trun"} {
		if kind == string(b) {
			return kind
		}
	}
	return string(b)
}

// fields reads big-endian fields. Reads past the end give 0 and set short.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n int) []byte {
	if len(f.b) < n {
		f.b, f.short = nil, true
		return make([]byte, 8)[:n]
	}
	v := f.b[:n]
	f.b = f.b[n:]
	return v
}

func (f *fields) u32() uint32 { return binary.BigEndian.Uint32(f.take(4)) }
func (f *fields) u64() uint64 { return binary.BigEndian.Uint64(f.take(8)) }

func (f *fields) skip(n int) {
	if len(f.b) < n {
		f.b, f.short = nil, true
		return
	}
	f.b = f.b[n:]
}

// table is an array of entries of equal size, as it is in the file.
type table struct {
	b    []byte
	size int
}

func (t table) len() int {
	if t.size == 0 {
		return 0
	}
	return len(t.b) / t.size
}

func (t table) u32(entry, field int) uint32 {
	return binary.BigEndian.Uint32(t.b[entry*t.size+4*field:])
}

// newTable reads a full box of a count and that many entries of size bytes.
func newTable(kind string, body []byte, size int) (table, error) {
	f := fields{b: body}
	f.skip(4)
	count := f.u32()
	if f.short || uint64(count)*uint64(size) > uint64(len(f.b)) {
		return table{}, fmt.Errorf("box %q: %d entries do not fit into its %d bytes", kind, count, len(body))
	}
	return table{b: f.b[:int(count)*size], size: size}, nil
}
