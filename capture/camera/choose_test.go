package camera

import (
	"errors"
	"math"
	"testing"

	"github.com/blackjack/webcam"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/hardware/v4l2"
)

func size(w, h int, fps ...float64) Size { return Size{Width: w, Height: h, FPS: fps} }

func usable(code v4l2.FourCC, sizes ...Size) Format {
	kind, _ := pixelFormat(code)
	return Format{Format: kind.String(), Usable: true, Sizes: sizes, code: webcam.PixelFormat(code), kind: kind}
}

func TestChoose(t *testing.T) {
	// A usual USB camera: what it does not compress it does slowly.
	usb := []Format{
		usable(v4l2.PixFmtYUYV, size(1280, 720, 10, 5), size(640, 480, 30, 15)),
		usable(v4l2.PixFmtMJPEG, size(1920, 1080, 30), size(1280, 720, 60, 30), size(640, 480, 30)),
		usable(v4l2.PixFmtH264, size(1280, 720, 30)),
	}
	vivid := []Format{usable(v4l2.PixFmtNV12, size(1280, 720, 12.5), size(640, 360, 40, 30), size(320, 180, 60))}
	ranged := Size{Width: 32, Height: 32, MaxWidth: 1920, MaxHeight: 1088, StepWidth: 32, StepHeight: 16, FPS: []float64{60, 1}, FPSRange: true}
	tests := []struct {
		name    string
		formats []Format
		cfg     Config
		format  capture.PixelFormat
		w, h    int
		fps     float64
	}{
		{"the rate decides the format", usb, Config{}, capture.MJPEG, 1280, 720, 30},
		{"the preferred one where it is fast enough", usb, Config{Width: 640, Height: 480}, capture.YUYV, 640, 480, 30},
		{"a lower rate will do", usb, Config{FPS: 10}, capture.YUYV, 1280, 720, 10},
		{"the wish decides", usb, Config{Formats: []capture.PixelFormat{capture.H264, capture.MJPEG}}, capture.H264, 1280, 720, 30},
		{"60 a second", usb, Config{FPS: 60}, capture.MJPEG, 1280, 720, 60},
		{"size before rate", vivid, Config{}, capture.NV12, 1280, 720, 12.5},
		{"but not at any rate", []Format{usable(v4l2.PixFmtYUYV, size(1280, 720, 5), size(640, 480, 30))}, Config{}, capture.YUYV, 640, 480, 30},
		{"29.97 is 30", []Format{usable(v4l2.PixFmtNV12, size(1280, 720, 60, 30000.0/1001))}, Config{}, capture.NV12, 1280, 720, 30000.0 / 1001},
		{"a range", []Format{usable(v4l2.PixFmtNV12, ranged)}, Config{Width: 1000, Height: 720, FPS: 25}, capture.NV12, 992, 720, 25},
		{"sizes not told", []Format{usable(v4l2.PixFmtYUV420)}, Config{}, capture.I420, 1280, 720, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := choose(test.formats, test.cfg.withDefaults())
			if err != nil {
				t.Fatal(err)
			}
			if m.format != test.format || m.width != test.w || m.height != test.h || m.fps != test.fps {
				t.Errorf("got %v %dx%d@%g", m.format, m.width, m.height, m.fps)
			}
		})
	}
	if _, err := choose(usb, Config{Formats: []capture.PixelFormat{capture.NV12}}); !errors.Is(err, ErrUnsupportedFormat) {
		t.Errorf("without a format: %v", err)
	}
}

func TestFract(t *testing.T) {
	for fps, want := range map[float64]v4l2.Fract{
		30: {Numerator: 1, Denominator: 30}, 30000.0 / 1001: {Numerator: 1001, Denominator: 30000},
		29.97: {Numerator: 1001, Denominator: 30000}, 12.5: {Numerator: 1000, Denominator: 12500},
		59.94: {Numerator: 1001, Denominator: 60000}, 0.5: {Numerator: 1000, Denominator: 500},
	} {
		got := fract(fps)
		if got != want && math.Abs(float64(got.Denominator)/float64(got.Numerator)-fps) > 0.01 || got != want {
			t.Errorf("%g: %d/%d", fps, got.Numerator, got.Denominator)
		}
	}
}

