package file

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// pictures are the header and the frames of a y4mFile, apart.
func pictures(t *testing.T, n int) (header []byte, frames [][]byte) {
	t.Helper()
	all := y4mFile(32, 16, n, "F30:1")
	header, rest, _ := bytes.Cut(all, []byte("\n"))
	for range n {
		frames, rest = append(frames, rest[:len("FRAME\n")+32*16*3/2]), rest[len("FRAME\n")+32*16*3/2:]
	}
	return append(header, '\n'), frames
}

// The two ways in: a pipe of the system, as standard input is, and any reader.
func streams(t *testing.T, test func(t *testing.T, s *Y4MStream, w io.WriteCloser)) {
	for name, makePipe := range map[string]func() (io.Reader, io.WriteCloser, error){
		"pipe":   func() (io.Reader, io.WriteCloser, error) { r, w, err := os.Pipe(); return r, w, err },
		"reader": func() (io.Reader, io.WriteCloser, error) { r, w := io.Pipe(); return r, w, nil },
	} {
		t.Run(name, func(t *testing.T) {
			r, w, err := makePipe()
			if err != nil {
				t.Fatal(err)
			}
			if c, ok := r.(io.Closer); ok {
				defer c.Close()
			}
			defer w.Close()
			s, err := OpenY4MStream(r, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			test(t, s, w)
		})
	}
}

func TestY4MStreamDelivers(t *testing.T) {
	streams(t, func(t *testing.T, s *Y4MStream, w io.WriteCloser) {
		header, frames := pictures(t, 4)
		send(t, w, header[:10])
		send(t, w, header[10:])
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.Format(); got != (capture.VideoFormat{Format: capture.I420, Width: 32, Height: 16, FPS: 30}) {
			t.Errorf("format %v", got)
		}
		for i, frame := range frames {
			send(t, w, frame[:100])
			before := monotonic.Now()
			send(t, w, frame[100:])
			f := next(t, s)
			if number(t, f) != i || f.Sequence != uint64(i) || f.PTS < before || f.PTS > monotonic.Now() || f.Ready != f.PTS {
				t.Errorf("picture %d: number %d, sequence %d, PTS %v after its end", i, number(t, f), f.Sequence, f.PTS-before)
			}
			f.Release()
		}
		w.Close()
		for range 2 {
			if _, err := s.Next(t.Context()); err != io.EOF {
				t.Errorf("at the end: %v, want io.EOF", err)
			}
		}
	})
}

// Nobody asks for pictures, and the writer is never held up; then the newest
// comes, and the gap shows.
func TestY4MStreamKeepsTheNewest(t *testing.T) {
	streams(t, func(t *testing.T, s *Y4MStream, w io.WriteCloser) {
		header, frames := pictures(t, 50)
		send(t, w, header)
		for range 100 { // 4 MB: more than a pipe holds
			for _, frame := range frames {
				send(t, w, frame)
			}
		}
		w.Close()
		<-s.done
		f := next(t, s)
		if f.Sequence != 4999 || number(t, f) != 49 {
			t.Errorf("sequence %d, picture %d", f.Sequence, number(t, f))
		}
		f.Release()
		if _, err := s.Next(t.Context()); err != io.EOF {
			t.Errorf("then %v, want io.EOF", err)
		}
	})
}

// A picture stays as it is while newer ones come.
func TestY4MStreamFramesAreTheReceivers(t *testing.T) {
	streams(t, func(t *testing.T, s *Y4MStream, w io.WriteCloser) {
		header, frames := pictures(t, 20)
		send(t, w, header)
		send(t, w, frames[0])
		f := next(t, s)
		for _, frame := range frames[1:] {
			send(t, w, frame)
		}
		w.Close()
		<-s.done
		if number(t, f) != 0 {
			t.Errorf("the picture became %d", number(t, f))
		}
		f.Release()
	})
}

func TestY4MStreamClose(t *testing.T) {
	for _, sent := range []string{"", "YUV4MPEG2 W32 H16 F30:1\n", "YUV4MPEG2 W32 H16 F30:1\nFRAME\nabc"} {
		streams(t, func(t *testing.T, s *Y4MStream, w io.WriteCloser) {
			if sent != "" {
				send(t, w, []byte(sent))
			}
			done := make(chan error)
			go func() {
				_, err := s.Next(context.Background())
				done <- err
			}()
			for range 2 {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}
			if err := <-done; !errors.Is(err, os.ErrClosed) {
				t.Errorf("a blocked Next: %v, want os.ErrClosed", err)
			}
			if err := s.Ready(t.Context()); !errors.Is(err, os.ErrClosed) {
				t.Errorf("Ready after Close: %v, want os.ErrClosed", err)
			}
			s.Format() // does not block
		})
	}
}

func TestY4MStreamContext(t *testing.T) {
	streams(t, func(t *testing.T, s *Y4MStream, w io.WriteCloser) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 2)
		go func() {
			_, err := s.Next(ctx)
			done <- err
		}()
		go func() { done <- s.Ready(ctx) }()
		cancel()
		for range 2 {
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
		}
	})
}

func TestY4MStreamRefuses(t *testing.T) {
	for _, c := range []struct{ name, sent, want string }{
		{"nothing", "", "ended before a picture came"},
		{"HTML", "<!DOCTYPE html>\n<html>", "not Y4M"},
		{"cut in the header", "YUV4MPEG2 W32 H1", "unexpected EOF"},
		{"cut in the magic", "YUV4", "unexpected EOF"},
		{"interlaced", "YUV4MPEG2 W32 H16 It\n", "interlaced"},
		{"cut in a picture", "YUV4MPEG2 W32 H16\nFRAME\nabc", "picture 1: unexpected EOF"},
		{"damaged", "YUV4MPEG2 W32 H16\nFLAME\nabc", "where a frame should begin"},
	} {
		streams(t, func(t *testing.T, s *Y4MStream, w io.WriteCloser) {
			send(t, w, []byte(c.sent))
			w.Close()
			_, err := s.Next(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "y4m file -") {
				t.Errorf("%s: got %v, want %q", c.name, err, c.want)
			}
			checkHint(t, err)
		})
	}
}

func TestY4MStreamRefusesATerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, err := OpenY4MStream(null, Options{}); err == nil || !strings.Contains(err.Error(), "not a pipe") {
		t.Errorf("got %v", err)
	}
}

func TestY4MStreamFromAFile(t *testing.T) {
	f, err := os.Open(write(t, "a.y4m", y4mFile(32, 16, 3, "F30:1")))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := OpenY4MStream(f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	<-s.done
	if f := next(t, s); f.Sequence != 2 {
		t.Errorf("sequence %d, want the last", f.Sequence)
	}
}

// BenchmarkY4MStream takes 720p pictures from a pipe, and reports how long after
// the writer's last byte a picture is there.
func BenchmarkY4MStream(b *testing.B) {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	s, err := OpenY4MStream(r, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	data := y4mFile(1280, 720, 1, "F30:1")
	header, frame, _ := bytes.Cut(data, []byte("\n"))
	send(b, w, append(header, '\n'))
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	var lag float64
	for b.Loop() {
		send(b, w, frame)
		written := monotonic.Now()
		f := next(b, s)
		lag += float64(max(0, f.PTS-written))
		f.Release()
	}
	b.ReportMetric(lag/float64(b.N), "ns-after-write")
}

func send(tb testing.TB, w io.Writer, data []byte) {
	tb.Helper()
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
}
