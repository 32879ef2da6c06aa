package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/cmd/internal/adoption"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder"
)

// element is an error with the part of the board, or the key, that it is about.
type element struct {
	error
	name string
}

func (e element) Unwrap() error { return e.error }

// Element is what failed, as the fleet's service shows it.
func (e element) Element() string { return e.name }

// dryRun says whether this board can do what another configuration asks for. It asks
// the devices and captures nothing. Only what differs from now is looked at: a board
// that makes do with less than its configuration says would otherwise take nothing.
func (a *Agent) dryRun(cfg configs.Config) error {
	next := &Agent{cfg: cfg, opts: a.opts}
	for _, check := range []func(*Agent) error{a.tryFiles, a.tryCamera, a.tryEncoder, a.tryMicrophone} {
		if err := check(next); err != nil {
			return err
		}
	}
	return nil
}

// tryFiles reads what the configuration names.
func (a *Agent) tryFiles(next *Agent) error {
	if _, err := token(next.cfg.Uplink); err != nil {
		return element{err, "uplink.token_file"}
	}
	if _, err := iceServers(next.cfg.Uplink.ICEServers); err != nil {
		return element{err, "uplink.ice_servers"}
	}
	return nil
}

func (a *Agent) tryCamera(next *Agent) error {
	was, is := a.cfg.Camera, next.cfg.Camera
	same := was.Source == is.Source && was.Size == is.Size && was.FPS == is.FPS && was.Format == is.Format && was.Rotation == is.Rotation
	if same || !usesCamera(next.cfg) {
		return nil
	}
	err := camera.Offers(next.cameraConfig(next.chips()))
	switch {
	case errors.Is(err, fs.ErrNotExist) && is.Source.Kind == configs.Auto:
		return fmt.Errorf("no camera says whether it does %v at %d frames a second: %w", is.Size, is.FPS, adoption.ErrNotNow)
	case err != nil:
		return element{err, "camera"}
	}
	return nil
}

// tryEncoder asks the board's encoder. What software can do, it shows on probation.
func (a *Agent) tryEncoder(next *Agent) error {
	was, is := a.cfg.Video, next.cfg.Video
	chips := next.chips()
	if is.Encoder == configs.EncoderHardware && len(chips) == 0 {
		return element{fmt.Errorf("find a hardware encoder: %w", fs.ErrNotExist), "video.encoder"}
	}
	if was.MaxBitRate == is.MaxBitRate || len(chips) == 0 {
		return nil
	}
	lowest, highest, err := chips[0].BitRates()
	if err != nil {
		return element{err, "encoder"}
	}
	return within(chips[0].Card, encoder.BitRate(is.MaxBitRate), lowest, highest)
}

// within says whether an encoder takes a rate; lowest and highest are 0 where it does
// not say what it takes.
func within(card string, rate, lowest, highest encoder.BitRate) error {
	if highest == 0 || lowest <= rate && rate <= highest {
		return nil
	}
	return element{fmt.Errorf("%s takes %d to %d bits a second, not %d", card, lowest, highest, rate), "video.max_bitrate"}
}

// tryMicrophone looks for a sound card that is named by its number, as List names it;
// what else ALSA's configuration may know, shows when it is used.
func (a *Agent) tryMicrophone(next *Agent) error {
	is := next.cfg.Microphone.Source
	if is == a.cfg.Microphone.Source || is.Kind != configs.ALSA {
		return nil
	}
	name := strings.TrimPrefix(is.Path, "plug")
	var card, device int
	if n, _ := fmt.Sscanf(name, "hw:%d,%d", &card, &device); n != 2 {
		return nil
	}
	list, err := microphone.List()
	if err != nil {
		return element{err, "microphone"}
	}
	if !slices.ContainsFunc(list, func(d microphone.Device) bool { return d.Name == name }) {
		return element{hinted{fmt.Errorf("find microphone %s: %w", is.Path, fs.ErrNotExist), "bril devices lists the microphones"}, "microphone.source"}
	}
	return nil
}
