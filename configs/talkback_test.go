package configs

import (
	"strings"
	"testing"
)

// No key leads the customer's voice to a file: ALSA has devices that write one, and
// pipes, and what a name says is its own configuration's.
func TestTalkbackIsHeardBySoundCardsOnly(t *testing.T) {
	for _, device := range []string{"file", "file:/tmp/x", "plug:file", "tee:default,/tmp/x", "hw:", "default", "none", "null", "pulse", "/tmp/x", "hw:0\n", "plughw:0"} {
		for _, key := range []string{"talkback", "cues"} {
			cfg := Default()
			switch key {
			case "talkback":
				cfg.Talkback.Device = device
			default:
				cfg.Cues.Device = device
			}
			if err := cfg.Validate(); (err == nil) != (key == "cues" && device == "none") {
				t.Errorf("%s.device %q: %v", key, device, err)
			}
		}
	}
}

func TestClipSoundNeedsAnEarpiece(t *testing.T) {
	for _, tc := range []struct {
		file string
		ok   bool
	}{
		{"clip: {sound: true}", false},
		{"clip: {sound: true}\ntalkback: {output: open}", false},
		{"clip: {sound: true}\ntalkback: {output: in-ear}", true},
		{"clip: {sound: true}\ntalkback: {enabled: false}", true},
		{"clip: {sound: false}", true},
	} {
		_, err := Parse([]byte(tc.file), "x.yaml")
		if (err == nil) != tc.ok || err != nil && !strings.Contains(err.Error(), "clip.sound: the microphone would hear the customer") {
			t.Errorf("%s: %v", tc.file, err)
		}
	}
}

func TestTalkbackDevice(t *testing.T) {
	for _, tc := range []struct{ cues, own, want string }{
		{"auto", "", "auto"}, {"hw:1,0", "", "hw:1,0"}, {"none", "", "auto"}, {"hw:1,0", "hw:2,0", "hw:2,0"}, {"none", "hw:2,0", "hw:2,0"},
	} {
		cfg := Default()
		cfg.Cues.Device, cfg.Talkback.Device = tc.cues, tc.own
		if got := cfg.TalkbackDevice(); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
}
