package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/file/internal/y4m"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// Y4MStream delivers the pictures of a live Y4M stream as they come. It reads
// all the time, so that it never holds up the writer, and keeps the newest
// picture only; Sequence counts those that it let go.
//
//	writer ──> drain ──> newest (one picture) ──> Next
//
// One goroutine calls Next; the other methods may be called from any.
type Y4MStream struct {
	in     io.Reader
	stop   func() error  // ends a read of in
	header chan struct{} // closed when the header is known, or never will be
	done   chan struct{} // closed when drain has returned
	news   chan struct{} // filled when there is a newer picture or an error
	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex
	format capture.VideoFormat
	newest capture.Frame
	has    bool
	err    error // what ended the stream
}

// OpenY4MStream starts to read r, which is standard input for y4m:-. It does
// not wait for the header: what is wrong with the stream, Next tells. Close ends
// the reading: r is an *os.File of a pipe, socket or file, or an io.Closer whose
// Close ends its Read. Of opts nothing applies.
func OpenY4MStream(r io.Reader, _ Options) (*Y4MStream, error) {
	s := &Y4MStream{
		in: r, stop: func() error { return nil },
		header: make(chan struct{}), done: make(chan struct{}),
		news: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	switch r := r.(type) {
	case *os.File:
		p, err := openPipe(r)
		if err != nil {
			return nil, streamError("open", err)
		}
		s.in, s.stop = p, p.Close
	case io.Closer:
		s.stop = r.Close
	}
	go s.drain()
	return s, nil
}

// streamError names standard input in an error.
func streamError(op string, err error) error {
	return media{kind: "y4m", path: "-"}.fail(op, err)
}

// hintStream is for a stream that does not begin as it should.
const hintStream = "pipe Y4M into bril: ffmpeg -i INPUT -pix_fmt yuv420p -f yuv4mpegpipe - | bril run --camera y4m:-"

// Ready waits until the stream's header has come, so that Format is known. It
// returns ctx's error, os.ErrClosed, or what is wrong with the header.
func (s *Y4MStream) Ready(ctx context.Context) error {
	select {
	case <-s.header:
	case <-s.closed:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.isClosed() {
		return streamError("read", os.ErrClosed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.format.Width == 0 {
		return s.err
	}
	return nil
}

// Format returns what the stream holds. It waits for the header; Ready does so
// with a context. It is the zero value when there is no header, or after Close.
func (s *Y4MStream) Format() capture.VideoFormat {
	select {
	case <-s.header:
	case <-s.closed:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.format
}

// Next returns the newest picture that was not returned yet, at once when there
// is one. It blocks until one is complete, until ctx ends, or until Close
// (os.ErrClosed). At the end of the stream it returns io.EOF.
func (s *Y4MStream) Next(ctx context.Context) (capture.Frame, error) {
	for {
		if err := ctx.Err(); err != nil {
			return capture.Frame{}, err
		}
		if f, ok, err := s.take(); ok || err != nil {
			return f, err
		}
		select {
		case <-s.news:
		case <-s.closed:
		case <-ctx.Done():
		}
	}
}

func (s *Y4MStream) take() (capture.Frame, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.isClosed():
		return capture.Frame{}, false, streamError("read", os.ErrClosed)
	case s.has:
		s.has = false
		return s.newest, true, nil
	}
	return capture.Frame{}, false, s.err
}

// Close ends a blocked Next and the reading, and waits for it to end. Pictures
// that were delivered stay valid. It may be called twice.
func (s *Y4MStream) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closed)
		err = s.stop()
	})
	<-s.done
	return err
}

func (s *Y4MStream) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// drain reads until the stream ends or Close.
func (s *Y4MStream) drain() {
	defer close(s.done)
	reader, err := y4m.NewReader(s.in)
	var pool *capture.Pool
	if err == nil {
		pool, err = capture.NewPool(capture.I420, reader.Header.Width, reader.Header.Height)
	}
	if err != nil {
		s.end(explainStream(err))
		close(s.header)
		return
	}
	s.mu.Lock()
	s.format = y4mFormat(reader.Header)
	s.mu.Unlock()
	close(s.header)
	s.end(s.read(reader, pool))
}

func (s *Y4MStream) read(reader *y4m.Reader, pool *capture.Pool) error {
	for n := uint64(0); ; n++ {
		f := pool.Get()
		if err := reader.Next(&f); err != nil {
			f.Release()
			if err == io.EOF {
				return err
			}
			return streamError("read", fmt.Errorf("picture %d: %w", n+1, err))
		}
		f.PTS = monotonic.Now()
		f.Ready, f.Sequence = f.PTS, n
		s.put(f)
	}
}

// put makes f the newest picture, in the place of one that nobody asked for.
func (s *Y4MStream) put(f capture.Frame) {
	s.mu.Lock()
	old, had := s.newest, s.has
	s.newest, s.has = f, true
	s.mu.Unlock()
	if had {
		old.Release()
	}
	s.tell()
}

func (s *Y4MStream) end(err error) {
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	s.tell()
}

func (s *Y4MStream) tell() {
	select {
	case s.news <- struct{}{}:
	default: // Next has not looked since the last one: it will find this too
	}
}

func explainStream(err error) error {
	switch {
	case errors.Is(err, y4m.ErrNotY4M):
		err = errors.New("what comes is not Y4M")
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("it ended before a picture came: %w", err)
	}
	return streamError("read", withHint(err, hintStream))
}
