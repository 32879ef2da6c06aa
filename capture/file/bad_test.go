package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bril-edge/bril/capture"
)

// player is any of the sources: how a test opens one and plays it to the end.
type player func(path string) error

var players = map[string]player{
	"y4m":  func(path string) error { v, err := OpenY4M(path, Options{}); return play(v, err) },
	"h264": func(path string) error { v, err := OpenH264(path, Options{}); return play(v, err) },
	"mp4":  func(path string) error { v, err := OpenMP4(path, Options{}); return play(v, err) },
	"wav":  func(path string) error { s, err := OpenWAV(path, Options{}); return listen(s, err) },
	"opus": func(path string) error { s, err := OpenOpus(path, Options{}); return listen(s, err) },
}

// play reads a file to its end without waiting.
func play(v any, err error) error {
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *Y4M:
		defer v.Close()
		for f := v.pool.Get(); err == nil; {
			err = v.reader.Next(&f)
		}
		return atEnd(v.media, err)
	case *H264:
		defer v.Close()
		for err == nil {
			_, err = v.demuxer.next(nil, false)
		}
		return atEnd(v.media, err)
	}
	return errors.New("not a source")
}

func listen(s *Sound, err error) error {
	if err != nil {
		return err
	}
	defer s.Close()
	for sound := (capture.Sound{}); err == nil; {
		err = s.source.next(&sound)
	}
	return atEnd(s.media, err)
}

// atEnd wraps an error as Next does.
func atEnd(m media, err error) error {
	if err == io.EOF {
		return nil
	}
	return m.fail("read", err)
}

// What can go wrong with any file.
func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	html := write(t, "page", []byte("<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n"))
	text := write(t, "text", bytes.Repeat([]byte("Just text. "), 100))
	zeros := write(t, "zeros", make([]byte, 100000))
	short := write(t, "short", []byte("x"))
	jpeg := write(t, "jpeg", []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00"))
	for _, c := range []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "missing"), "no such file"},
		{"a directory", dir, "it is a directory"},
		{"empty", write(t, "empty", nil), "it is empty"},
		{"a device", os.DevNull, "not a regular file"},
		{"HTML", html, "a web page"},
		{"text", text, "of another format"},
		{"zeros", zeros, ""},
		{"one byte", short, ""},
		{"JPEG", jpeg, "a JPEG picture"},
	} {
		for kind, play := range players {
			t.Run(c.name+" as "+kind, func(t *testing.T) {
				err := play(c.path)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("got %v, want %q", err, c.want)
				}
				if !strings.Contains(err.Error(), kind+" file "+c.path) || strings.Count(err.Error(), c.path) != 1 {
					t.Errorf("%q does not name the file once", err)
				}
				checkHint(t, err)
			})
		}
	}
}

func checkHint(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Hint() == "" {
		t.Errorf("%v: no hint", err)
	}
}

// One kind of file opened as another: the hint says how to play it.
func TestWrongKind(t *testing.T) {
	files := map[string]string{
		"y4m":  write(t, "a", y4mFile(32, 16, 1, "F30:1")),
		"h264": "testdata/stream.h264", "mp4": "testdata/progressive.mp4", "wav": "testdata/tone.wav", "opus": "testdata/tone.opus",
	}
	for kind, play := range players {
		for is, path := range files {
			err := play(path)
			var e *Error
			switch {
			case is == kind && err != nil:
				t.Errorf("%s: %v", kind, err)
			case is != kind && !errors.As(err, &e):
				t.Errorf("%s as %s: %v, want an Error", is, kind, err)
			case is != kind && !strings.Contains(e.Hint(), is+":PATH"):
				t.Errorf("%s as %s: %v, hint %q", is, kind, err, e.Hint())
			}
		}
	}
}

