package file

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/file/internal/mp4"
	"github.com/bril-edge/bril/capture/file/internal/wav"
	"github.com/bril-edge/bril/capture/file/internal/y4m"
	"github.com/bril-edge/bril/capture/ogg"
	"github.com/bril-edge/bril/capture/resample"
)

// FuzzMP4 walks through a file as OpenMP4 does, with a bound on the steps: tables
// of a few bytes can stand for millions of samples.
func FuzzMP4(f *testing.F) {
	for _, name := range []string{"progressive.mp4", "fragmented.mp4", "bframes.mp4", "mpeg4.mp4"} {
		f.Add(read(f, "testdata/"+name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		window := &window{r: bytes.NewReader(data), size: int64(len(data))}
		file, err := mp4.Open(window, int64(len(data)))
		if err != nil {
			return
		}
		cursor := file.Samples()
		for range 2000 {
			s, err := cursor.Next()
			if err != nil {
				return
			}
			if b, err := window.at(s.Offset, int(s.Size)); err != nil || len(b) != int(s.Size) {
				t.Fatalf("sample at %d of %d bytes: %v", s.Offset, s.Size, err)
			}
		}
	})
}

func FuzzOgg(f *testing.F) {
	opus := read(f, "testdata/tone.opus")
	f.Add(opus)
	f.Add(append(bytes.Clone(opus), opus...))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ogg.NewReader(bytes.NewReader(data))
		if err != nil {
			if err == io.EOF && len(data) > 0 {
				t.Fatal("io.EOF for what is not the end")
			}
			return
		}
		for {
			packet, err := r.Next()
			if err != nil {
				return
			}
			if len(packet) == 0 || len(packet) > ogg.MaxPacket {
				t.Fatalf("a packet of %d bytes", len(packet))
			}
			if d, err := ogg.Duration(packet); err == nil && d <= 0 {
				t.Fatalf("a packet of %v", d)
			}
		}
	})
}

func FuzzWAV(f *testing.F) {
	f.Add(read(f, "testdata/tone.wav"))
	f.Add(wavFile(3, 2, 44100, 32, make([]byte, 64)))
	f.Fuzz(func(t *testing.T, data []byte) {
		window := &window{r: bytes.NewReader(data), size: int64(len(data))}
		header, err := wav.Parse(window, int64(len(data)))
		if err != nil {
			return
		}
		if header.Start < 0 || header.End > int64(len(data)) || header.Start >= header.End {
			t.Fatalf("sound from %d to %d in %d bytes", header.Start, header.End, len(data))
		}
		resampler, err := resample.New(header.Rate)
		if err != nil {
			return
		}
		p := &pcm{window: window, header: header, pos: header.Start, resampler: resampler}
		for s := (capture.Sound{}); ; {
			if err := p.next(&s); err == io.EOF {
				return
			} else if err != nil || len(s.Samples) != capture.ChunkSamples {
				t.Fatalf("%d samples, %v", len(s.Samples), err)
			}
		}
	})
}

func FuzzY4M(f *testing.F) {
	f.Add(y4mFile(16, 16, 2, "F30:1 Ip A1:1 C420jpeg XYSCSS=420JPEG"))
	f.Add([]byte("YUV4MPEG2 W2 H2\nFRAME X\n012345"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := y4m.NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		if r.Header.FrameSize() > 1<<20 {
			return // would only be slow
		}
		pool, err := capture.NewPool(capture.I420, r.Header.Width, r.Header.Height)
		if err != nil {
			t.Fatalf("a header that was accepted: %v", err)
		}
		frame := pool.Get()
		for skip := false; ; skip = !skip {
			read := func() error { return r.Next(&frame) }
			if skip {
				read = r.Skip
			}
			if read() != nil {
				return
			}
		}
	})
}

// FuzzOpen opens what the fuzzer makes as each kind of file.
func FuzzOpen(f *testing.F) {
	f.Add([]byte("<html>"))
	f.Add([]byte("\x00\x00\x01\x67\x42\xc0\x1f\x8c\x8d\x40\x28\x02\xdd\x00\x00\x01\x68\xce\x3c\x80\x00\x00\x01\x65\x88"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := write(t, "a", data)
		for kind, play := range players {
			if kind == "y4m" && len(data) > 1<<16 {
				continue
			}
			_ = play(path)
		}
		os.Remove(path)
	})
}
