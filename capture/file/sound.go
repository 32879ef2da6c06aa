package file

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// Sound delivers the sound of a file, paced: 10 ms of PCM at 48 kHz at a time
// from a WAV, the packets as they are from an Ogg/Opus file. A consumer that is
// more than 100 ms late misses what it is late for, and Sequence shows the gap.
// One goroutine calls Next; Close may be called from any.
type Sound struct {
	media   media
	opts    Options
	format  capture.SoundFormat
	preSkip time.Duration
	pacer   *pacer

	mu       sync.Mutex
	source   soundSource
	position time.Duration // media time of the pending sound, or of the next
	pending  capture.Sound
	has      bool // pending waits for its moment
	sequence uint64
	err      error
	closed   bool
}

// soundSource reads a file's sound, without pauses, over and over when it loops.
type soundSource interface {
	// next fills Format, Length and Samples or Packet, which stay valid until the
	// next call; io.EOF at the end.
	next(*capture.Sound) error
}

func newSound(m media, opts Options, format capture.SoundFormat, source soundSource, preSkip time.Duration) (*Sound, error) {
	p, err := newPacer()
	if err != nil {
		return nil, err
	}
	return &Sound{media: m, opts: opts, format: format, source: source, pacer: p, preSkip: preSkip, position: -preSkip}, nil
}

// Format says what Next delivers: capture.PCM16 or capture.Opus.
func (s *Sound) Format() capture.SoundFormat { return s.format }

// PreSkip returns how much of an Opus stream's beginning is there for the
// decoder to settle only (RFC 7845, section 4.2). The first packet is that much
// ahead of time, so that what is to be heard comes with its picture.
func (s *Sound) PreSkip() time.Duration { return s.preSkip }

// Next returns the next sound at the moment that it is due, or io.EOF. It blocks
// until then, until ctx ends, or until Close (os.ErrClosed). What it returns is
// valid until the next call.
func (s *Sound) Next(ctx context.Context) (capture.Sound, error) {
	ticket := s.pacer.ticket()
	at, err := s.prepare()
	if err != nil {
		return capture.Sound{}, err
	}
	if err := s.pacer.wait(ctx, at, ticket); errors.Is(err, os.ErrClosed) {
		return capture.Sound{}, s.media.fail("read", os.ErrClosed)
	} else if err != nil {
		return capture.Sound{}, err
	}
	return s.take(), nil
}

// prepare reads the sound to deliver next and returns when it is due.
func (s *Sound) prepare() (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, s.media.fail("read", os.ErrClosed)
	}
	if s.err == nil {
		if err := s.advance(); err == io.EOF {
			s.err = io.EOF
		} else if err != nil {
			s.err = s.media.fail("read", err)
		}
	}
	return s.pending.PTS, s.err
}

func (s *Sound) advance() error {
	s.pacer.begin(s.opts.Start, 0)
	if lag := monotonic.Now() - s.pacer.due(s.position); lag > maxSkip {
		s.pacer.base += lag
	}
	for {
		if !s.has {
			if err := s.source.next(&s.pending); err != nil {
				return err
			}
			s.has = true
		}
		s.pending.PTS, s.pending.Sequence = s.pacer.due(s.position), s.sequence
		if monotonic.Now()-s.pending.PTS <= maxSoundLag { // dropping takes time too
			return nil
		}
		s.done()
	}
}

// done counts the pending sound, delivered or dropped.
func (s *Sound) done() {
	s.has = false
	s.position += s.pending.Length
	s.sequence++
}

func (s *Sound) take() capture.Sound {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done()
	return s.pending
}

// Close ends a blocked Next and closes the file. It may be called twice.
func (s *Sound) Close() error {
	err := s.pacer.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return errors.Join(err, s.media.Close())
}
