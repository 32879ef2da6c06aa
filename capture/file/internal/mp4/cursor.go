package mp4

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Sample is one sample of the track: one access unit.
type Sample struct {
	Offset   int64  // in the file
	Size     uint32 // in bytes; may be 0
	DTS, PTS int64  // in ticks of Timescale
	Duration uint32
	Sync     bool // a decoder can start here, as far as the file says

	Fragmented bool // it comes from a fragment, not from the tables in front
}

// Cursor walks through the samples in decoding order.
type Cursor struct {
	file *File
	dts  int64
	tables
	fragment
}

// Samples returns a cursor at the first sample.
func (f *File) Samples() *Cursor {
	return &Cursor{file: f, fragment: fragment{next: f.fragments}}
}

// Rewind goes back to the first sample.
func (c *Cursor) Rewind() {
	c.dts, c.tables = 0, tables{}
	c.fragment = fragment{next: c.file.fragments, moof: c.moof, runs: c.runs[:0]}
}

// Clone returns a cursor at the same sample.
func (c *Cursor) Clone() *Cursor {
	clone := *c
	clone.moof = bytes.Clone(c.moof)
	clone.runs = append([]run(nil), c.runs...)
	return &clone
}

// Next returns the next sample, io.EOF behind the last. It allocates nothing
// but, at times, room for a larger fragment's tables.
func (c *Cursor) Next() (Sample, error) {
	s, err := c.advance()
	if err != nil {
		return Sample{}, err
	}
	if s.Size > MaxSample {
		return Sample{}, fmt.Errorf("a sample of %d bytes at byte %d, more than %d are not accepted", s.Size, s.Offset, MaxSample)
	}
	if end := s.Offset + int64(s.Size); s.Offset < 0 || end > c.file.size {
		return Sample{}, fmt.Errorf("%w: a sample ends at byte %d, the file at byte %d", ErrTruncated, end, c.file.size)
	}
	c.dts += int64(s.Duration)
	return s, nil
}

func (c *Cursor) advance() (Sample, error) {
	if c.sample < c.file.track.count {
		return c.tables.advance(&c.file.track, c.dts)
	}
	if !c.file.fragmented {
		return Sample{}, io.EOF
	}
	for c.at >= len(c.runs) {
		if err := c.load(c.file, &c.dts); err != nil {
			return Sample{}, err
		}
	}
	return c.fragment.advance(c.dts)
}

// tables is a place in the sample tables of a progressive file.
type tables struct {
	sample int
	times  runLength // in stts
	shifts runLength // in ctts
	sync   int       // in stss
	span   int       // in stsc
	chunk  int       // from 0
	inside uint32    // samples done of the chunk
	offset int64     // of the next sample, within the file, once inside > 0
}

// runLength is a place in a table of counts and values.
type runLength struct {
	entry int
	done  uint32
}

// value returns the value for the next sample, 0 behind the end of the table.
func (r *runLength) value(t table) uint32 {
	for r.entry < t.len() && r.done >= t.u32(r.entry, 0) {
		r.entry, r.done = r.entry+1, 0
	}
	if r.entry >= t.len() {
		return 0
	}
	r.done++
	return t.u32(r.entry, 1)
}

func (p *tables) advance(t *track, dts int64) (Sample, error) {
	s := Sample{DTS: dts, Size: t.size, Duration: p.times.value(t.stts)}
	s.PTS = dts + int64(int32(p.shifts.value(t.ctts))) // signed in practice, whatever the version
	if t.size == 0 {
		s.Size = t.sizes.u32(p.sample, 0)
	}
	if err := p.place(t); err != nil {
		return Sample{}, err
	}
	s.Offset = p.offset
	p.offset += int64(s.Size)
	p.inside++
	p.sample++
	s.Sync = t.allSync || p.isSync(t)
	return s, nil
}

// isSync looks for the sample just counted in stss, whose numbers rise from 1.
func (p *tables) isSync(t *track) bool {
	for p.sync < t.stss.len() && t.stss.u32(p.sync, 0) < uint32(p.sample) {
		p.sync++
	}
	return p.sync < t.stss.len() && t.stss.u32(p.sync, 0) == uint32(p.sample)
}

// place moves on to the next chunk when the present one is done (section 8.7.4).
func (p *tables) place(t *track) error {
	if t.stsc.len() == 0 {
		return fmt.Errorf("track %d: no table of chunks (stsc)", t.id)
	}
	for p.inside >= t.stsc.u32(p.span, 1) {
		p.chunk, p.inside = p.chunk+1, 0
		if p.span+1 < t.stsc.len() && t.stsc.u32(p.span+1, 0) <= uint32(p.chunk)+1 {
			p.span++
		}
		if p.chunk >= t.chunks.len() {
			break
		}
	}
	if p.chunk >= t.chunks.len() {
		return fmt.Errorf("track %d: sample %d of %d is in chunk %d, there are %d", t.id, p.sample+1, t.count, p.chunk+1, t.chunks.len())
	}
	if p.inside > 0 {
		return nil
	}
	entry := t.chunks.b[p.chunk*t.chunks.size:]
	if t.chunks.size == 8 {
		p.offset = int64(binary.BigEndian.Uint64(entry))
	} else {
		p.offset = int64(binary.BigEndian.Uint32(entry))
	}
	if p.offset < 0 || p.offset > 1<<62 {
		return fmt.Errorf("track %d: chunk %d at byte %d", t.id, p.chunk+1, uint64(p.offset))
	}
	return nil
}
