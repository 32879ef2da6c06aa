package agent

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/adoption"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder"
)

// TestDryRun asks a board without a camera, an encoder and that microphone for what it
// does not have. A board that makes do already with less than its configuration says,
// takes what asks for no more.
func TestDryRun(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	secret := filepath.Join(t.TempDir(), "turn")
	if err := os.WriteFile(secret, []byte("a-credential\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	camera := func(c *configs.Config) { c.Camera.Source = configs.VideoSource{Kind: configs.Device, Path: missing} }
	for _, test := range []struct {
		name    string
		now     func(*configs.Config) // nil for the defaults
		next    func(*configs.Config)
		element string // "" where nothing is in the way
	}{
		{"nothing changes", nil, func(*configs.Config) {}, ""},
		{"a rate for software", nil, func(c *configs.Config) { c.Video.Encoder, c.Video.MaxBitRate = configs.EncoderSoftware, 1e6 }, ""},
		{"no token", nil, func(c *configs.Config) { c.Uplink.TokenFile = missing }, "uplink.token_file"},
		{"no credential", nil, func(c *configs.Config) {
			c.Uplink.ICEServers = []configs.ICEServer{{URLs: []string{"turn:turn.example"}, Username: "bril", CredentialFile: missing}}
		}, "uplink.ice_servers"},
		{"a credential", nil, func(c *configs.Config) {
			c.Uplink.ICEServers = []configs.ICEServer{{URLs: []string{"turn:turn.example"}, Username: "bril", CredentialFile: secret}}
		}, ""},
		{"no such camera", nil, camera, "camera"},
		{"a camera that is missing already", camera, func(c *configs.Config) { camera(c); c.Video.MaxBitRate = 1e6 }, ""},
		{"another rate of a camera that is missing already", camera, func(c *configs.Config) { camera(c); c.Camera.FPS = 10 }, "camera"},
		{"the pattern, at any rate", nil, func(c *configs.Config) { c.Camera.Source.Kind, c.Camera.FPS = configs.Pattern, 10 }, ""},
		{"no such microphone", nil, func(c *configs.Config) {
			c.Microphone.Source = configs.AudioSource{Kind: configs.ALSA, Path: "plughw:99,0"}
		}, "microphone.source"},
		{"a microphone that only ALSA knows", nil, func(c *configs.Config) {
			c.Microphone.Source = configs.AudioSource{Kind: configs.ALSA, Path: "default"}
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			now, next := configs.Default(), configs.Default()
			if test.now != nil {
				test.now(&now)
			}
			test.next(&next)
			a := &Agent{cfg: now, opts: Options{Log: slog.New(slog.DiscardHandler)}}
			err := a.dryRun(next)
			if test.element == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var at element
			if !errors.As(err, &at) || at.Element() != test.element || !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v, want %s", err, test.element)
			}
			if errors.Is(err, adoption.ErrNotNow) {
				t.Error("it would be tried again for ever")
			}
		})
	}
}

func TestWithin(t *testing.T) {
	for _, test := range []struct {
		rate, lowest, highest encoder.BitRate
		ok                    bool
	}{
		{1e6, 0, 0, true},
		{25_000, 25_000, 10e6, true},
		{10e6, 25_000, 10e6, true},
		{24_999, 25_000, 10e6, false},
		{10e6 + 1, 25_000, 10e6, false},
	} {
		if err := within("bcm2835-codec", test.rate, test.lowest, test.highest); (err == nil) != test.ok {
			t.Errorf("%d of %d to %d: %v", test.rate, test.lowest, test.highest, err)
		}
	}
}
