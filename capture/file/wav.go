package file

import (
	"errors"
	"io"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/file/internal/wav"
	"github.com/bril-edge/bril/capture/resample"
)

// OpenWAV opens a WAV file: PCM of 8, 16, 24 or 32 bits or float, any rate from
// 4 to 384 kHz, its channels mixed into one.
func OpenWAV(path string, opts Options) (*Sound, error) {
	m, err := open("wav", path)
	if err != nil {
		return nil, err
	}
	s, err := newWAV(m, opts)
	if err != nil {
		m.Close()
		return nil, m.fail("open", err)
	}
	return s, nil
}

func newWAV(m media, opts Options) (*Sound, error) {
	window := &window{r: m, size: m.size}
	header, err := wav.Parse(window, m.size)
	switch {
	case errors.Is(err, wav.ErrNotWAV):
		return nil, wrongKind(m.kind, "a WAV file", m.head())
	case errors.Is(err, wav.ErrTruncated):
		return nil, withHint(err, hintTruncated)
	case err != nil:
		return nil, err
	}
	resampler, err := resample.New(header.Rate)
	if err != nil {
		return nil, err
	}
	return newSound(m, opts, capture.PCM16, &pcm{
		window: window, header: header, pos: header.Start, resampler: resampler, loop: opts.Loop,
	}, 0)
}

// pcm is the sound of a WAV file in chunks of 10 ms.
type pcm struct {
	window    *window
	header    wav.Header
	pos       int64 // in the file
	resampler *resample.Resampler
	loop      bool
	ended     bool

	mono  []int16 // at the file's rate
	queue []int16 // at 48 kHz
	done  int     // of queue
}

func (p *pcm) next(s *capture.Sound) error {
	p.queue = p.queue[:copy(p.queue, p.queue[p.done:])]
	p.done = 0
	for len(p.queue) < capture.ChunkSamples && !p.ended {
		if err := p.read(); err != nil {
			return err
		}
	}
	if len(p.queue) == 0 {
		return io.EOF
	}
	for len(p.queue) < capture.ChunkSamples { // the end of the file, filled with silence
		p.queue = append(p.queue, 0)
	}
	p.done = capture.ChunkSamples
	s.Format, s.Length, s.Samples = capture.PCM16, capture.ChunkTime, p.queue[:p.done]
	return nil
}

// read converts 10 ms, or what is left of the file. A loop has no seam: the
// resampler goes on.
func (p *pcm) read() error {
	size := int64(p.header.FrameSize())
	if p.pos == p.header.End && p.loop {
		p.pos = p.header.Start
	}
	n := min(int64(p.header.Rate/50)*size, p.header.End-p.pos)
	if n == 0 {
		p.ended = true
		p.queue = p.resampler.Flush(p.queue)
		return nil
	}
	frames, err := p.window.at(p.pos, int(n))
	if err != nil {
		return err
	}
	p.pos += n
	p.mono = p.header.AppendMono(p.mono[:0], frames)
	p.queue = p.resampler.Process(p.queue, p.mono)
	return nil
}
