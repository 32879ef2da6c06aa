package agent

import (
	"context"
	"errors"
	"testing"

	"filippo.io/age"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware/clock"
	"github.com/bril-edge/bril/uplink/discover"
)

const otherCloud = "https://cloud.example/whip/7"

func newKey(t *testing.T) *age.X25519Recipient {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return key.Recipient()
}

// TestRecipient: whom items are for, how far that can be trusted, and that nobody is
// asked for what is configured.
func TestRecipient(t *testing.T) {
	configured, told := newKey(t), newKey(t)
	const elsewhere = "https://cloud.example/api/uploads/"
	found := discover.Found{Uploads: "http://127.0.0.1:8080/api/uploads/", Recipient: told}
	away := errors.New("nobody answers")
	tests := []struct {
		name               string
		whip               string
		recipient, uploads string // of the configuration
		err                error  // of the endpoint
		want               *age.X25519Recipient
		trust, sentTo      string
		asked              int // for a photo
	}{
		{"configured", otherCloud, configured.String(), elsewhere, nil, configured, recipientConfigured, elsewhere, 0},
		{"nobody", otherCloud, "", elsewhere, nil, nil, recipientNone, elsewhere, 0},
		{"told", "", "", "", nil, told, recipientUnverified, found.Uploads, 1},
		{"not told for another cloud", "", "", elsewhere, nil, nil, recipientNone, elsewhere, 0},
		{"told, while it is away", "", "", "", away, nil, recipientNone, "", 1},
		{"configured, and uploads are not", "", configured.String(), "", nil, configured, recipientConfigured, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := configs.Default()
			if tt.whip != "" {
				cfg.Uplink.WHIPURL = tt.whip
			}
			cfg.Spool.Recipient, cfg.Upload.URL = tt.recipient, tt.uploads
			c, err := newCloud(cfg, Options{StateDir: t.TempDir()}, new(clock.Clock), nil)
			if err != nil {
				t.Fatal(err)
			}
			asked := 0
			if c.find != nil {
				c.find = func(context.Context) (discover.Found, error) {
					asked++
					return found, tt.err
				}
			}
			got, err := c.Recipient(t.Context())
			if (err == nil) != (tt.want != nil) || err == nil && got.(*age.X25519Recipient).String() != tt.want.String() {
				t.Errorf("got %v, %v", got, err)
			}
			if trust, to, _ := c.state(); trust != tt.trust || to != tt.sentTo || asked != tt.asked {
				t.Errorf("%q, sent to %q, asked %d times", trust, to, asked)
			}
		})
	}
}

func TestUploadLimit(t *testing.T) {
	cfg := configs.Default()
	cfg.Video.MaxBitRate, cfg.Upload.LiveShare = 2_000_000, 20
	for _, tt := range []struct {
		phase session.Phase
		rate  int64
		want  int64 // bytes a second
	}{
		{session.Off, 0, 0},
		{session.Ready, 0, 0},
		{session.Live, 1_000_000, 25_000},
		{session.Paused, 1_000_000, 25_000},
		{session.Connecting, 0, 50_000}, // for as long as the endpoint is away
		{session.Live, 10, 1},
	} {
		if got := limitBeside(tt.phase, tt.rate, cfg); got != tt.want {
			t.Errorf("%s at %d bits a second: %d, want %d", tt.phase, tt.rate, got, tt.want)
		}
	}
}
