package remux

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Bounds of what is held in memory, in bytes. A fragment of two seconds lists
// some hundred samples of 16 bytes.
const (
	maxMoov = 1 << 20
	maxMoof = 4 << 20
)

// A box is a piece of a file, ISO/IEC 14496-12 section 4.2.
type box struct {
	kind       string
	start      int64 // of its header
	body, end  int64 // end may be behind the file's
	incomplete bool
}

// readBox reads the header at an offset. A header that is cut itself is
// incomplete, of no kind.
func readBox(r io.ReaderAt, at, size int64) (box, error) {
	b := box{start: at, body: at + 8, end: size, incomplete: true}
	if size-at < 8 {
		return b, nil
	}
	var header [16]byte
	if _, err := r.ReadAt(header[:8], at); err != nil {
		return b, err
	}
	b.kind = string(header[4:8])
	length := int64(binary.BigEndian.Uint32(header[:]))
	switch length {
	case 0: // to the end of the file
		length = size - at
	case 1: // 64 bits follow
		b.body += 8
		if size < b.body {
			return b, nil
		}
		if _, err := r.ReadAt(header[8:], at+8); err != nil {
			return b, err
		}
		large := binary.BigEndian.Uint64(header[8:])
		if large > 1<<62 {
			return b, fmt.Errorf("box %q at %d has %d bytes", b.kind, at, large)
		}
		length = int64(large)
	}
	if length < b.body-at {
		return b, fmt.Errorf("box %q at %d has %d bytes", b.kind, at, length)
	}
	b.end = at + length
	b.incomplete = b.end > size
	return b, nil
}

// read returns a whole box with its header.
func (b box) read(r io.ReaderAt, limit int64) ([]byte, error) {
	if b.end-b.start > limit {
		return nil, fmt.Errorf("box %q at %d has %d bytes, more than %d", b.kind, b.start, b.end-b.start, limit)
	}
	data := make([]byte, b.end-b.start)
	_, err := r.ReadAt(data, b.start)
	return data, err
}

// children calls f with the kind and body of each box within data.
func children(data []byte, f func(kind string, body []byte) error) error {
	for len(data) > 0 {
		if len(data) < 8 {
			return fmt.Errorf("%d bytes are no box", len(data))
		}
		length := int(binary.BigEndian.Uint32(data))
		if length < 8 || length > len(data) {
			return fmt.Errorf("box %q has %d bytes of %d", data[4:8], length, len(data))
		}
		if err := f(string(data[4:8]), data[8:length]); err != nil {
			return err
		}
		data = data[length:]
	}
	return nil
}

// fields reads the fields of a full box, one after the other. Behind the end it
// reads zeros and is short.
type fields struct {
	data    []byte
	version byte
	flags   uint32
	short   bool
}

func fullBox(body []byte) *fields {
	f := &fields{data: body}
	first := f.u32()
	f.version, f.flags = byte(first>>24), first&0xffffff
	return f
}

func (f *fields) u32() uint32 {
	if len(f.data) < 4 {
		f.short = true
		return 0
	}
	v := binary.BigEndian.Uint32(f.data)
	f.data = f.data[4:]
	return v
}

func (f *fields) u64() uint64 { return uint64(f.u32())<<32 | uint64(f.u32()) }

// optional reads a field that is there when a flag is set.
func (f *fields) optional(flag, missing uint32) uint32 {
	if f.flags&flag == 0 {
		return missing
	}
	return f.u32()
}
