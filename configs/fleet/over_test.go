package fleet

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/configs"
)

// ceilings are those of a board that its technician has limited.
func ceilings() Ceilings {
	own := configs.Default()
	own.Fleet.MaxBitRate, own.Fleet.MaxRetention = 2_000_000, configs.Duration(30*24*time.Hour)
	return CeilingsOf(own, []string{"https://cloud.example"}, "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqhl2sjy")
}

// What a bundle may not set, and says so with its line.
func TestOver(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"a bit rate", "video:\n  max_bitrate: 1.5M\n", ""},
		{"a button", "board:\n  buttons:\n    button1: {long: clip}\n", ""},
		{"a relay with a secret", "uplink:\n  ice_servers:\n  - urls: [turns:turn.example:443]\n    username: bril\n    credential_file: secrets/turn\n", ""},
		{"nothing", "# nothing\n", ""},
		{"an unknown key", "video:\n  max_bitrat: 1M\n", "bundle 12:2: video.max_bitrat: unknown key (did you mean max_bitrate?)"},
		{"the light", "board:\n  light: off\n", "bundle 12:2: board.light: unknown key"},
		{"recording of the customer", "talkback:\n  record: true\n", "bundle 12:2: talkback.record: unknown key"},
		{"a value out of range", "camera:\n  fps: 1000\n", "bundle 12:2: camera.fps: 1000 is outside"},
		{"retention of a year", "spool:\n  retention: 365d\n", "bundle 12:2: spool.retention"},
		{"its own ceilings", "fleet:\n  max_bitrate: 8M\n", "bundle 12:1: fleet: a bundle cannot set this"},
		{"that it is taken", "fleet: {enabled: false}\n", "bundle 12:1: fleet: a bundle cannot set this"},
		{"the board", "board:\n  profile: generic\n", "bundle 12:2: board.profile: a bundle cannot set this"},
		{"where the state is", "control: {state_dir: /tmp}\n", "bundle 12:1: control: a bundle cannot set this"},
		{"the token", "uplink:\n  token_file: /etc/shadow\n", "bundle 12:2: uplink.token_file: a bundle cannot set this"},
		{"a file of the board", "camera:\n  source: mp4:/var/lib/bril/x.mp4\n", "bundle 12:2: camera.source: a bundle cannot name a file of the board"},
		{"a watchdog", "camera:\n  source: /dev/watchdog\n", "bundle 12:2: camera.source: a bundle cannot name a file of the board"},
		{"a file by way of the devices", "camera:\n  source: /dev/video/../../etc/shadow\n", "bundle 12:2: camera.source: a bundle cannot name a file of the board"},
		{"a camera", "camera:\n  source: /dev/video2\n", ""},
		{"a camera by its place", "camera:\n  source: /dev/v4l/by-path/platform-csi-video-index0\n", ""},
		{"a key twice", "video: {max_bitrate: 1M}\nvideo: {max_bitrate: 2M}\n", "bundle 12:2: mapping key \"video\" already defined"},
		{"the board's own section, empty", "control:\n", "bundle 12:1: control: a bundle cannot set this"},
		{"a file as a secret", "uplink:\n  ice_servers:\n  - urls: [turn:turn.example]\n    username: x\n    credential_file: /etc/shadow\n", "a bundle names its own secrets only"},
		{"another's secret", "uplink:\n  ice_servers:\n  - urls: [turn:turn.example]\n    username: x\n    credential_file: secrets/../../x\n", "a bundle names its own secrets only"},
		{"a secret that is missing", "uplink:\n  ice_servers:\n  - urls: [turn:turn.example]\n    username: x\n    credential_file: secrets/none\n", `the bundle has no secret "none"`},
		{"a YAML bomb", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "anchors (&), aliases (*) and merge keys"},
		{"a tag", "video: !!python/object x\n", "tags (!)"},
		{"a very long one", strings.Repeat("x: [", 3000), "too long"},
		{"two documents", "video: {}\n---\nvideo: {}\n", "a second YAML document"},
	} {
		t.Run(test.name, func(t *testing.T) {
			base := configs.Default()
			_, _, err := testBundle(func(b *Bundle) { b.Configuration = test.text }).Over(base, "/state/secrets")
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !errors.Is(err, configs.ErrInvalid)):
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
	cfg, lines, err := testBundle(func(b *Bundle) {
		b.Configuration = "uplink:\n  ice_servers:\n  - urls: [turn:turn.example]\n    username: x\n    credential_file: secrets/turn\n"
	}).Over(configs.Default(), "/state/secrets")
	if err != nil || cfg.Uplink.ICEServers[0].CredentialFile != "/state/secrets/turn" || !lines.Has("uplink.ice_servers") {
		t.Errorf("%+v, %v, %v", cfg.Uplink.ICEServers, lines, err)
	}
}

// A key without a value sets nothing: what the board's own file has there stays, and is
// not judged as if a bundle had named it.
func TestOverWithoutValues(t *testing.T) {
	base := configs.Default()
	base.Camera.Source = configs.VideoSource{Kind: configs.MP4, Path: "/var/lib/bril/x.mp4"}
	base.Uplink.WHIPURL = "https://own.example/whip/anna"
	base.Uplink.ICEServers = []configs.ICEServer{{URLs: []string{"turn:turn.example"}, Username: "x", CredentialFile: "/etc/bril/turn"}}
	b := testBundle(func(b *Bundle) { b.Configuration = "camera:\n  source:\nuplink:\n  whip_url: ~\n  ice_servers:\n" })
	cfg, lines, err := b.Over(base, "/state/secrets")
	if err != nil || len(configs.Diff(base, cfg)) > 0 || lines.Has("camera.source") {
		t.Errorf("%v, %v, %v", configs.Diff(base, cfg), lines, err)
	}
	if err := ceilings().Check(b.Name(), cfg, lines); err != nil {
		t.Error(err)
	}
}

// Whom photos are for cannot be taken away either: an endpoint on this machine would be
// asked instead.
func TestRecipientStays(t *testing.T) {
	b := testBundle(func(b *Bundle) { b.Configuration = "spool: {recipient: ''}\n" })
	for recipient, refused := range map[string]bool{"": false, "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p": true} {
		own := configs.Default()
		own.Spool.Recipient = recipient
		cfg, lines, err := b.Over(own, "/state/secrets")
		if err != nil {
			t.Fatal(err)
		}
		if err := CeilingsOf(own, nil, recipient).Check(b.Name(), cfg, lines); (err != nil) != refused {
			t.Errorf("of %q: %v", recipient, err)
		}
	}
}

func TestCeilings(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"video: {max_bitrate: 2M}", ""},
		{"video: {max_bitrate: 2.1M}", "bundle 12:1: video.max_bitrate: 2.1M is above what this board allows, fleet.max_bitrate: 2M"},
		{"spool: {retention: 30d}", ""},
		{"spool: {retention: 31d}", "spool.retention: 31d is above what this board allows, fleet.max_retention: 30d"},
		{"uplink: {whip_url: 'https://cloud.example/whip/other'}", ""},
		{"uplink: {whip_url: 'https://CLOUD.example:443/whip/other'}", ""},
		{"uplink: {whip_url: 'https://evil.example/whip/anna'}", "uplink.whip_url: https://evil.example is not an origin of this board's enrolment"},
		{"uplink: {whip_url: 'https://cloud.example:8443/whip/anna'}", "uplink.whip_url: https://cloud.example:8443 is not an origin"},
		{"upload: {url: 'https://evil.example/files/'}", "upload.url: https://evil.example is not an origin"},
		{"calls: {events_url: 'https://evil.example/events'}", "calls.events_url: https://evil.example is not an origin"},
		{"uplink: {trusted_origins: ['https://evil.example']}", "uplink.trusted_origins[0]: https://evil.example is not an origin"},
		{"uplink: {trusted_origins: ['turn:turn.example']}", ""},
		{"spool: {recipient: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p}", "spool.recipient: photos and clips are for the recipient"},
		{"photo: {quality: 80}", ""},
	} {
		t.Run(test.text, func(t *testing.T) {
			b := testBundle(func(b *Bundle) { b.Configuration = test.text + "\n" })
			cfg, lines, err := b.Over(configs.Default(), "/state/secrets")
			if err != nil {
				t.Fatal(err)
			}
			err = ceilings().Check(b.Name(), cfg, lines)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// A manager's dry run says what the board would, of what it has told.
func TestCeilingsTold(t *testing.T) {
	base := configs.Default()
	base.Fleet.MaxBitRate, base.Video.MaxBitRate = 2_000_000, 1_500_000
	base.Uplink.WHIPURL, base.Upload.URL = "https://whip.example/anna", "https://cloud.example/files/"
	base.Uplink.TrustedOrigins = []string{"https://other.example"}
	for text, want := range map[string]string{
		"video: {max_bitrate: 2M}":                                                               "",
		"video: {max_bitrate: 2.1M}":                                                             "fleet.max_bitrate: 2M",
		"uplink: {whip_url: 'https://cloud.example/whip/anna'}":                                  "",
		"calls: {events_url: 'https://other.example/events'}":                                    "",
		"uplink: {whip_url: 'https://evil.example/whip/anna'}":                                   "not an origin of this board's enrolment",
		"uplink: {trusted_origins: ['https://evil.example']}":                                    "not an origin",
		"upload: {url: ''}\nuplink: {trusted_origins: [], whip_url: 'https://whip.example/ben'}": "",
	} {
		_, err := testBundle(func(b *Bundle) { b.Configuration = text + "\n" }).OverTold(base, "/secrets")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// FuzzOver: whatever a manager signs, what is the board's own stays as it is, and what
// passes is a valid configuration within the ceilings.
func FuzzOver(f *testing.F) {
	for _, text := range []string{
		"video:\n  max_bitrate: 1.5M\n", "uplink:\n  ice_servers:\n  - urls: [turns:turn.example:443]\n    username: bril\n    credential_file: secrets/turn\n",
		"control: {state_dir: /tmp}\n", "camera: {source: /dev/video0, fps: 15}\n", "a: &a [*a]\n", "uplink:\n  whip_url: https://evil.example/whip/anna\n",
		"spool: {recipient: '', retention: 30d}\n", "\"fleet\":\n  'enabled': false\n", "session: anna\n", "uplink: {token_file: ~}\n",
	} {
		f.Add(text)
	}
	base := configs.Default()
	base.Uplink.TokenFile, base.Uplink.WHIPURL = "/etc/bril/token", "https://cloud.example/whip/anna"
	base.Fleet.MaxBitRate, base.Video.MaxBitRate = 2_000_000, 1_500_000
	limits := CeilingsOf(base, []string{"https://cloud.example"}, "")
	before := base.Values()
	f.Fuzz(func(t *testing.T, text string) {
		b := testBundle(func(b *Bundle) { b.Configuration = text })
		cfg, lines, err := b.Over(base, "/state/secrets")
		if !slices.Equal(before, base.Values()) {
			t.Fatal("the configuration below was changed")
		}
		if err != nil {
			if !errors.Is(err, configs.ErrInvalid) {
				t.Fatalf("no problem of a configuration: %v", err)
			}
			return
		}
		if err := cfg.Validate(); err != nil {
			t.Fatalf("what passes is not valid: %v", err)
		}
		for _, d := range configs.Diff(base, cfg) {
			if section, _, _ := strings.Cut(d.Key, "."); localOnly(d.Key) != "" || localOnly(section) != "" {
				t.Fatalf("%s is the board's own, and went from %s to %s", d.Key, d.From, d.To)
			}
		}
		for _, s := range cfg.Uplink.ICEServers {
			if s.CredentialFile != "" && s.CredentialFile != "/state/secrets/turn" {
				t.Fatalf("%s is a file of the board", s.CredentialFile)
			}
		}
		if limits.Check(b.Name(), cfg, lines) == nil && (cfg.Video.MaxBitRate > base.Fleet.MaxBitRate || originOf(cfg.Uplink.WHIPURL) != "https://cloud.example") {
			t.Fatalf("%v to %s is above what the board allows", cfg.Video.MaxBitRate, cfg.Uplink.WHIPURL)
		}
	})
}
