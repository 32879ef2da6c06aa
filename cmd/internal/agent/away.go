package agent

import (
	"context"

	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware/hotplug"
)

// watchDevices tells of what may be a camera or a microphone. A message that was
// lost may have been of either.
func watchDevices(ctx context.Context, came func(camera, microphone bool)) error {
	return hotplug.Run(ctx, func(subsystem string) {
		switch subsystem {
		case "video4linux":
			came(true, false)
		case "sound":
			came(false, true)
		case "":
			came(true, true)
		}
	})
}

// takesDevices says whether anything is to come from a device.
func takesDevices(cfg configs.Config) bool {
	switch cfg.Camera.Source.Kind {
	case configs.Auto, configs.Device:
		return true
	}
	switch cfg.Microphone.Source.Kind {
	case configs.Auto, configs.ALSA:
		return true
	}
	return false
}

// notice is what viewers read while the camera has failed, in the language that
// the showroom speaks.
func notice(language string) string {
	switch language {
	case "nl":
		return "geen camerabeeld"
	case "de":
		return "kein Kamerabild"
	}
	return "no camera picture"
}
