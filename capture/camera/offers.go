package camera

import (
	"fmt"
	"strings"
)

// Offers says whether the camera that Open would take runs in exactly the size, at at
// least the frame rate, and in one of the formats of cfg; Open itself takes the nearest.
// It asks the camera what it has and captures nothing. ErrUnsupportedMode says what
// would be nearest, os.ErrNotExist that no camera is connected.
func Offers(cfg Config) error { return machine().offers(cfg) }

func (s system) offers(cfg Config) error {
	cfg = cfg.withDefaults()
	path := cfg.Device
	if path == "" {
		var err error
		if path, err = s.find(cfg); err != nil {
			return err
		}
	}
	device, err := s.describe(path, cfg.Width, cfg.Height)
	if err != nil {
		return err
	}
	best, err := choose(device.Formats, cfg)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var missed []string
	if best.width != cfg.Width || best.height != cfg.Height {
		missed = append(missed, fmt.Sprintf("%dx%d", cfg.Width, cfg.Height))
	}
	if best.fps != 0 && best.fps < cfg.FPS*enough {
		missed = append(missed, fmt.Sprintf("%g frames a second", cfg.FPS))
	}
	if len(missed) == 0 {
		return nil
	}
	return hinted{fmt.Errorf("%s does not do %s: %w; the nearest is %v", path, strings.Join(missed, " at "), ErrUnsupportedMode, best),
		"bril devices lists what it does"}
}

// String is as in 1280x720@30 YUYV.
func (m mode) String() string { return fmt.Sprintf("%dx%d@%g %v", m.width, m.height, m.fps, m.format) }
