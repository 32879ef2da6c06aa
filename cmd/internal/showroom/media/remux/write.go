package remux

import (
	"encoding/binary"
	"io"
	"math"
)

// boxes is written box by box.
type boxes []byte

func (b *boxes) u32(values ...uint32) {
	for _, v := range values {
		*b = binary.BigEndian.AppendUint32(*b, v)
	}
}

// box writes a box with what content writes into it.
func (b *boxes) box(kind string, content func()) {
	at := len(*b)
	*b = append(append(*b, 0, 0, 0, 0), kind...)
	content()
	binary.BigEndian.PutUint32((*b)[at:], uint32(len(*b)-at))
}

// full writes a full box of numbers: version and flags first.
func (b *boxes) full(kind string, values ...uint32) {
	b.box(kind, func() { b.u32(values...) })
}

const movieScale = 1000 // ticks a second of the whole presentation

// unity is the matrix that leaves the picture as it is, section 8.2.2.
var unity = [9]uint32{0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000}

// index makes the file up to its media, which begins behind it.
func (c *clip) index(media int64) boxes {
	for offset := uint32(0); ; {
		b := c.indexAt(offset)
		if uint32(len(b)) == offset {
			b.u32(uint32(media + 8))
			return append(b, "mdat"...)
		}
		offset = uint32(len(b)) // its length does not depend on it
	}
}

// indexAt makes ftyp and moov for media whose box begins at an offset.
func (c *clip) indexAt(offset uint32) (b boxes) {
	b.box("ftyp", func() { b = append(b, "isom\x00\x00\x02\x00isomiso2avc1mp41"...) })
	b.box("moov", func() {
		longest, next := uint32(0), uint32(0)
		for _, t := range c.tracks {
			longest, next = max(longest, t.movieTime(t.delay+t.length())), max(next, t.id)
		}
		b.box("mvhd", func() {
			b.u32(0, 0, 0, movieScale, longest, 0x10000, 0x1000000, 0, 0)
			b.u32(unity[:]...)
			b.u32(0, 0, 0, 0, 0, 0, next+1)
		})
		for _, t := range c.tracks {
			b.box("trak", func() { t.trak(&b, offset+8) })
		}
	})
	return b
}

func (t *track) length() uint64 { return t.end - t.start }

func (t *track) movieTime(ticks uint64) uint32 {
	return uint32(math.Round(float64(ticks) * movieScale / float64(t.timeScale)))
}

func (t *track) trak(b *boxes, media uint32) {
	group, volume, handler := uint32(0), uint32(0), "vide"
	if !t.video {
		group, volume, handler = 1, 0x1000000, "soun"
	}
	b.box("tkhd", func() {
		b.u32(3, 0, 0, t.id, 0, t.movieTime(t.delay+t.length()), 0, 0, group, volume)
		b.u32(unity[:]...)
		*b = append(*b, t.size...)
	})
	edits := []uint32{0, 1, t.movieTime(t.length()), 0, 0x10000}
	if t.delay > 0 { // nothing, and then the media: section 8.6.6
		edits = append([]uint32{0, 2, t.movieTime(t.delay), math.MaxUint32, 0x10000}, edits[2:]...)
	}
	b.box("edts", func() { b.full("elst", edits...) })
	b.box("mdia", func() {
		b.full("mdhd", 0, 0, 0, t.timeScale, uint32(t.length()), 0x55c40000) // "und"
		b.box("hdlr", func() {
			b.u32(0, 0)
			*b = append(*b, handler...)
			b.u32(0, 0, 0)
			*b = append(*b, 0)
		})
		b.box("minf", func() {
			if t.video {
				b.full("vmhd", 1, 0, 0)
			} else {
				b.full("smhd", 0, 0)
			}
			b.box("dinf", func() {
				b.box("dref", func() {
					b.u32(0, 1)
					b.full("url ", 1) // in this file
				})
			})
			b.box("stbl", func() { t.stbl(b, media) })
		})
	})
}

// stbl writes the tables of the samples, section 8.5 to 8.7.
func (t *track) stbl(b *boxes, media uint32) {
	b.box("stsd", func() {
		b.u32(0, 1)
		*b = append(*b, t.entry...)
	})
	b.runs("stts", 0, len(t.samples), func(i int) uint32 { return t.samples[i].duration })
	var sync, sizes, chunks []uint32
	moved := false
	for i, s := range t.samples {
		if !s.nonSync {
			sync = append(sync, uint32(i+1))
		}
		sizes = append(sizes, s.size)
		moved = moved || s.ptsOffset != 0
	}
	if len(sync) < len(t.samples) {
		b.full("stss", append([]uint32{0, uint32(len(sync))}, sync...)...)
	}
	if moved {
		b.runs("ctts", 1<<24, len(t.samples), func(i int) uint32 { return uint32(t.samples[i].ptsOffset) })
	}
	t.stsc(b)
	b.full("stsz", append([]uint32{0, 0, uint32(len(sizes))}, sizes...)...)
	for _, c := range t.chunks {
		chunks = append(chunks, media+c.offset)
	}
	b.full("stco", append([]uint32{0, uint32(len(chunks))}, chunks...)...)
}

// runs writes a table of how often a value comes in a row.
func (b *boxes) runs(kind string, version uint32, n int, value func(i int) uint32) {
	var table []uint32
	for i := range n {
		if last := len(table) - 1; last > 0 && table[last] == value(i) {
			table[last-1]++
		} else {
			table = append(table, 1, value(i))
		}
	}
	b.full(kind, append([]uint32{version, uint32(len(table) / 2)}, table...)...)
}

// stsc says how many samples the chunks have, section 8.7.4.
func (t *track) stsc(b *boxes) {
	var table []uint32
	for i, c := range t.chunks {
		if n := len(table); n == 0 || table[n-2] != uint32(c.samples) {
			table = append(table, uint32(i+1), uint32(c.samples), 1)
		}
	}
	b.full("stsc", append([]uint32{0, uint32(len(table) / 3)}, table...)...)
}

// copySamples writes the media, in the order of the chunks.
func (c *clip) copySamples(w io.Writer) error {
	var buffer []byte
	next := map[*track]int{}
	for _, t := range c.order {
		chunk := t.chunks[t.copied]
		t.copied++
		for _, s := range t.samples[next[t] : next[t]+chunk.samples] {
			if uint32(cap(buffer)) < s.size {
				buffer = make([]byte, s.size)
			}
			if _, err := c.r.ReadAt(buffer[:s.size], s.offset); err != nil {
				return err
			}
			if _, err := w.Write(buffer[:s.size]); err != nil {
				return err
			}
		}
		next[t] += chunk.samples
	}
	return nil
}
