package file

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bril-edge/bril/capture/file/internal/mp4"
	"github.com/bril-edge/bril/encoder/h264"
)

// OpenMP4 opens an MP4 or MOV file, progressive or fragmented, and plays its
// first track of H.264.
func OpenMP4(path string, opts Options) (*H264, error) {
	m, err := open("mp4", path)
	if err != nil {
		return nil, err
	}
	v, err := openMP4(m, opts)
	if err != nil {
		m.Close()
		return nil, m.fail("open", err)
	}
	return v, nil
}

func openMP4(m media, opts Options) (*H264, error) {
	window := &window{r: m, size: m.size}
	f, err := mp4.Open(window, m.size)
	if err != nil {
		return nil, explainMP4(m, err)
	}
	config, err := h264.ParseDecoderConfig(f.AVCC)
	if err != nil {
		return nil, err
	}
	d := &track{window: window, cursor: f.Samples(), timescale: int64(f.Timescale), config: config, sets: config.AnnexB()}
	fps, err := d.survey()
	if err != nil {
		return nil, explainMP4(m, err)
	}
	v, err := newH264(m, opts, d, d.sets, frameRate(fps))
	if err != nil {
		return nil, explainMP4(m, err)
	}
	return v, nil
}

func explainMP4(m media, err error) error {
	switch {
	case errors.Is(err, mp4.ErrNotMP4):
		return wrongKind(m.kind, "an MP4 file", m.head())
	case errors.Is(err, mp4.ErrTruncated):
		return withHint(err, hintTruncated)
	}
	return err
}

// errReordered is the sign of B-frames in the file's times.
var errReordered = withHint(errors.New("H.264 with B-frames, which WebRTC cannot carry: its pictures are not in the order of their times"),
	hintBFrames)

// track is the H.264 track of an MP4 file.
type track struct {
	window    *window
	cursor    *mp4.Cursor
	timescale int64
	config    h264.DecoderConfig
	sets      []byte // of config, Annex B
	lastPTS   int64
	started   bool
}

// surveyed bounds how many samples of a fragmented file are looked at when it is
// opened; a progressive one has all of them in its tables, up to this many.
const surveyed = 1 << 22

// survey walks through the tables, reading no pictures: all samples of a
// progressive file, the first fragment of another. It finds what a later sample
// would fail with, and returns the frame rate.
func (d *track) survey() (fps float64, err error) {
	var first, end int64
	count := 0
	for limit := surveyed; count < limit; count++ {
		s, err := d.sample()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("sample %d: %w", count+1, err)
		}
		if count == 0 {
			first = s.PTS
			if s.Fragmented {
				limit = probed
			}
		}
		end = s.PTS + int64(s.Duration)
	}
	if count == 0 {
		return 0, errors.New("its H.264 track has no pictures")
	}
	if seconds := d.seconds(end - first).Seconds(); seconds > 0 {
		fps = float64(count) / seconds
	}
	return fps, d.rewind()
}

// sample returns the next sample that is not empty, and sees to it that times rise.
func (d *track) sample() (mp4.Sample, error) {
	for {
		s, err := d.cursor.Next()
		if err != nil {
			return s, err
		}
		if s.Size == 0 {
			continue
		}
		if d.started && s.PTS <= d.lastPTS {
			return s, errReordered
		}
		d.lastPTS, d.started = s.PTS, true
		return s, nil
	}
}

func (d *track) next(dst []byte, keyOnly bool) (accessUnit, error) {
	for {
		s, err := d.sample()
		if err != nil {
			return accessUnit{}, err
		}
		if keyOnly && !s.Sync {
			continue
		}
		data, err := d.read(dst, s)
		if err != nil {
			return accessUnit{}, err
		}
		if key := h264.Inspect(data).IDR; key || !keyOnly {
			at := d.seconds(s.PTS)
			return accessUnit{data: data, media: at, end: at + d.seconds(int64(s.Duration)), key: key}, nil
		}
		dst = data[:0]
	}
}

// read appends a sample in Annex B format, key frames with the parameter sets
// that an MP4 keeps in its header.
func (d *track) read(dst []byte, s mp4.Sample) ([]byte, error) {
	sample, err := d.window.at(s.Offset, int(s.Size))
	if err != nil {
		return nil, err
	}
	before := len(dst)
	if !s.Sync {
		return h264.AppendAnnexB(dst, sample, d.config.LengthSize)
	}
	dst = append(dst, d.sets...)
	dst, err = h264.AppendAnnexB(dst, sample, d.config.LengthSize)
	if err != nil {
		return nil, err
	}
	own := dst[before+len(d.sets):]
	if c := h264.Inspect(own); c.SPS && c.PPS || !c.IDR {
		return append(dst[:before], own...), nil
	}
	if first, rest := h264.Next(own); first.Type() == h264.TypeAUD {
		// It would have to stay first (ITU-T H.264, 7.4.1.2.3); it is optional.
		dst = append(dst[:before+len(d.sets)], rest...)
	}
	return dst, nil
}

func (d *track) rewind() error {
	d.cursor.Rewind()
	d.started = false
	return nil
}

func (d *track) mark() (back func() error) {
	was := *d
	was.cursor = d.cursor.Clone()
	return func() error { *d = was; return nil }
}

// seconds turns ticks into time. Past eleven days it stands still, so that no
// file can make it overflow.
func (d *track) seconds(ticks int64) time.Duration {
	const most = 1 << 20
	whole := max(-most, min(most, ticks/d.timescale))
	return time.Duration(whole)*time.Second + time.Duration(ticks%d.timescale*int64(time.Second)/d.timescale)
}
