package file

import (
	"bufio"
	"errors"
	"io"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/ogg"
)

// OpenOpus opens an Ogg/Opus file of one or two channels, whose packets are
// passed through.
func OpenOpus(path string, opts Options) (*Sound, error) {
	m, err := open("opus", path)
	if err != nil {
		return nil, err
	}
	s, err := newOpus(m, opts)
	if err != nil {
		m.Close()
		return nil, m.fail("open", err)
	}
	return s, nil
}

// soundReadAhead is the size of one read: half a minute at 32 kb/s.
const soundReadAhead = 128 << 10

func newOpus(m media, opts Options) (*Sound, error) {
	in := bufio.NewReaderSize(m.File, soundReadAhead)
	reader, err := ogg.NewReader(in)
	if err != nil {
		return nil, explainOgg(m, err)
	}
	preSkip := time.Duration(reader.Head.PreSkip) * time.Second / capture.SampleRate
	p := &packets{file: m.File, in: in, reader: reader, loop: opts.Loop}
	if err := p.probe(); err != nil {
		return nil, explainOgg(m, err)
	}
	return newSound(m, opts, capture.Opus, p, preSkip)
}

func explainOgg(m media, err error) error {
	switch {
	case errors.Is(err, ogg.ErrNotOgg), errors.Is(err, ogg.ErrNotOpus):
		return wrongKind(m.kind, "an Ogg/Opus file", m.head())
	case errors.Is(err, ogg.ErrTruncated), errors.Is(err, ogg.ErrDamaged):
		return withHint(err, hintTruncated)
	case err == io.EOF:
		return errors.New("it has a header and no sound")
	}
	return err
}

// packets is the sound of an Ogg/Opus file.
type packets struct {
	file   io.ReadSeeker
	in     *bufio.Reader
	reader *ogg.Reader
	loop   bool
	some   bool // a packet since the beginning of the file
}

// probe sees to it that there is sound.
func (p *packets) probe() error {
	if _, err := p.reader.Next(); err != nil {
		return err
	}
	return p.rewind()
}

func (p *packets) next(s *capture.Sound) error {
	packet, err := p.reader.Next()
	if err == io.EOF && p.loop && p.some {
		if err := p.rewind(); err != nil {
			return err
		}
		packet, err = p.reader.Next()
	}
	if err != nil {
		return err
	}
	p.some = true
	s.Format, s.Packet = capture.Opus, packet
	s.Length, err = ogg.Duration(packet)
	return err
}

func (p *packets) rewind() error {
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	p.in.Reset(p.file)
	p.reader.Restart(p.in)
	p.some = false
	return nil
}