// What blackjack/webcam tells in no order, in ranges and as zeros.
func TestFormats(t *testing.T) {
	cam := &fakeWebcam{
		formats: map[webcam.PixelFormat]string{
			webcam.PixelFormat(v4l2.PixFmtMJPEG): "Motion-JPEG", webcam.PixelFormat(v4l2.PixFmtNV12): "Y/UV 4:2:0", 0x38303159: "odd",
		},
		sizes: []webcam.FrameSize{
			{}, // continuous, which the library cannot read
			{MinWidth: 640, MaxWidth: 640, MinHeight: 480, MaxHeight: 480},
			{MinWidth: 16, MaxWidth: 1920, StepWidth: 2, MinHeight: 16, MaxHeight: 1080, StepHeight: 2},
		},
		rates: []webcam.FrameRate{
			{MinNumerator: 1, MinDenominator: 15, MaxNumerator: 1, MaxDenominator: 15},
			{MinDenominator: 15, MaxDenominator: 15},
			{MinNumerator: 1, MinDenominator: 30, MaxNumerator: 1, MaxDenominator: 30},
		},
	}
	got := formats(cam, 1280, 720)
	if len(got) != 3 || got[0].Format != "NV12" || got[1].Format != "MJPEG" || got[2].Usable {
		t.Fatalf("got %+v", got)
	}
	sizes := got[0].Sizes
	if len(sizes) != 2 || sizes[0].Width != 640 || sizes[1].MaxWidth != 1920 {
		t.Fatalf("sizes %+v", sizes)
	}
	if fps := sizes[0].FPS; len(fps) != 2 || fps[0] != 30 || fps[1] != 15 || sizes[0].FPSRange {
		t.Errorf("rates %v", fps)
	}
	cam.rates = []webcam.FrameRate{{MinNumerator: 1, MinDenominator: 60, MaxNumerator: 1, MaxDenominator: 5}}
	if s := formats(cam, 1280, 720)[0].Sizes[0]; !s.FPSRange || s.FPS[0] != 60 || s.FPS[1] != 5 {
		t.Errorf("range of rates %+v", s)
	}
}

func TestListIsSortedByWhereTheyAreAttached(t *testing.T) {
	devices := []Device{
		{Path: "/dev/video0", Driver: "vivid", Bus: "platform:vivid-000"},
		{Path: "/dev/video10", Driver: "uvcvideo", Bus: "usb-1"},
		{Path: "/dev/video2", Driver: "uvcvideo", Bus: "usb-1"},
		{Path: "/dev/video1", Driver: "uvcvideo", Bus: "usb-2"},
	}
	for i, want := range []string{"/dev/video2", "/dev/video10", "/dev/video1", "/dev/video0"} {
		least := devices[0]
		for _, d := range devices[1:] {
			if stableOrder(d, least) < 0 {
				least = d
			}
		}
		if least.Path != want {
			t.Errorf("number %d is %s, want %s", i, least.Path, want)
		}
		for j, d := range devices {
			if d.Path == least.Path {
				devices = append(devices[:j:j], devices[j+1:]...)
			}
		}
		if len(devices) == 0 {
			break
		}
	}
}

func TestListKeepsWhatCannotBeOpened(t *testing.T) {
	b := newBench(t, v4l2.PixFmtYUYV)
	b.webcam.controls = map[webcam.ControlID]webcam.Control{cidFocus: {Name: "Focus", Max: 255, Step: 5}}
	if got := b.list(1280, 720); len(got) != 1 || got[0].Driver != "scripted" || len(got[0].Formats) != 1 || got[0].Controls[0].Name != "Focus" {
		t.Errorf("got %+v", got)
	}
	b.kernel.FailStep(1, 13) // EACCES
	if got := b.list(1280, 720); len(got) != 1 || got[0].Error == "" {
		t.Errorf("forbidden: %+v", got)
	}
	b.kernel.FailStep(0, 0)
	b.camera.NotVideo = true
	if got := b.list(1280, 720); len(got) != 0 {
		t.Errorf("no camera: %+v", got)
	}
	if leaks := b.kernel.Leaks(); leaks != "" {
		t.Errorf("left behind: %s", leaks)
	}
}
