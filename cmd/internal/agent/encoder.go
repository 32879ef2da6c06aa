package agent

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/pixel"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/m2m"
	"github.com/bril-edge/bril/encoder/openh264"
)

// newVideoEncoder makes what v needs: none of ours for a stream that is encoded
// already, the board's encoder where there is one, openh264 otherwise, and always
// for black, as a chip may have room for one stream only.
func (a *Agent) newVideoEncoder(v session.Video, rate encoder.BitRate, sink func(encoder.AccessUnit) error) (session.VideoEncoder, error) {
	if v.Format.Format == capture.H264 {
		return newPassthrough(v, sink)
	}
	gop := a.gop(v)
	soft := func(rate encoder.BitRate) (session.VideoEncoder, error) {
		return a.newSoftware(v.Format, gop, rate, sink)
	}
	if v.Source == nil || a.cfg.Video.Encoder == configs.EncoderSoftware {
		return soft(rate)
	}
	chip, ok := chipFor(a.chips(), v.Format)
	strict := a.cfg.Video.Encoder == configs.EncoderHardware
	switch {
	case !ok && strict:
		return nil, hinted{fmt.Errorf("find a hardware encoder for %v: %w", v.Format, os.ErrNotExist),
			"bril devices lists the encoders; set video.encoder to auto to do without"}
	case !ok:
		return soft(rate)
	}
	h := &chipFirst{strict: strict, soft: soft, rate: rate, log: a.opts.Log}
	h.open = func(rate encoder.BitRate) (chipEncoder, error) {
		return m2m.Open(m2m.Config{
			Device: chip.Path, Format: v.Format.Format, Width: v.Format.Width, Height: v.Format.Height,
			FPS: v.Format.FPS, BitRate: rate, GOP: gop, Log: a.opts.Log,
		}, sink)
	}
	if err := h.start(); err != nil {
		return nil, err
	}
	return h, nil
}

// keyFrameEvery is the longest from one key frame to the next of what is recorded:
// a clip begins with one.
const keyFrameEvery = 2 * time.Second

// gop returns the distance of key frames that the encoder of v keeps by itself:
// that of the configuration, or of what is recorded one so short that the session
// has none to force, for which some drivers start anew. A tenth is left to a camera
// slower than it says, and three pictures are how far the session looks ahead.
func (a *Agent) gop(v session.Video) time.Duration {
	gop := time.Duration(a.cfg.Video.GOP)
	if a.tap == nil || v.Source == nil {
		return gop
	}
	ahead := time.Duration(3 / cmp.Or(v.Format.FPS, 30) * float64(time.Second))
	return min(gop, max(keyFrameEvery*9/10-ahead, keyFrameEvery/4))
}

// chips returns the board's encoders that may be used.
func (a *Agent) chips() []m2m.Device {
	if a.cfg.Video.Encoder == configs.EncoderSoftware {
		return nil
	}
	return m2m.List()
}

// chipFor returns the encoder for pictures of a format: as they are, or, of I420,
// with their chroma put another way while they are copied.
func chipFor(chips []m2m.Device, f capture.VideoFormat) (m2m.Device, bool) {
	for _, d := range chips {
		takes := d.Takes(f.Format) || f.Format == capture.I420 && d.Takes(capture.NV12)
		if takes && d.Fits(f.Width, f.Height) {
			return d, true
		}
	}
	return m2m.Device{}, false
}

// software is openh264 as the session wants it, behind a converter.
type software struct {
	*openh264.Encoder
	converter *pixel.Converter
	copied    uint64
}

func (a *Agent) newSoftware(f capture.VideoFormat, gop time.Duration, rate encoder.BitRate, sink func(encoder.AccessUnit) error) (session.VideoEncoder, error) {
	converter, err := pixel.New(pixel.Config{Log: a.opts.Log})
	if err != nil {
		return nil, err
	}
	enc, err := openh264.New(openh264.Config{
		Width: f.Width, Height: f.Height,
		FPS:     f.FPS,
		BitRate: rate,
		GOP:     gop,
		Log:     a.opts.Log,
	}, sink)
	if err != nil {
		return nil, errors.Join(err, converter.Close())
	}
	return &software{Encoder: enc, converter: converter}, nil
}

const softwareName = "openh264 (software)"

func (s *software) State() session.EncoderState {
	return session.EncoderState{Name: softwareName, Skipped: s.Skipped(), Copied: s.copied}
}

func (s *software) Encode(f capture.Frame) error {
	if f.Format != capture.I420 {
		var err error
		if f, err = s.converter.Convert(f); err != nil {
			return err
		}
		s.copied++
	}
	defer f.Release()
	return s.Encoder.Encode(f)
}

func (s *software) Close() error { return errors.Join(s.Encoder.Close(), s.converter.Close()) }
