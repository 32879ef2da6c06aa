package camera

import (
	"log/slog"

	"github.com/bril-edge/bril/capture"
)

// Config says which camera to open and how. The zero value opens the first
// camera at 1280x720 and 30 frames a second.
type Config struct {
	Device        string  // path of the node; "" or "auto": the first camera found
	Memory        *Memory // finds the same camera again, by a numbered path or "auto"; nil: does not
	Width, Height int     // in pixels; zero: 1280x720
	FPS           float64 // zero: 30

	// Formats are those that the caller can use, best first; empty: DefaultFormats.
	Formats []capture.PixelFormat

	// Buffers is how many pictures the driver may fill ahead; zero: 4, with Share
	// 6, and 8 for H.264, of which none may be lost.
	Buffers int

	// Share asks for frames whose memory other devices can read (Frame.Shared),
	// where the driver can export it.
	Share bool

	Controls Controls
	Log      *slog.Logger // nil: nothing is logged
}

// DefaultFormats returns the formats that Open tries, best first: raw ones by the
// work they leave to do, then MJPEG, then H.264, whose bitrate is not ours.
func DefaultFormats() []capture.PixelFormat {
	return []capture.PixelFormat{capture.I420, capture.NV12, capture.YUYV, capture.MJPEG, capture.H264}
}

// Controls are the camera's settings. The zero value leaves the camera as it is.
type Controls struct {
	PowerLine    PowerLine
	Exposure     Setting // in microseconds
	Focus        Setting // in the camera's own units
	WhiteBalance Setting // in kelvin
}

// PowerLine is the mains frequency whose flicker the camera is to filter out.
type PowerLine uint8

// The choices of PowerLine.
const (
	PowerLineKeep PowerLine = 0
	PowerLineOff  PowerLine = 1
	PowerLine50Hz PowerLine = 2
	PowerLine60Hz PowerLine = 3
	PowerLineAuto PowerLine = 4
)

// Setting is one control that the camera may choose by itself.
type Setting struct {
	Mode  Mode
	Value int // with Manual
}

// Mode says who chooses a Setting's value.
type Mode uint8

// The modes of a Setting.
const (
	Keep   Mode = 0 // as it is
	Auto   Mode = 1 // the camera
	Manual Mode = 2 // Setting.Value
)

func (c Config) withDefaults() Config {
	if c.Width == 0 && c.Height == 0 {
		c.Width, c.Height = 1280, 720
	}
	if c.FPS == 0 {
		c.FPS = 30
	}
	if len(c.Formats) == 0 {
		c.Formats = DefaultFormats()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