func TestUnplayable(t *testing.T) {
	stream := read(t, "testdata/stream.h264")
	withoutSPS := stream[bytes.Index(stream, []byte("\x00\x00\x01\x65")):]
	notKey := splitFile(t, "testdata/stream.h264")[1]
	opus := read(t, "testdata/tone.opus")
	for _, c := range []struct {
		name, kind string
		data       []byte
		want, hint string
	}{
		{"no SPS", "h264", withoutSPS, "without SPS", "libx264"},
		{"no key frame", "h264", notKey, "without a key frame", "libx264"},
		{"B-frames", "h264", read(t, "../../encoder/h264/testdata/bframes.h264"), "B-frames", "-bf 0"},
		{"B-frames", "mp4", read(t, "testdata/bframes.mp4"), "B-frames", "-bf 0"},
		{"MPEG-4 part 2", "mp4", read(t, "testdata/mpeg4.mp4"), `picture is "mp4v"`, "libx264"},
		{"interlaced", "y4m", y4mFile(32, 16, 1, "It"), "interlaced", "ffmpeg"},
		{"4:4:4", "y4m", y4mFile(32, 16, 1, "C444"), `"444"`, "yuv420p"},
		{"10 bit", "y4m", y4mFile(32, 16, 1, "C420p10"), `"420p10"`, "yuv420p"},
		{"odd", "y4m", y4mFile(33, 16, 1, ""), "odd width of 33", "ffmpeg"},
		{"huge", "y4m", []byte("YUV4MPEG2 W999999 H16\n"), "width", "ffmpeg"},
		{"no size", "y4m", []byte("YUV4MPEG2 F30:1\nFRAME\n"), "no width", "ffmpeg"},
		{"no rate", "y4m", y4mFile(32, 16, 1, "F30"), "frame rate", "ffmpeg"},
		{"no pictures", "y4m", y4mFile(32, 16, 0, ""), "no pictures", "ffmpeg"},
		{"endless line", "y4m", append([]byte("YUV4MPEG2 "), bytes.Repeat([]byte{'X'}, 9000)...), "a line of more than", "ffmpeg"},
		{"A-law", "wav", wavFile(6, 1, 8000, 8, make([]byte, 100)), "format 6", "pcm_s16le"},
		{"no sound", "wav", wavFile(1, 1, 8000, 16, nil), "no sound", "ffmpeg"},
		{"a rate of 1 Hz", "wav", wavFile(1, 1, 1, 16, make([]byte, 100)), "1 Hz", "ffmpeg"},
		{"no channels", "wav", wavFile(1, 0, 8000, 16, make([]byte, 100)), "0 channels", "ffmpeg"},
		{"six channels", "opus", sixChannels(opus), "6 channels", "-ac 1"},
		{"damaged", "opus", flip(opus, len(opus)-10), "wrong checksum", "again"},
		{"page missing", "opus", withoutPage(opus, 1), "missing", "again"},
	} {
		t.Run(c.kind+" "+c.name, func(t *testing.T) {
			path := write(t, "a."+c.kind, c.data)
			err := players[c.kind](path)
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if !strings.Contains(e.Hint(), c.hint) {
				t.Errorf("hint %q, want %q", e.Hint(), c.hint)
			}
		})
	}
}

// Cut after any number of bytes, a file plays to an end or gives an error that
// names it; a file of a kind that tells its length never plays.
func TestTruncated(t *testing.T) {
	for _, c := range []struct {
		kind, path string
		data       []byte
		always     bool // an error
	}{
		{"y4m", "", y4mFile(16, 16, 3, "F30:1"), false}, // whole pictures are a whole file
		{"h264", "testdata/stream.h264", nil, false},
		{"mp4", "testdata/progressive.mp4", nil, true},
		{"mp4", "testdata/fragmented.mp4", nil, false}, // whole fragments are a whole file
		{"wav", "testdata/tone.wav", nil, true},
		{"opus", "testdata/tone.opus", nil, false}, // whole pages
	} {
		if c.data == nil {
			c.data = read(t, c.path)
		}
		failed := 0
		for n := 0; n < len(c.data); n += 1 + n/40 {
			path := write(t, "cut", c.data[:n])
			err := players[c.kind](path)
			if err == nil && c.always {
				t.Errorf("%s %s: plays after a cut at %d of %d bytes", c.kind, c.path, n, len(c.data))
			}
			if err != nil {
				failed++
				if !strings.Contains(err.Error(), path) {
					t.Errorf("%s %s: %v does not name the file", c.kind, c.path, err)
				}
				checkHint(t, err)
			}
		}
		if failed == 0 {
			t.Errorf("%s %s: no cut gives an error", c.kind, c.path)
		}
	}
}

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func flip(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 1
	return data
}

// sixChannels writes another channel count into the first page, and its checksum.
func sixChannels(data []byte) []byte {
	data = bytes.Clone(data)
	const page = 28 + 19 // one segment
	data[28+9] = 6
	binary.LittleEndian.PutUint32(data[22:], 0)
	var crc uint32
	for _, b := range data[:page] {
		crc ^= uint32(b) << 24
		for range 8 {
			top := crc >> 31
			crc = crc<<1 ^ top*0x04c11db7
		}
	}
	binary.LittleEndian.PutUint32(data[22:], crc)
	return data
}

// withoutPage leaves out page n of an Ogg file.
func withoutPage(data []byte, n int) []byte {
	pages := bytes.SplitAfter(bytes.ReplaceAll(data, []byte("OggS"), []byte("|OggS")), []byte("|"))
	var out []byte
	for i, page := range pages[1:] {
		if i != n {
			out = append(out, bytes.TrimSuffix(page, []byte("|"))...)
		}
	}
	return out
}
