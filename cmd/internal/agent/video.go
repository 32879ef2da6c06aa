package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/file"
	"github.com/bril-edge/bril/capture/pattern"
	"github.com/bril-edge/bril/capture/pixel"
	"github.com/bril-edge/bril/cmd/internal/lit"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder/m2m"
)

// openVideo opens the configured source and what brings its pictures to an
// encoder.
func (a *Agent) openVideo(ctx context.Context) (session.Video, error) {
	a.exams.yield(ctx)
	chips := a.chips()
	source, err := a.videoSource(chips)
	if err != nil {
		return session.Video{}, err
	}
	if a.stdin != nil { // its format is known once its writer has begun
		if err := a.stdin.Ready(ctx); err != nil {
			return session.Video{}, err
		}
	}
	format := source.Format()
	_, device := source.(*lit.Camera)
	v := session.Video{Source: source, Device: device, Format: format}
	v.Name = fmt.Sprintf("%s %v", a.videoName(source), format)
	if format.Format == capture.H264 {
		if a.cfg.Camera.Rotation != 0 {
			source.Close()
			return session.Video{}, hinted{fmt.Errorf("rotate %s by %d degrees: its pictures are encoded already", v.Name, a.cfg.Camera.Rotation),
				"set camera.rotation to 0, or of a camera that delivers raw pictures too, camera.format"}
		}
		return v, nil
	}
	return a.withConverter(v, chips)
}

// withConverter brings v's pictures to I420, unless an encoder takes them as they
// are.
func (a *Agent) withConverter(v session.Video, chips []m2m.Device) (session.Video, error) {
	rotation := a.cfg.Camera.Rotation
	if _, taken := chipFor(chips, v.Format); rotation == 0 && (taken || v.Format.Format == capture.I420) {
		return v, nil
	}
	converter, err := pixel.New(pixel.Config{Rotation: rotation, Log: a.opts.Log})
	if err != nil {
		v.Source.Close()
		return session.Video{}, err
	}
	v.Convert = converter.Convert
	v.Source = converted{v.Source, converter}
	v.Format.Width, v.Format.Height = converter.OutputSize(v.Format.Width, v.Format.Height)
	v.Format.Format = capture.I420
	return v, nil
}

// converted closes a converter with its source.
type converted struct {
	session.VideoSource
	converter *pixel.Converter
}

func (c converted) Close() error {
	err := c.VideoSource.Close()
	c.converter.Close()
	return err
}

func (a *Agent) videoSource(chips []m2m.Device) (session.VideoSource, error) {
	c := a.cfg.Camera
	opts := file.Options{Loop: c.Loop}
	switch c.Source.Kind {
	case configs.Auto, configs.Device:
		return a.devices.Camera(a.cameraConfig(chips))
	case configs.Pattern:
		return pattern.New(patternConfig(c))
	case configs.Y4M:
		if a.stdin != nil {
			return kept{a.stdin}, nil
		}
		return file.OpenY4M(c.Source.Path, opts)
	case configs.H264:
		return file.OpenH264(c.Source.Path, opts)
	case configs.MP4:
		return file.OpenMP4(c.Source.Path, opts)
	}
	return nil, unknownSource("camera", c.Source.Kind)
}

func (a *Agent) videoName(source session.VideoSource) string {
	if c, ok := source.(*lit.Camera); ok {
		return c.Path()
	}
	if spec := a.cfg.Camera.Source; spec.Kind != configs.Pattern { // which has its size in the format
		return spec.String()
	}
	return string(configs.Pattern)
}

func patternConfig(c configs.Camera) pattern.Config {
	p := pattern.Config{Width: c.Source.Width, Height: c.Source.Height, FPS: float64(c.Source.FPS)}
	if p.Width == 0 {
		p.Width, p.Height = c.Size.Width, c.Size.Height
	}
	if p.FPS == 0 {
		p.FPS = float64(c.FPS)
	}
	return p
}

func (a *Agent) cameraConfig(chips []m2m.Device) camera.Config {
	c := a.cfg.Camera
	return camera.Config{
		Device: c.Source.Path, Memory: &a.camera,
		Width: c.Size.Width, Height: c.Size.Height,
		FPS:      float64(c.FPS),
		Formats:  a.formats(chips),
		Share:    len(chips) > 0 && c.Rotation == 0,
		Controls: controls(c),
		Log:      a.opts.Log,
	}
}

// formats returns the camera's formats that are of use, best first: that of the
// configuration; else those that an encoder takes as they are, or without one the
// camera's own H.264, and then what the camera package prefers.
func (a *Agent) formats(chips []m2m.Device) []capture.PixelFormat {
	c := a.cfg.Camera
	formats := camera.DefaultFormats()
	rank := func(f capture.PixelFormat) int {
		switch {
		case f.String() == c.Format:
			return 0
		case c.Rotation == 0 && slices.ContainsFunc(chips, func(d m2m.Device) bool { return d.Takes(f) }):
			return 1
		case c.Rotation == 0 && f == capture.H264 && len(chips) == 0 && a.cfg.Video.Encoder == configs.EncoderAuto:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(formats, func(x, y capture.PixelFormat) int { return cmp.Compare(rank(x), rank(y)) })
	switch {
	case rank(formats[0]) == 0:
		return formats[:1]
	case a.cfg.Video.Encoder == configs.EncoderHardware:
		return slices.DeleteFunc(formats, func(f capture.PixelFormat) bool { return f == capture.H264 })
	}
	return formats
}

func controls(c configs.Camera) camera.Controls {
	set := func(manual bool, value int) camera.Setting {
		if manual {
			return camera.Setting{Mode: camera.Manual, Value: value}
		}
		return camera.Setting{Mode: camera.Auto}
	}
	powerLine := map[string]camera.PowerLine{
		"50hz": camera.PowerLine50Hz, "60hz": camera.PowerLine60Hz, "auto": camera.PowerLineAuto, "off": camera.PowerLineOff,
	}
	return camera.Controls{
		PowerLine:    powerLine[c.PowerLine],
		Exposure:     set(c.Exposure != 0, int(time.Duration(c.Exposure)/time.Microsecond)),
		Focus:        set(c.Focus.Manual, c.Focus.Position),
		WhiteBalance: set(c.WhiteBalance != 0, int(c.WhiteBalance)),
	}
}
