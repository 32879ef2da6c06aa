package openh264

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
)

func TestFirstPictureIsConstrainedBaseline31(t *testing.T) {
	var units []encoder.AccessUnit
	e := open(t, Config{Width: 1280, Height: 720}, &units)
	f := newFrame(t, 1280, 720)
	f.PTS, f.Ready = 3*time.Second, 4*time.Second
	encode(t, e, f)
	if len(units) != 1 || !units[0].Key || units[0].PTS != f.PTS || units[0].Ready != f.Ready {
		t.Fatalf("got %+v", units)
	}
	// profile_idc, the constraint flags, level_idc: ITU-T H.264, 7.3.2.1.1.
	if sps := units[0].Data[4:8]; h264.NAL(sps).Type() != h264.TypeSPS || sps[1] != 66 || sps[2]&0x40 == 0 || sps[3] != 31 {
		t.Errorf("SPS begins %x, want profile 66 with constraint_set1 and level 31", sps)
	}
}

func TestKeyFramesComeFirstOnRequestAndEachGOP(t *testing.T) {
	var units []encoder.AccessUnit
	e := open(t, Config{Width: 320, Height: 240, GOP: time.Second}, &units)
	f := newFrame(t, 320, 240)
	for i := range 75 {
		if i == 10 {
			e.ForceKeyFrame()
			e.ForceKeyFrame()
		}
		f.PTS = time.Duration(i) * time.Second / 30
		texture(f, i)
		encode(t, e, f)
	}
	var keys []int
	for i, u := range units {
		if u.Key {
			keys = append(keys, i)
		}
	}
	if want := []int{0, 10, 40, 70}; len(units) != 75 || !slices.Equal(keys, want) {
		t.Errorf("key frames at %v of %d, want %v of 75", keys, len(units), want)
	}
}

func TestRowsOfAnyStride(t *testing.T) {
	var units []encoder.AccessUnit
	narrow := newFrame(t, 322, 242) // its rows are padded to 336 bytes
	texture(narrow, 1)
	encode(t, open(t, Config{Width: 322, Height: 242}, &units), narrow)
	wide := narrow
	for i, p := range narrow.Planes {
		rows := len(p.Data) / p.Stride
		wide.Planes[i] = capture.Plane{Data: make([]byte, 1000*rows), Stride: 1000}
		for y := range rows {
			copy(wide.Planes[i].Data[y*1000:], p.Data[y*p.Stride:(y+1)*p.Stride])
		}
	}
	encode(t, open(t, Config{Width: 322, Height: 242}, &units), wide)
	if !bytes.Equal(units[0].Data, units[1].Data) {
		t.Error("the same picture in longer rows is encoded differently")
	}
}

