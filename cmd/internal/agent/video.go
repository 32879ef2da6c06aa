package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/file"
	"github.com/bril-edge/bril/capture/pattern"
	"github.com/bril-edge/bril/capture/pixel"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/openh264"
	"github.com/bril-edge/bril/encoder/passthrough"
)

// openVideo opens the configured source and what brings its pictures to an
// encoder.
func (a *Agent) openVideo(ctx context.Context) (session.Video, error) {
	source, err := a.videoSource()
	if err != nil {
		return session.Video{}, err
	}
	if a.stdin != nil { // its format is known once its writer has begun
		if err := a.stdin.Ready(ctx); err != nil {
			return session.Video{}, err
		}
	}
	format := source.Format()
	_, device := source.(*camera.Camera)
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
	return a.withConverter(v)
}

func (a *Agent) withConverter(v session.Video) (session.Video, error) {
	rotation := a.cfg.Camera.Rotation
	if v.Format.Format == capture.I420 && rotation == 0 {
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

func (a *Agent) videoSource() (session.VideoSource, error) {
	c := a.cfg.Camera
	opts := file.Options{Loop: c.Loop}
	switch c.Source.Kind {
	case configs.Auto, configs.Device:
		return camera.Open(a.cameraConfig())
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
	if c, ok := source.(*camera.Camera); ok {
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

func (a *Agent) cameraConfig() camera.Config {
	c := a.cfg.Camera
	return camera.Config{
		Device: c.Source.Path,
		Width:  c.Size.Width, Height: c.Size.Height,
		FPS:      float64(c.FPS),
		Formats:  formats(c.Format),
		Controls: controls(c),
		Log:      a.opts.Log,
	}
}

// formats returns the pixel formats that a name of the configuration allows;
// none is the camera's own choice.
func formats(name string) []capture.PixelFormat {
	for _, f := range camera.DefaultFormats() {
		if f.String() == name {
			return []capture.PixelFormat{f}
		}
	}
	return nil
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

// newVideoEncoder makes what v needs: none of ours for a stream that is encoded
// already, openh264 otherwise.
func (a *Agent) newVideoEncoder(v session.Video, rate encoder.BitRate, sink func(encoder.AccessUnit) error) (session.VideoEncoder, error) {
	if v.Format.Format == capture.H264 {
		return newPassthrough(v, sink)
	}
	enc, err := openh264.New(openh264.Config{
		Width: v.Format.Width, Height: v.Format.Height,
		FPS:     v.Format.FPS,
		BitRate: rate,
		GOP:     time.Duration(a.cfg.Video.GOP),
		Log:     a.opts.Log,
	}, sink)
	if err != nil {
		return nil, err
	}
	return software{enc}, nil
}

// software is openh264 as the session wants it.
type software struct{ *openh264.Encoder }

func (s software) State() session.EncoderState {
	return session.EncoderState{Name: "openh264 (software)", Skipped: s.Skipped()}
}

func (s software) Encode(f capture.Frame) error {
	defer f.Release()
	return s.Encoder.Encode(f)
}

// through passes on what is encoded already.
type through struct {
	*passthrough.Encoder
	keys interface{ SkipToKey() bool } // nil where the source cannot
	sent bool                          // anything of the source
}

func newPassthrough(v session.Video, sink func(encoder.AccessUnit) error) (session.VideoEncoder, error) {
	cfg := passthrough.Config{Source: v.Name}
	if known, ok := v.Source.(interface{ ParameterSets() []byte }); ok {
		cfg.ParameterSets = known.ParameterSets()
	}
	enc, err := passthrough.New(cfg, sink)
	if err != nil {
		return nil, err
	}
	t := &through{Encoder: enc}
	t.keys, _ = v.Source.(interface{ SkipToKey() bool })
	return t, nil
}

func (t *through) State() session.EncoderState {
	return session.EncoderState{Name: "none (passed through)", Skipped: t.Dropped()}
}

func (t *through) ProfileLevelID() string {
	sps, known := t.SPS()
	if !known {
		return ""
	}
	return sps.ProfileLevelID()
}

func (t *through) Encode(f capture.Frame) error {
	defer f.Release()
	t.sent = true
	return t.Encoder.Encode(f)
}

// ForceKeyFrame skips in a file: it stands in for a camera, and a viewer that
// waits for the next key frame may wait for ten seconds. A source that has not
// begun begins with one.
func (t *through) ForceKeyFrame() {
	if t.keys != nil && t.sent {
		t.keys.SkipToKey()
	}
}

// SetBitRate has no effect: the rate is the source's.
func (*through) SetBitRate(encoder.BitRate) error { return nil }
