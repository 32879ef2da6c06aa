package mp4

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// File is an MP4 file with one H.264 track chosen: the first.
type File struct {
	r    io.ReaderAt
	size int64

	// Timescale is in ticks a second.
	Timescale uint32
	// AVCC is the content of the track's avcC box.
	AVCC []byte

	track      track
	fragmented bool
	fragments  int64 // where fragments may begin
	scratch    [16]byte
}

// track is what the boxes of a track say.
type track struct {
	id        uint32
	handler   string
	codec     string
	timescale uint32
	avcc      []byte
	entries   int // of the sample description

	stts, ctts, stsc, stss table
	chunks                 table // stco or co64
	sizes                  table // stsz, when sizes differ
	size                   uint32
	count                  int
	allSync                bool
	defaults               defaults // trex
}

// defaults are the values of samples that a fragment does not give.
type defaults struct{ duration, size, flags uint32 }

// Open reads the headers of the file r of size bytes.
func Open(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r, size: size}
	moov, err := f.findMoov()
	if err != nil {
		return nil, err
	}
	if err := f.parseMoov(moov); err != nil {
		return nil, err
	}
	f.Timescale, f.AVCC = f.track.timescale, f.track.avcc
	return f, nil
}

// findMoov returns the content of the moov box, wherever it is.
func (f *File) findMoov() ([]byte, error) {
	for pos := int64(0); pos < f.size; {
		h, err := f.readHeader(pos)
		if pos == 0 && (err != nil || !first(h.kind)) {
			return nil, ErrNotMP4
		}
		if err != nil {
			return nil, err
		}
		if h.kind == "moov" {
			f.fragments = h.end
			return h.read(f.r, f.size, maxMoov, nil)
		}
		if h.end > f.size {
			return nil, fmt.Errorf("%w: box %q at byte %d ends at byte %d, the file at byte %d, and the index (moov) is missing",
				ErrTruncated, h.kind, pos, h.end, f.size)
		}
		pos = h.end
	}
	return nil, fmt.Errorf("%w: the index (moov) is missing", ErrTruncated)
}

// first says whether a file may begin with a box of this kind.
func first(kind string) bool {
	switch kind {
	case "ftyp", "styp", "moov", "mdat", "free", "skip", "wide", "pnot", "uuid", "sidx":
		return true
	}
	return false
}