func TestEncodeRefusesWhatItCannotRead(t *testing.T) {
	e := open(t, Config{Width: 320, Height: 240}, nil)
	tests := []struct {
		name   string
		change func(*capture.Frame)
		want   string
	}{
		{"format", func(f *capture.Frame) { f.Format = capture.NV12 }, "frame of NV12, want YU12"},
		{"size", func(f *capture.Frame) { f.Width = 322 }, "frame of 322x240, want 320x240"},
		{"short plane", func(f *capture.Frame) { f.Planes[2].Data = f.Planes[2].Data[:100] }, "plane 2 has 100 bytes"},
		{"no plane", func(f *capture.Frame) { f.Planes[0] = capture.Plane{} }, "plane 0 has 0 bytes"},
		{"short rows", func(f *capture.Frame) { f.Planes[1].Stride = 100 }, "plane 1 has"},
		{"unequal rows", func(f *capture.Frame) { f.Planes[2].Stride = 162; f.Planes[2].Data = make([]byte, 162*120) }, "want the same"},
	}
	for _, test := range tests {
		f := newFrame(t, 320, 240)
		test.change(&f)
		if err := e.Encode(f); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
}

func TestNewRefusesBadConfig(t *testing.T) {
	tests := []struct {
		config Config
		want   string
	}{
		{Config{}, "openh264 for 0x0"},
		{Config{Width: 1281, Height: 720}, "must be even"},
		{Config{Width: 1280, Height: 8}, "from 16"},
		{Config{Width: 8192, Height: 720}, "to 3840x2160"},
		{Config{Width: 1280, Height: 720, FPS: 61}, "61 frames a second"},
		{Config{Width: 1280, Height: 720, FPS: math.NaN()}, "NaN frames a second"},
		{Config{Width: 1280, Height: 720, BitRate: 1}, "bitrate 1:"},
		{Config{Width: 1280, Height: 720, GOP: time.Millisecond}, "GOP of 1ms"},
	}
	for _, test := range tests {
		if _, err := New(test.config, nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want %q", test.config, err, test.want)
		}
	}
}

func TestSinkErrorComesBack(t *testing.T) {
	want := errors.New("uplink is full")
	e, err := New(Config{Width: 320, Height: 240}, func(encoder.AccessUnit) error { return want })
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Encode(newFrame(t, 320, 240)); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestAfterClose(t *testing.T) {
	e := open(t, Config{Width: 320, Height: 240}, nil)
	for range 2 {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	e.ForceKeyFrame()
	if err := e.Encode(newFrame(t, 320, 240)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("encode: got %v, want os.ErrClosed", err)
	}
	if err := e.SetBitRate(1_000_000); !errors.Is(err, os.ErrClosed) {
		t.Errorf("set bitrate: got %v, want os.ErrClosed", err)
	}
}

// TestMethodsTogether is for the race detector, and for C code that is used
// after it was freed.
func TestMethodsTogether(t *testing.T) {
	e := open(t, Config{Width: 320, Height: 240}, nil)
	f := newFrame(t, 320, 240)
	var wait sync.WaitGroup
	half := make(chan struct{})
	wait.Go(func() {
		for i := range 50 {
			f.PTS = time.Duration(i) * time.Second / 30
			if err := e.Encode(f); err != nil && !errors.Is(err, os.ErrClosed) {
				t.Errorf("encode: %v", err)
			}
			if i == 25 {
				close(half)
			}
		}
	})
	wait.Go(func() {
		for i := range 50 {
			e.ForceKeyFrame()
			_ = e.Skipped()
			if err := e.SetBitRate(encoder.BitRate(500_000 + 1000*i)); err != nil && !errors.Is(err, os.ErrClosed) {
				t.Errorf("set bitrate: %v", err)
			}
		}
	})
	wait.Go(func() {
		<-half
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	wait.Wait()
}

// TestLibraryLogsToSlogOnly watches the process' stderr, which C writes to
// behind Go's back.
func TestLibraryLogsToSlogOnly(t *testing.T) {
	var log bytes.Buffer
	printed := stderrOf(t, func() {
		var units []encoder.AccessUnit
		e := open(t, Config{
			Width: 320, Height: 240,
			Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		}, &units)
		f := newFrame(t, 320, 240)
		for i := range 10 {
			f.PTS = time.Duration(i) * time.Second / 30
			if err := e.SetBitRate(encoder.BitRate(300_000 + 50_000*i)); err != nil {
				t.Error(err)
			}
			encode(t, e, f)
		}
		e.Close()
	})
	if printed != "" {
		t.Errorf("on stderr: %s", printed)
	}
	if !strings.Contains(log.String(), "level=DEBUG msg=\"openh264: ") {
		t.Errorf("logged: %q, want the library's lines", log.String())
	}
}

// stderrOf returns what is written to file descriptor 2 while f runs.
func stderrOf(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	saved, err := unix.Dup(2)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(saved)
	if err := unix.Dup3(int(w.Fd()), 2, 0); err != nil {
		t.Fatal(err)
	}
	f()
	if err := unix.Dup3(saved, 2, 0); err != nil {
		t.Fatal(err)
	}
	w.Close()
	printed, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(printed)
}

func TestIsKey(t *testing.T) {
	tests := []struct {
		name string
		data string
		want bool
	}{
		{"empty", "", false},
		{"IDR with its sets", "\x00\x00\x00\x01\x67a\x00\x00\x01\x68b\x00\x00\x01\x65c", true},
		{"IDR alone", "\x00\x00\x00\x01\x65c", false},
		{"IDR without PPS", "\x00\x00\x01\x67a\x00\x00\x01\x65c", false},
		{"sets behind the IDR", "\x00\x00\x01\x65c\x00\x00\x01\x67a\x00\x00\x01\x68b", false},
		{"slice", "\x00\x00\x00\x01\x61c", false},
		{"sets and a slice that is no IDR", "\x00\x00\x01\x67a\x00\x00\x01\x68b\x00\x00\x01\x61c", false},
		{"sets only", "\x00\x00\x01\x67a\x00\x00\x01\x68b", false},
		{"cut off in a start code", "\x00\x00\x01", false},
	}
	for _, test := range tests {
		if got := isKey([]byte(test.data)); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// TestAllocations: a picture costs none once the largest IDR picture was there.
func TestAllocations(t *testing.T) {
	e := open(t, Config{Width: 640, Height: 360}, nil)
	f := newFrame(t, 640, 360)
	i := 0
	step := func() {
		f.PTS = time.Duration(i) * time.Second / 30
		texture(f, i%2)
		encode(t, e, f)
		i++
	}
	step()
	if n := testing.AllocsPerRun(100, step); n > 0 {
		t.Errorf("%v allocations a picture", n)
	}
}

func BenchmarkEncode720p(b *testing.B) {
	e, err := New(Config{Width: 1280, Height: 720}, func(encoder.AccessUnit) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	var frames [8]capture.Frame
	for i := range frames {
		frames[i] = newFrame(b, 1280, 720)
		texture(frames[i], i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		f := frames[i%len(frames)]
		f.PTS = time.Duration(i) * time.Second / 30
		if err := e.Encode(f); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// open makes an encoder that appends what it makes to units, unless that is nil.
func open(t testing.TB, config Config, units *[]encoder.AccessUnit) *Encoder {
	t.Helper()
	e, err := New(config, func(u encoder.AccessUnit) error {
		if units != nil {
			u.Data = bytes.Clone(u.Data)
			*units = append(*units, u)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func encode(t testing.TB, e *Encoder, f capture.Frame) {
	t.Helper()
	if err := e.Encode(f); err != nil {
		t.Fatal(err)
	}
}

func newFrame(t testing.TB, width, height int) capture.Frame {
	t.Helper()
	pool, err := capture.NewPool(capture.I420, width, height)
	if err != nil {
		t.Fatal(err)
	}
	return pool.Get()
}

// texture fills f with a detailed picture that moves with i, as a hand-held
// camera's does.
func texture(f capture.Frame, i int) {
	for n, p := range f.Planes {
		for at := range p.Data {
			x, y := at%p.Stride+3*i, at/p.Stride+i
			h := uint32(x/2)*0x9e3779b1 ^ uint32(y/2)*0x85ebca77
			h = (h ^ h>>15) * 0x2c1b3c6d
			p.Data[at] = byte(96 + (x>>3^y>>4)&31 + int(h>>27))
			if n > 0 {
				p.Data[at] = byte(112 + (x>>5^y>>5)&31)
			}
		}
	}
}
