package configs

import (
	"strings"
	"testing"
)

func TestVideoSource(t *testing.T) {
	for spec, want := range map[string]VideoSource{
		"auto":                  {Kind: Auto},
		"none":                  {Kind: None},
		"pattern":               {Kind: Pattern},
		"pattern:640x480":       {Kind: Pattern, Width: 640, Height: 480},
		"pattern:640x480@25":    {Kind: Pattern, Width: 640, Height: 480, FPS: 25},
		"/dev/video0":           {Kind: Device, Path: "/dev/video0"},
		"/dev/v4l/by-id/usb-a:": {Kind: Device, Path: "/dev/v4l/by-id/usb-a:"},
		"y4m:a b.y4m":           {Kind: Y4M, Path: "a b.y4m"},
		"y4m:-":                 {Kind: Y4M, Path: "-"},
		"h264:/x:y":             {Kind: H264, Path: "/x:y"},
		"mp4:x.mp4":             {Kind: MP4, Path: "x.mp4"},
	} {
		got, err := ParseVideoSource(spec)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", spec, got, err)
		}
		if got.String() != spec || got.Live() != (spec == "y4m:-") {
			t.Errorf("%s: prints as %s, live %v", spec, got, got.Live())
		}
	}
}

func TestVideoSourceRefuses(t *testing.T) {
	for spec, want := range map[string]string{
		"":                  "it may be auto, none,",
		"webcam":            "it may be auto, none,",
		"auto:1":            "is not known",
		"/dev/":             "is not known",
		"pattern:":          `"" is not a size such as`,
		"pattern:640x480@":  `"" is not a frame rate from 1 to 60`,
		"pattern:640x480@0": "is not a frame rate",
		"pattern:8x8":       "size 8x8 is not allowed: 64x64",
		"pattern:641x480":   "both numbers even",
		"pattern:640x480x3": "is not a size",
		"y4m:":              "names no file",
		"mp4:-":             "only y4m: can be read from standard input",
		"/home/a/x.mp4":     "for a file write mp4:/home/a/x.mp4",
		"walk.Y4M":          "for a file write y4m:walk.Y4M",
		"speech.wav":        "it may be auto",
		"y4m:a\x1b[2J":      "control characters",
	} {
		if got, err := ParseVideoSource(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v, %v; want %q", spec, got, err, want)
		}
	}
}

func TestAudioSource(t *testing.T) {
	for spec, want := range map[string]AudioSource{
		"auto":       {Kind: Auto},
		"none":       {Kind: None},
		"tone":       {Kind: Tone},
		"hw:1,0":     {Kind: ALSA, Path: "hw:1,0"},
		"wav:a.wav":  {Kind: WAV, Path: "a.wav"},
		"opus:a.ogg": {Kind: Opus, Path: "a.ogg"},
	} {
		if got, err := ParseAudioSource(spec); err != nil || got != want || got.String() != spec {
			t.Errorf("%s: got %+v, %v", spec, got, err)
		}
	}
	for spec, want := range map[string]string{
		"":         "it may be auto, none, tone",
		"hw:":      "is not known",
		"wav:":     "names no file; write wav:FILE",
		"opus:-":   "names no file",
		"tone:440": "is not known",
		"a.wav":    "for a file write wav:a.wav",
		"a.mp4":    "it may be",
		"hw:\n":    "control characters",
	} {
		if got, err := ParseAudioSource(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v, %v; want %q", spec, got, err, want)
		}
	}
}

func FuzzParseSource(f *testing.F) {
	for _, spec := range []string{"auto", "none", "pattern", "pattern:640x480@25", "pattern:1x", "/dev/video0", "y4m:-", "h264:a",
		"mp4:a", "tone", "hw:CARD=Glasses,DEV=0", "wav:a", "opus:a", "pattern:0640x480@025", ""} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		if v, err := ParseVideoSource(spec); err == nil {
			if again, err := ParseVideoSource(v.String()); err != nil || again != v {
				t.Errorf("video %q: %+v prints as %q, which is %+v, %v", spec, v, v, again, err)
			}
		}
		if a, err := ParseAudioSource(spec); err == nil {
			if again, err := ParseAudioSource(a.String()); err != nil || again != a {
				t.Errorf("sound %q: %+v prints as %q, which is %+v, %v", spec, a, a, again, err)
			}
		}
	})
}