func (f *File) parseMoov(moov []byte) error {
	var other string // codec of a video track that is not H.264
	extends := map[uint32]defaults{}
	found := false
	err := boxes(moov, func(kind string, body []byte) error {
		switch kind {
		case "trak":
			t := track{allSync: true}
			if err := t.parse(body); err != nil || found || t.handler != "vide" {
				return err
			}
			if t.codec != "avc1" && t.codec != "avc3" {
				other = t.codec
				return nil
			}
			f.track, found = t, true
		case "mvex":
			f.fragmented = true
			return boxes(body, func(kind string, body []byte) error { return parseTrex(kind, body, extends) })
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !found {
		if other != "" {
			return fmt.Errorf("%w: its picture is %q", ErrNoVideo, other)
		}
		return ErrNoVideo
	}
	f.track.defaults = extends[f.track.id]
	return f.track.check()
}

func parseTrex(kind string, body []byte, into map[uint32]defaults) error {
	if kind != "trex" {
		return nil
	}
	b := fields{b: body}
	b.skip(4)
	id := b.u32()
	b.skip(4) // default_sample_description_index
	d := defaults{b.u32(), b.u32(), b.u32()}
	if b.short {
		return fmt.Errorf("box %q: only %d bytes", kind, len(body))
	}
	into[id] = d
	return nil
}

// parse reads a track's boxes, at all depths: the kinds are distinct.
func (t *track) parse(body []byte) error {
	return boxes(body, func(kind string, body []byte) error {
		switch kind {
		case "mdia", "minf", "stbl":
			return t.parse(body)
		case "tkhd":
			return t.versioned(kind, body, func(b *fields) { t.id = b.u32() })
		case "mdhd":
			return t.versioned(kind, body, func(b *fields) { t.timescale = b.u32() })
		case "hdlr":
			if len(body) < 12 {
				return fmt.Errorf("box %q: only %d bytes", kind, len(body))
			}
			if t.handler == "" { // QuickTime has a second one, within minf
				t.handler = string(body[8:12])
			}
		case "stsd":
			return t.parseDescription(body)
		default:
			return t.parseTable(kind, body)
		}
		return nil
	})
}

// versioned reads the field behind the two times, which version 1 makes wider.
func (t *track) versioned(kind string, body []byte, read func(*fields)) error {
	b := fields{b: body}
	if version := b.u32() >> 24; version == 1 {
		b.skip(16)
	} else {
		b.skip(8)
	}
	if read(&b); b.short {
		return fmt.Errorf("box %q: only %d bytes", kind, len(body))
	}
	return nil
}

func (t *track) parseTable(kind string, body []byte) (err error) {
	switch kind {
	case "stts":
		t.stts, err = newTable(kind, body, 8)
	case "ctts":
		t.ctts, err = newTable(kind, body, 8)
	case "stsc":
		t.stsc, err = newTable(kind, body, 12)
	case "stco":
		t.chunks, err = newTable(kind, body, 4)
	case "co64":
		t.chunks, err = newTable(kind, body, 8)
	case "stss":
		t.allSync = false
		t.stss, err = newTable(kind, body, 4)
	case "stsz":
		err = t.parseSizes(body)
	}
	return err
}

func (t *track) parseSizes(body []byte) (err error) {
	b := fields{b: body}
	b.skip(4)
	size, count := b.u32(), b.u32()
	if b.short || count > maxSamples {
		return fmt.Errorf("box \"stsz\": %d samples, more than %d are not accepted", count, maxSamples)
	}
	t.size, t.count = size, int(count)
	if size == 0 && count > 0 {
		if uint64(count)*4 > uint64(len(b.b)) {
			return fmt.Errorf("box \"stsz\": %d entries do not fit into its %d bytes", count, len(body))
		}
		t.sizes = table{b: b.b[:4*count], size: 4}
	}
	return nil
}

// parseDescription reads the first sample entry. The avcC box comes behind the 78
// bytes of a VisualSampleEntry (section 12.1.3).
func (t *track) parseDescription(body []byte) error {
	b := fields{b: body}
	b.skip(4)
	if t.entries = int(b.u32()); b.short || len(b.b) < 8 {
		return fmt.Errorf("box \"stsd\": only %d bytes", len(body))
	}
	t.codec = string(b.b[4:8])
	const visual = 78
	entry := b.b[8:min(uint64(len(b.b)), max(8, uint64(binary.BigEndian.Uint32(b.b))))]
	if t.codec != "avc1" && t.codec != "avc3" || len(entry) < visual {
		return nil
	}
	return boxes(entry[visual:], func(kind string, body []byte) error {
		if kind == "avcC" {
			t.avcc = body
		}
		return nil
	})
}

// check refuses a track that cannot be walked, and lets go of the rest of moov,
// which the tables alias.
func (t *track) check() error {
	if t.timescale == 0 {
		return fmt.Errorf("track %d: a timescale of 0", t.id)
	}
	if len(t.avcc) == 0 {
		return fmt.Errorf("track %d: no avcC box with its SPS and PPS", t.id)
	}
	for i := range t.stsc.len() {
		if t.stsc.u32(i, 2) != 1 {
			return fmt.Errorf("track %d: its sample description changes from chunk %d on", t.id, t.stsc.u32(i, 0))
		}
	}
	t.avcc = bytes.Clone(t.avcc)
	for _, table := range []*table{&t.stts, &t.ctts, &t.stsc, &t.stss, &t.chunks, &t.sizes} {
		table.b = bytes.Clone(table.b)
	}
	return nil
}
