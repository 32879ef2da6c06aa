// Package remux makes an ordinary MP4 of a fragmented one: the same samples and
// times, with the index in front, so that players begin and seek at once. It
// reads what devices write, H.264 with or without Opus, and nothing else; it
// holds the index in memory and never the media.
//
// The boxes are read and written here and not by a library: bril contains the
// endpoint, for its demo, and mediacommon's go-mp4 takes 489 kB of memory in
// every process that links it.
package remux

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// maxSample is the largest sample, in bytes: it is in memory while it is copied.
const maxSample = 16 << 20

// maxBoxes of one file: ten minutes in fragments of a second have 1,200.
const maxBoxes = 1 << 16

// Clip writes the ordinary MP4 of the fragmented one in r. Where cut is set the
// file may end anywhere: what is whole up to there, to the sample, is taken.
func Clip(w io.Writer, r io.ReaderAt, size int64, cut bool) error {
	c := clip{r: r, size: size, cut: cut}
	if err := c.read(); err != nil {
		return err
	}
	media, err := c.arrange()
	if err != nil {
		return err
	}
	if _, err := w.Write(c.index(media)); err != nil {
		return err
	}
	return c.copySamples(w)
}

// clip is a fragmented file while it is read.
type clip struct {
	r    io.ReaderAt
	size int64
	cut  bool

	trex   map[uint32]defaults
	tracks []*track
	order  []*track // of the chunks, as they are in the file
	count  int      // samples
}

type track struct {
	id        uint32
	timeScale uint32
	video     bool
	size      []byte // width and height, as in tkhd
	entry     []byte // sample entry
	start     uint64 // decoding time of the first sample
	end       uint64 // and of what comes after the last
	delay     uint64 // how much later it begins than the other one
	samples   []sample
	chunks    []chunk
	copied    int // chunks
}

// chunk is samples that are together in the file: those of one fragment.
type chunk struct {
	samples int
	offset  uint32 // within the media
}

// read walks the boxes of the file.
func (c *clip) read() error {
	for at, boxes := int64(0), 0; at < c.size; boxes++ {
		if boxes == maxBoxes {
			return fmt.Errorf("there are more than %d boxes", maxBoxes)
		}
		b, err := readBox(c.r, at, c.size)
		if err != nil {
			return err
		}
		if b.incomplete && !c.cut {
			return fmt.Errorf("box %q at %d is incomplete", b.kind, at)
		}
		if !b.incomplete {
			if err := c.box(b); err != nil {
				return err
			}
		}
		at = b.end
	}
	return nil
}

func (c *clip) box(b box) error {
	switch b.kind {
	case "moov":
		return c.moov(b)
	case "moof":
		return c.moof(b)
	}
	return nil // mdat is read by offset; the rest is for other readers
}

func (c *clip) moov(b box) error {
	if c.tracks != nil {
		return errors.New("there are two moov boxes")
	}
	data, err := b.read(c.r, maxMoov)
	if err != nil {
		return err
	}
	body := data[b.body-b.start:]
	if c.trex, err = readTrex(body); err != nil {
		return err
	}
	c.tracks = []*track{}
	err = children(body, func(kind string, body []byte) error {
		if kind != "trak" {
			return nil
		}
		t, err := readTrak(body)
		c.tracks = append(c.tracks, t)
		return err
	})
	if err != nil {
		return fmt.Errorf("read the moov box: %w", err)
	}
	return c.checkTracks()
}

// checkTracks wants one video and at most one sound track.
func (c *clip) checkTracks() error {
	video := 0
	for _, t := range c.tracks {
		if t.video {
			video++
		}
	}
	if video != 1 || len(c.tracks) > 2 || len(c.tracks) == 2 && c.tracks[0].id == c.tracks[1].id {
		return fmt.Errorf("of %d tracks %d are H.264", len(c.tracks), video)
	}
	return nil
}

func (c *clip) moof(b box) error {
	data, err := b.read(c.r, maxMoof)
	if err != nil {
		return err
	}
	runs, err := readMoof(data[b.body-b.start:], b.start, c.trex, maxSamples-c.count)
	if err != nil {
		return fmt.Errorf("read the moof box at %d: %w", b.start, err)
	}
	for _, run := range runs {
		c.count += len(run.samples)
		t := c.track(run.track)
		if t == nil {
			return fmt.Errorf("the moof box at %d is of the unknown track %d", b.start, run.track)
		}
		if err := c.add(t, run); err != nil {
			return err
		}
	}
	return nil
}

func (c *clip) track(id uint32) *track {
	for _, t := range c.tracks {
		if t.id == id {
			return t
		}
	}
	return nil
}

// add appends a fragment's samples. A gap in time goes to the sample before it,
// and so does an overlap.
func (c *clip) add(t *track, run run) error {
	if len(t.samples) == 0 {
		t.start, t.end = run.base, run.base
	} else if run.hasBase {
		last := &t.samples[len(t.samples)-1]
		duration := int64(last.duration) + int64(run.base-t.end)
		if duration < 0 || duration > math.MaxInt32 {
			return fmt.Errorf("track %d goes from %d to %d", t.id, t.end, run.base)
		}
		last.duration, t.end = uint32(duration), run.base
	}
	first := len(t.samples)
	defer func() {
		if n := len(t.samples) - first; n > 0 {
			t.chunks = append(t.chunks, chunk{samples: n})
			c.order = append(c.order, t)
		}
	}()
	for _, s := range run.samples {
		if s.size > maxSample || s.offset < 0 {
			return fmt.Errorf("track %d has a sample of %d bytes at %d", t.id, s.size, s.offset)
		}
		if s.offset+int64(s.size) > c.size {
			if c.cut {
				return nil
			}
			return fmt.Errorf("track %d has a sample behind the end", t.id)
		}
		t.samples = append(t.samples, s)
		t.end += uint64(s.duration)
	}
	return nil
}

// arrange places the chunks, and times from the first sample of all. It returns
// how many bytes of media there are.
func (c *clip) arrange() (total int64, err error) {
	begin, keyFrame, used := math.Inf(1), false, []*track{}
	for _, t := range c.tracks {
		if len(t.samples) > 0 {
			used = append(used, t)
			begin = min(begin, float64(t.start)/float64(t.timeScale))
		}
		for _, s := range t.samples {
			total += int64(s.size)
			keyFrame = keyFrame || t.video && !s.nonSync
		}
	}
	c.tracks = used
	if !keyFrame {
		return 0, errors.New("there is no key frame")
	}
	if total > c.size || total > math.MaxUint32-maxIndex { // samples can share bytes
		return 0, fmt.Errorf("there are %d bytes of media in %d", total, c.size)
	}
	for _, t := range c.tracks {
		t.delay = uint64(max(0, math.Round(float64(t.start)-begin*float64(t.timeScale))))
		if t.length() > math.MaxInt32 || t.delay > math.MaxInt32 || float64(t.delay+t.length())/float64(t.timeScale) > math.MaxInt32/movieScale {
			return 0, fmt.Errorf("track %d is too long", t.id)
		}
	}
	c.place()
	return total, nil
}

// place gives the chunks their offsets.
func (c *clip) place() {
	offset, sample, chunk := uint32(0), map[*track]int{}, map[*track]int{}
	for _, t := range c.order {
		here := &t.chunks[chunk[t]]
		here.offset = offset
		for _, s := range t.samples[sample[t] : sample[t]+here.samples] {
			offset += s.size
		}
		sample[t] += here.samples
		chunk[t]++
	}
}

// maxIndex is more than the index in front of the media can have: offsets in the
// file have 32 bits.
const maxIndex = 64 << 20
