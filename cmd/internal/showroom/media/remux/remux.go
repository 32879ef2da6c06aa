// Package remux makes an ordinary MP4 of a fragmented one: the same samples and
// times, with the index in front, so that players begin and seek at once. It
// reads what devices write, H.264 with or without Opus, and nothing else; it
// holds the index in memory and never the media.
package remux

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/pmp4"
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
	presentation, err := c.presentation()
	if err != nil {
		return err
	}
	return presentation.Marshal(w)
}

// clip is a fragmented file while it is read.
type clip struct {
	r    io.ReaderAt
	size int64
	cut  bool

	trex   map[uint32]defaults
	tracks []*track
	count  int // samples
}

type track struct {
	id        uint32
	timeScale uint32
	codec     mp4.Codec
	start     uint64 // decoding time of the first sample
	end       uint64 // and of what comes after the last
	samples   []sample
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
	var init fmp4.Init
	if err := init.Unmarshal(bytes.NewReader(data)); err != nil {
		return fmt.Errorf("read the moov box: %w", err)
	}
	if c.trex, err = readTrex(data[b.body-b.start:]); err != nil {
		return err
	}
	for _, t := range init.Tracks {
		c.tracks = append(c.tracks, &track{id: uint32(t.ID), timeScale: t.TimeScale, codec: t.Codec})
	}
	return c.checkTracks()
}

// checkTracks wants one video and at most one sound track.
func (c *clip) checkTracks() error {
	video, sound := 0, 0
	for _, t := range c.tracks {
		switch t.codec.(type) {
		case *mp4.CodecH264:
			video++
		case *mp4.CodecOpus:
			sound++
		default:
			return fmt.Errorf("track %d is neither H.264 nor Opus", t.id)
		}
	}
	if video != 1 || sound > 1 {
		return fmt.Errorf("there are %d tracks of H.264 and %d of Opus", video, sound)
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

// presentation is the ordinary file. Times begin at the first sample of all.
func (c *clip) presentation() (pmp4.Presentation, error) {
	var p pmp4.Presentation
	begin, total, keyFrame := math.Inf(1), int64(0), false
	for _, t := range c.tracks {
		if len(t.samples) > 0 {
			begin = min(begin, float64(t.start)/float64(t.timeScale))
		}
	}
	for _, t := range c.tracks {
		if len(t.samples) == 0 {
			continue
		}
		offset := math.Round(float64(t.start) - begin*float64(t.timeScale))
		if offset+float64(t.end-t.start) > math.MaxInt32 {
			return p, fmt.Errorf("track %d is too long", t.id)
		}
		made := &pmp4.Track{ID: int(t.id), TimeScale: t.timeScale, TimeOffset: int32(offset), Codec: t.codec}
		for _, s := range t.samples {
			made.Samples = append(made.Samples, c.sample(s))
			total += int64(s.size)
			keyFrame = keyFrame || !s.nonSync && t.codec.IsVideo()
		}
		p.Tracks = append(p.Tracks, made)
	}
	if !keyFrame {
		return p, errors.New("there is no key frame")
	}
	if total > c.size || total > math.MaxUint32-maxIndex { // samples can share bytes
		return p, fmt.Errorf("there are %d bytes of media in %d", total, c.size)
	}
	return p, nil
}

// maxIndex is more than the index in front of the media can have: offsets in the
// file have 32 bits.
const maxIndex = 64 << 20

func (c *clip) sample(s sample) *pmp4.Sample {
	return &pmp4.Sample{
		Duration: s.duration, PTSOffset: s.ptsOffset, IsNonSyncSample: s.nonSync, PayloadSize: s.size,
		GetPayload: func() ([]byte, error) {
			data := make([]byte, s.size)
			_, err := c.r.ReadAt(data, s.offset)
			return data, err
		},
	}
}
