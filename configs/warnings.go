package configs

import (
	"cmp"
	"fmt"
	"os"
)

// Warnings returns what is allowed but deserves a look: secrets that others on
// this machine can read or change, by their files' modes, and pictures that some
// viewers cannot show.
func (c Config) Warnings() (warnings []Problem) {
	warnings = append(warnings, levelWarning(c.Camera)...)
	warnings = append(warnings, mediaWarnings(c)...)
	warnings = append(warnings, callsWarnings(c)...)
	warnings = append(warnings, modeWarning("uplink.token_file", c.Uplink.TokenFile)...)
	for i, server := range c.Uplink.ICEServers {
		key := fmt.Sprintf("uplink.ice_servers[%d].credential_file", i)
		warnings = append(warnings, modeWarning(key, server.CredentialFile)...)
	}
	return warnings
}

func modeWarning(key, path string) []Problem {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return []Problem{{Key: key, Message: fmt.Sprintf("%s: %v", path, withoutPath(err)), cause: err}}
	}
	if mode := info.Mode().Perm(); mode&0o026 != 0 {
		return []Problem{{Key: key, Message: fmt.Sprintf("%s can be read or changed by others (mode %#o)", path, mode), Hint: "chmod 600 " + path}}
	}
	return nil
}

// H.264 level 3.1 (ITU-T H.264, table A-1), which every WebRTC implementation
// has to decode (RFC 7742, section 6.2), in macroblocks of 16x16 pixels.
const (
	levelFrame  = 3600
	levelSecond = 108_000
)

// levelWarning is about raw pictures that need a higher level. A camera's own
// H.264 and files are what they are.
func levelWarning(c Camera) []Problem {
	key, size, fps := "camera.size", c.Size, c.FPS
	switch {
	case c.Source.Kind != Auto && c.Source.Kind != Device && c.Source.Kind != Pattern, c.Format == "H264":
		return nil
	case c.Source.Kind == Pattern && c.Source.Width > 0:
		key, size = "camera.source", Size{c.Source.Width, c.Source.Height}
		fps = cmp.Or(c.Source.FPS, fps)
	}
	blocks := ((size.Width + 15) / 16) * ((size.Height + 15) / 16)
	if blocks <= levelFrame && blocks*fps <= levelSecond {
		return nil
	}
	return []Problem{{Key: key, Message: fmt.Sprintf("%v at %d frames a second is more than H.264 level 3.1 holds: some viewers "+
		"cannot show it, and it costs battery", size, fps), Hint: "1280x720 at 30 and 640x480 at 60 are safe"}}
}
