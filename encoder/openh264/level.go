package openh264

import (
	"fmt"

	"github.com/bril-edge/bril/encoder/h264"
)

func level(c Config) int {
	return int(h264.LevelFor(c.Width, c.Height, c.FPS, int64(c.BitRate)))
}

// ProfileLevelID returns what an offer says of the stream (RFC 6184 section
// 8.1): constrained baseline at the level in use.
func (e *Encoder) ProfileLevelID() string { return fmt.Sprintf("42e0%02x", level(e.config)) }
