package file

import (
	"errors"
	"io"
	"time"

	"github.com/bril-edge/bril/encoder/h264"
)

// defaultFPS is for an H.264 stream that says nothing of its rate.
const defaultFPS = 30

// OpenH264 opens an H.264 stream in Annex B format.
func OpenH264(path string, opts Options) (*H264, error) {
	m, err := open("h264", path)
	if err != nil {
		return nil, err
	}
	v, err := openAnnexB(m, opts)
	if err != nil {
		m.Close()
		return nil, m.fail("open", err)
	}
	return v, nil
}

func openAnnexB(m media, opts Options) (*H264, error) {
	d := &annexB{file: m, splitter: h264.NewSplitter(m, readAhead, 0)}
	v, err := newH264(m, opts, d, nil, 0)
	if errors.Is(err, h264.ErrNoStartCode) {
		return nil, wrongKind(m.kind, "an H.264 stream in Annex B format", m.head())
	}
	if err != nil {
		return nil, err
	}
	v.format.FPS = frameRate(opts.FPS, v.sps.FPS)
	d.interval = time.Duration(float64(time.Second) / v.format.FPS)
	return v, nil
}

// frameRate picks the first plausible of the rates.
func frameRate(rates ...float64) float64 {
	for _, fps := range rates {
		if fps >= 1 && fps <= 240 {
			return fps
		}
	}
	return defaultFPS
}

// annexB is a stream in Annex B format, at an even rate.
type annexB struct {
	file     io.ReadSeeker
	splitter *h264.Splitter
	interval time.Duration
	count    int64 // access units read
}

func (d *annexB) next(dst []byte, keyOnly bool) (accessUnit, error) {
	for {
		data, err := d.splitter.Next()
		if err != nil {
			return accessUnit{}, err
		}
		at := time.Duration(d.count) * d.interval
		d.count++
		if key := h264.Inspect(data).IDR; key || !keyOnly {
			return accessUnit{data: append(dst, data...), media: at, end: at + d.interval, key: key}, nil
		}
	}
}

func (d *annexB) rewind() error { return d.seek(0, 0) }

func (d *annexB) mark() (back func() error) {
	offset, count := d.splitter.Offset(), d.count
	return func() error { return d.seek(offset, count) }
}

func (d *annexB) seek(offset, count int64) error {
	if _, err := d.file.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	d.splitter.Reset(d.file, offset)
	d.count = count
	return nil
}
