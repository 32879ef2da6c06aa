package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/file/internal/y4m"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// Y4M delivers the pictures of a Y4M file, paced by its rate. A consumer that is
// slow gets the newest picture that is due: the ones before it are skipped, and
// Sequence shows the gap. One goroutine calls Next; Close may be called from any.
type Y4M struct {
	media    media
	opts     Options
	pacer    *pacer
	pool     *capture.Pool
	interval float64 // in nanoseconds

	mu       sync.Mutex
	reader   *y4m.Reader
	count    uint64 // pictures read or skipped, over all loops
	pending  capture.Frame
	has      bool // pending waits for its moment
	err      error
	closed   bool
	restarts uint64 // count at the latest start of the file
}

// OpenY4M opens a Y4M file: 8-bit 4:2:0, progressive, with even sides.
func OpenY4M(path string, opts Options) (*Y4M, error) {
	m, err := open("y4m", path)
	if err != nil {
		return nil, err
	}
	y, err := newY4M(m, opts)
	if err != nil {
		m.Close()
		return nil, m.fail("open", err)
	}
	return y, nil
}

func newY4M(m media, opts Options) (*Y4M, error) {
	reader, err := y4m.NewReader(m.File)
	if errors.Is(err, y4m.ErrNotY4M) {
		return nil, wrongKind(m.kind, "a Y4M file", m.head())
	}
	if err != nil {
		return nil, err
	}
	if err := wholeFrames(m, reader.Header); err != nil {
		return nil, err
	}
	y := &Y4M{media: m, opts: opts, reader: reader, interval: float64(time.Second) / reader.Header.FPS}
	if y.pool, err = capture.NewPool(capture.I420, reader.Header.Width, reader.Header.Height); err != nil {
		return nil, err
	}
	y.pacer, err = newPacer()
	return y, err
}

// wholeFrames refuses a file that breaks off within a picture, before it is
// played. Frames may have parameters, which change their length; such files,
// which are rare, are checked while they play.
func wholeFrames(m media, h y4m.Header) error {
	const plain = "FRAME\n"
	start := make([]byte, len(plain))
	if n, _ := m.ReadAt(start, h.Size); n == 0 {
		return withHint(errors.New("it has a header and no pictures"), convert(m.kind))
	} else if string(start) != plain && n == len(plain) {
		return nil
	}
	each := int64(len(plain)) + h.FrameSize()
	if left := m.size - h.Size; left%each != 0 {
		return fmt.Errorf("truncated: of picture %d there are %d of %d bytes: %w", left/each+1, left%each, each, io.ErrUnexpectedEOF)
	}
	return nil
}

// Format returns what the file holds.
func (y *Y4M) Format() capture.VideoFormat { return y4mFormat(y.reader.Header) }

func y4mFormat(h y4m.Header) capture.VideoFormat {
	return capture.VideoFormat{Format: capture.I420, Width: h.Width, Height: h.Height, FPS: h.FPS}
}

// Next returns the next picture at the moment that it is due, or io.EOF. It
// blocks until then, until ctx ends, or until Close (os.ErrClosed).
func (y *Y4M) Next(ctx context.Context) (capture.Frame, error) {
	ticket := y.pacer.ticket()
	at, err := y.prepare()
	if err != nil {
		return capture.Frame{}, err
	}
	if err := y.pacer.wait(ctx, at, ticket); errors.Is(err, os.ErrClosed) {
		return capture.Frame{}, y.media.fail("read", os.ErrClosed)
	} else if err != nil {
		return capture.Frame{}, err
	}
	return y.take()
}

// prepare reads the picture to show next and returns when it is due.
func (y *Y4M) prepare() (time.Duration, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.closed {
		return 0, y.media.fail("read", os.ErrClosed)
	}
	if y.err == nil {
		if err := y.advance(); err == io.EOF {
			y.err = io.EOF
		} else if err != nil {
			y.err = y.media.fail("read", err)
		}
	}
	return y.pending.PTS, y.err
}

// advance makes pending the newest picture that is due, or else the next one.
func (y *Y4M) advance() error {
	y.pacer.begin(y.opts.Start, 0)
	now := monotonic.Now()
	if lag := now - y.due(y.count); lag > maxSkip {
		y.pacer.base += lag
	}
	if y.has {
		if now < y.due(y.pending.Sequence+1) {
			y.pending.PTS = y.due(y.pending.Sequence) // the clock may have been moved
			return nil
		}
		y.pending.Release()
		y.has = false
	}
	for monotonic.Now() >= y.due(y.count+1) {
		if err := y.step(y.reader.Skip); err != nil {
			return err
		}
	}
	f := y.pool.Get()
	if err := y.step(func() error { return y.reader.Next(&f) }); err != nil {
		f.Release()
		return err
	}
	f.Sequence = y.count - 1
	f.PTS = y.due(f.Sequence)
	y.pending, y.has = f, true
	return nil
}

func (y *Y4M) due(n uint64) time.Duration {
	return y.pacer.due(time.Duration(float64(n) * y.interval))
}

// step reads or skips one picture, the first of the file behind its last.
func (y *Y4M) step(read func() error) error {
	err := read()
	if err == io.EOF && y.opts.Loop && y.count > y.restarts {
		if _, err := y.media.Seek(y.reader.Header.Size, io.SeekStart); err != nil {
			return err
		}
		y.reader.Restart(y.media.File)
		y.restarts = y.count
		err = read()
	}
	if err == nil {
		y.count++
	}
	return err
}

func (y *Y4M) take() (capture.Frame, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.closed {
		return capture.Frame{}, y.media.fail("read", os.ErrClosed)
	}
	y.has = false
	f := y.pending
	f.Ready = monotonic.Now()
	return f, nil
}

// Close ends a blocked Next and closes the file. Frames that were delivered stay
// valid. It may be called twice.
func (y *Y4M) Close() error {
	err := y.pacer.close()
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.closed {
		return nil
	}
	y.closed = true
	return errors.Join(err, y.media.Close())
}
