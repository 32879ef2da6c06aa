package configs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestReferenceIsTheDefault(t *testing.T) {
	cfg, err := Parse([]byte(Reference()), "bril.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(cfg.filled(), Default().filled()) {
		t.Errorf("the reference parses to\n%+v\nthe default is\n%+v", cfg, Default())
	}
}

func TestReferenceHasAndExplainsEveryKey(t *testing.T) {
	lines := strings.Split(Reference(), "\n")
	for _, full := range elsewhere() {
		_, key, _ := strings.Cut(full, ".")
		at := -1
		for i, l := range lines {
			if strings.HasPrefix(l, "  "+key+":") && inSection(lines[:i], full) {
				at = i
			}
		}
		switch {
		case at < 0:
			t.Errorf("%s is not in bril.yaml", full)
		case !strings.HasPrefix(strings.TrimSpace(lines[at-1]), "#"):
			t.Errorf("%s has no comment above it", full)
		}
	}
}

func inSection(before []string, full string) bool {
	section, _, _ := strings.Cut(full, ".")
	for i := len(before) - 1; i >= 0; i-- {
		if l := before[i]; l != "" && l[0] != ' ' && l[0] != '#' {
			return l == section+":"
		}
	}
	return false
}

func TestParseDefaults(t *testing.T) {
	for _, data := range []string{"", "\n\n", "# nothing\n", "---\n", "camera:\n", "camera: {}\n", "uplink:\n  ice_servers:\n", "\xef\xbb\xbf", "\r\n"} {
		cfg, err := Parse([]byte(data), "x.yaml")
		if err != nil || !reflect.DeepEqual(cfg, Default()) {
			t.Errorf("%q: %v, %+v", data, err, cfg)
		}
	}
}

// recipient is of age's own tests.
const recipient = "age1cy0su9fwf3gf9mw868g5yut09p6nytfmmnktexz2ya5uqg9vl9sss4euqm"

func TestParseValues(t *testing.T) {
	cfg, err := Parse([]byte(strings.ReplaceAll(`
uplink:
  whip_url: https://cloud.example/whip/7?room=a
  token_file: /etc/bril/token
  trusted_origins: [https://a.example, "https://b.example:8443"]
  interface: wlan0
  loopback: true
  ice_servers:
  - urls: [turn:t.example:3478?transport=tcp, turns:t.example]
    username: me
    credential_file: /etc/bril/turn
  - {urls: ["stun:[2001:db8::1]:3478"]}
camera: {source: "pattern:640x480@25", size: 640x480, fps: 60, format: YUYV, rotation: 270, power_line: off, exposure: 8ms, focus: 0, white_balance: 4500, loop: true}
microphone: {source: "hw:1,0", gain_db: -3.5}
video: {max_bitrate: 800k, gop: 1m, encoder: hardware}
audio: {bitrate: 24000}
session: {name: anna-7, no_viewer_timeout: 0, max_live: 1h30m, warn_before: 90s}
media: {outside_session: true, label: "Gent, 3"}
photo: {quality: 75}
clip: {pre_roll: 10s, max_length: 2m, sound: true}
spool: {dir: /data/spool, quota: 0.5G, recipient: `+recipient+`, retention: 30d}
upload: {url: "https://cloud.example/api/uploads/", live_share: 50}
cues: {device: "hw:2,0", language: nl, volume_db: -6}
talkback: {enabled: true, device: "hw:3,0", output: in-ear, volume_db: -3}
calls: {events_url: "https://cloud.example/api/glasses/{name}/events"}
power: {battery_low: 30, battery_empty: 5, warm: 60, hot: 65, very_hot: 70}
board: {profile: virtual, buttons: {button1: {short: live, double: none}, button2: {long: photo-show}}}
`, "\n", "\r\n")), "x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Uplink = Uplink{
		WHIPURL: "https://cloud.example/whip/7?room=a", TokenFile: "/etc/bril/token",
		TrustedOrigins: []string{"https://a.example", "https://b.example:8443"}, Interface: "wlan0", Loopback: true,
		ICEServers: []ICEServer{
			{URLs: []string{"turn:t.example:3478?transport=tcp", "turns:t.example"}, Username: "me", CredentialFile: "/etc/bril/turn"},
			{URLs: []string{"stun:[2001:db8::1]:3478"}},
		},
	}
	want.Camera = Camera{
		Source: VideoSource{Kind: Pattern, Width: 640, Height: 480, FPS: 25}, Size: Size{640, 480}, FPS: 60, Format: "YUYV",
		Rotation: 270, PowerLine: "off", Exposure: Exposure(8 * time.Millisecond), Focus: Focus{Manual: true}, WhiteBalance: 4500, Loop: true,
	}
	want.Microphone = Microphone{Source: AudioSource{Kind: ALSA, Path: "hw:1,0"}, GainDB: -3.5}
	want.Video = Video{MaxBitRate: 800_000, GOP: Duration(time.Minute), Encoder: EncoderHardware}
	want.Audio.BitRate = 24_000
	want.Session = Session{Name: "anna-7", MaxLive: Duration(90 * time.Minute), WarnBefore: Duration(90 * time.Second)}
	want.Media = Media{OutsideSession: true, Label: "Gent, 3"}
	want.Photo.Quality = 75
	want.Clip = Clip{PreRoll: Duration(10 * time.Second), MaxLength: Duration(2 * time.Minute), Sound: true}
	want.Spool = Spool{Dir: "/data/spool", Quota: 500_000_000, Recipient: recipient, Retention: Duration(30 * day)}
	want.Upload = Upload{URL: "https://cloud.example/api/uploads/", LiveShare: 50}
	want.Cues = Cues{Device: "hw:2,0", Language: "nl", VolumeDB: -6}
	want.Talkback = Talkback{Enabled: true, Device: "hw:3,0", Output: OutputInEar, VolumeDB: -3}
	want.Calls.EventsURL = "https://cloud.example/api/glasses/{name}/events"
	want.Power = Power{BatteryLow: 30, BatteryVeryLow: 10, BatteryEmpty: 5, Warm: 60, Hot: 65, VeryHot: 70}
	want.Board.Profile, want.Board.Buttons.Button1 = "virtual", Gestures{ActionLive, ActionNone, ActionLive}
	want.Board.Buttons.Button2.Long = ActionPhotoShow
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got\n%+v\nwant\n%+v", cfg, want)
	}
}

// Each row is a file and what its error must say, one string a problem.
var badFiles = []struct {
	name, data string
	want       []string
}{
	{"unknown key", "camera:\n  rotaton: 90\n", []string{"x.yaml:2: camera.rotaton: unknown key (did you mean rotation?)"}},
	{"unknown section", "camra:\n  fps: 9\n", []string{"x.yaml:1: camra: unknown key (did you mean camera?)"}},
	{"key of another section", "\nfps: 9\n", []string{"x.yaml:2: fps: unknown key (did you mean camera.fps?)"}},
	{"dash for underscore", "session:\n  max-live: 1h", []string{"x.yaml:2: session.max-live: unknown key (did you mean max_live?)"}},
	{"nothing near", "video:\n  colour: red", []string{"x.yaml:2: video.colour: unknown key (known here: max_bitrate, gop, encoder)"}},
	{"key in a list", "uplink:\n  ice_servers:\n  - url: [stun:a]\n", []string{
		"x.yaml:3: uplink.ice_servers[0].url: unknown key (did you mean urls?)",
		"uplink.ice_servers[0].urls: an ICE server needs at least one"}},
	{"repeated key", "camera:\n  fps: 9\n  fps: 10\n", []string{`x.yaml:3: mapping key "fps" already defined at [2:3]`}},
	{"not YAML", "camera: [", []string{"x.yaml:1: sequence end token ']' not found"}},
	{"tab", "camera:\n\tfps: 9\n", []string{"x.yaml:2: the line begins with a tab: YAML takes spaces only"}},
	{"tab after spaces", "camera:\n  fps: 9\n  \tloop: true\n", []string{"x.yaml:3: the line begins with a tab"}},
	{"a word", "hello", []string{"x.yaml:1: expected keys below it, such as uplink, camera"}},
	{"a list", "- a", []string{"x.yaml:1: expected keys below it"}},
	{"two documents", "camera:\n  fps: 9\n---\nvideo: {}\n", []string{"x.yaml:4: a second YAML document"}},
	{"anchor", "camera:\n  fps: &a 9\n", []string{"x.yaml:2: anchors (&), aliases (*) and merge keys (<<) are not supported"}},
	{"alias bomb", "uplink: &a [*a, *a]\n", []string{"x.yaml:1: anchors (&)"}},
	{"merge", "camera:\n  <<: {fps: 9}\n", []string{"x.yaml:2: anchors (&)"}},
	{"tag", "camera:\n  fps: !!int 9\n", []string{"x.yaml:2: tags (!), directives (%) and explicit keys (?) are not supported"}},
	{"directive", "%YAML 1.2\n---\ncamera: {}\n", []string{"x.yaml:1: tags (!), directives (%)"}},
	{"deep", strings.Repeat("[", 10_000), []string{"x.yaml:1: too long: this is not a configuration file"}},
	{"map for value", "camera:\n  fps: {a: 1}\n", []string{"camera.fps: expected a plain value, found mapping"}},
	{"value for list", "uplink:\n  trusted_origins: https://a\n", []string{"x.yaml:2: uplink.trusted_origins: expected a list"}},
	{"not a number", "camera:\n  fps: fast\n", []string{`x.yaml:2: camera.fps: "fast" is not a whole number`}},
	{"hexadecimal", "camera:\n  fps: 0x1e\n", []string{`"0x1e" is not a whole number`}},
	{"not a boolean", "camera:\n  loop: yes\n", []string{`camera.loop: "yes" is not true or false`}},
	{"NaN", "microphone:\n  gain_db: .nan\n", []string{`microphone.gain_db: ".nan" is not a number`}},
	{"no unit", "session:\n  max_live: 10\n", []string{`session.max_live: "10" is not a duration such as`}},
	{"negative", "session:\n  max_live: -1h\n", []string{`"-1h" is not a duration`}},
	{"bit rate", "video:\n  max_bitrate: 2.5Mbps\n", []string{`"2.5Mbps" is not a bit rate such as`}},
	{"size", "camera:\n  size: 720p\n", []string{`"720p" is not a size such as 1280x720`}},
	{"odd size", "camera:\n  size: 641x480\n", []string{"x.yaml:2: camera.size: 641x480 is not allowed: 64x64 to"}},
	{"source", "camera:\n  source: webcam\n", []string{`camera.source: camera source "webcam" is not known: it may be auto`}},
	{"out of range", "video: {max_bitrate: 20M, gop: 100ms, encoder: soft}\naudio: {bitrate: 1k}\nmicrophone: {gain_db: 40}\n", []string{
		"x.yaml:1: video.max_bitrate: 20M is outside 100k to 8M", "video.gop: 100ms is outside 1s to 1m",
		`video.encoder: "soft" is not one of auto, hardware, software`,
		"x.yaml:2: audio.bitrate: 1k is outside 6k to 256k", "x.yaml:3: microphone.gain_db: 40 dB is outside -30 dB to 30 dB"}},
	{"camera limits", "camera: {fps: 0, rotation: 45, power_line: 50Hz, format: yuyv, exposure: 2s, white_balance: 400}", []string{
		"camera.fps: 0 is outside 1 to 60", `camera.rotation: "45" is not one of 0, 90, 180, 270`,
		`camera.power_line: "50Hz" is not one of 50hz, 60hz, auto, off (did you mean 50hz?)`,
		`"yuyv" is not one of auto, YUYV, NV12, YU12, MJPEG, H264 (did you mean YUYV?)`, "camera.exposure: 2s is outside 100µs to 1s",
		"camera.white_balance: 400 is outside 1000 to 20000"}},
	{"session limits", "session: {no_viewer_timeout: 1s, max_live: 13h, warn_before: 14h}", []string{
		"session.no_viewer_timeout: 1s is outside 10s to 12h", "session.max_live: 13h is outside 1m to 12h",
		"session.warn_before: 14h is not below session.max_live, 13h"}},
	{"not an address", "uplink: {whip_url: cloud.example/whip}", []string{"uplink.whip_url: \"cloud.example/whip\" is not an address such as"}},
	{"password in address", "uplink: {whip_url: 'https://me:hunter2@cloud.example/'}", []string{"a user name or password in the address is not allowed"}},
	{"endpoint in the clear", "uplink: {whip_url: 'http://10.0.0.7/whip'}", []string{"leads off this machine unencrypted (use https)"}},
	{"trusted nothing", "uplink: {trusted_origins: ['turn:']}", []string{"is neither an origin such as https://cloud.example nor a STUN or TURN host"}},
	{"origin with path", "uplink: {trusted_origins: ['https://a.example/whip']}", []string{"uplink.trusted_origins[0]: \"https://a.example/whip\" is more than an origin (write https://a.example)"}},
	{"origin in the clear", "uplink: {trusted_origins: ['http://a.example']}", []string{"would be trusted with a token unencrypted"}},
	{"interface", "uplink: {interface: wlan0-that-is-too-long}", []string{"is not a network interface's name (ip -brief link"}},
	{"relative path", "control: {socket: run/x, state_dir: y}\nuplink: {token_file: t}", []string{
		`control.socket: "run/x" is not an absolute path`, "control.state_dir", "uplink.token_file"}},
	{"ICE server", "uplink: {ice_servers: [{urls: ['turn:a:70000', 'http://x', 'stun:a?transport=udp', 'turn:a']}]}", []string{
		"uplink.ice_servers[0].urls[0]: \"turn:a:70000\" is not stun:", "urls[1]", "urls[2]", "uplink.ice_servers[0]: a TURN server needs username and credential_file"}},
	{"cues", "cues: {device: plughw:1, language: NL, volume_db: 12}", []string{
		`cues.device: "plughw:1" is not auto, none or hw:CARD,DEVICE`, `cues.language: "NL" is not one of none, nl, de, en (did you mean nl?)`,
		"cues.volume_db: 12 dB is outside -40 dB to 6 dB"}},
	{"power", "power: {battery_low: 95, battery_empty: 20, warm: 20, hot: 90}", []string{
		"power.battery_low: 95 % is outside 3 % to 90 %", "power.battery_empty: 20 % is not below power.battery_very_low, 10 %",
		"power.warm: 20 °C is outside 30 °C to 110 °C", "power.hot: 90 °C is not below power.very_hot, 83 °C"}},
	{"board", "board: {profile: virtuall, buttons: {button1: {short: foto}, button2: {triple: live}}}", []string{
		`board.profile: "virtuall" is not one of auto, `, `board.buttons.button1.short: "foto" is not one of live, pause,`,
		"board.buttons.button2.triple: unknown key"}},
	{"the light has no key", "board: {light: none}", []string{"board.light: unknown key"}},
	{"another board", "board: {profile: raspberry-pi-5}", []string{"raspberry-pi-4, raspberry-pi-cm4, imx8mp, am62a, usb-camera, generic"}},
	{"nothing to send", "camera: {source: none}\nmicrophone: {source: none}", []string{"x.yaml:1: camera.source: none, and microphone.source is none too"}},
	{"session's name", "session: {name: 'anna/7'}", []string{`session.name: "anna/7" is not a name: 1 to 64 letters`}},
	{"session's name in short", "session: a b", []string{`x.yaml:1: session.name: "a b" is not a name`}},
	{"media limits", "photo: {quality: 101}\nclip: {pre_roll: 31s, max_length: 4s}\nspool: {quota: 63M, retention: 183d}\nupload: {live_share: 0}", []string{
		"x.yaml:1: photo.quality: 101 is outside 50 to 100", "clip.pre_roll: 31s is outside 0s to 30s", "clip.max_length: 4s is outside 5s to 10m",
		"x.yaml:3: spool.quota: 63M is outside 64M to 64G", "spool.retention: 183d is outside 1h to 182d12h", "upload.live_share: 0 % is outside 1 % to 100 %"}},
	{"no ceiling to lift", "spool: {retention: 4381h, max_retention: 9999h}", []string{"spool.retention: 182d13h is outside 1h to 182d12h", "spool.max_retention: unknown key"}},
	{"quota", "spool: {quota: 2GB}", []string{`spool.quota: "2GB" is not a size such as 500M or 2G (bytes)`}},
	{"label", "media: {label: " + strings.Repeat("é", 65) + "}", []string{"is not at most 64 characters on one line"}},
	{"recipient", "spool: {recipient: " + recipient[:61] + "q}", []string{"spool.recipient: the value is not an age recipient"}},
	{"recipient of another kind", "spool: {recipient: 'ssh-ed25519 hunter2'}", []string{"spool.recipient: the value is not an age recipient"}},
	{"secret key", "spool: {recipient: AGE-SECRET-KEY-1hunter2}", []string{"spool.recipient: this is a secret key, which belongs to the cloud alone"}},
	{"nameless session", "uplink: {whip_url: 'https://cloud.example/a%20b/'}\nspool: {recipient: " + recipient + "}", []string{`session.name: photos and clips need a name for the session, and the last part of uplink.whip_url, "a b", is none`}},
	{"upload in the clear", "upload: {url: 'http://10.0.0.7/api/uploads/'}", []string{"upload.url: \"http://10.0.0.7/api/uploads/\" leads off this machine unencrypted (use https)"}},
	{"upload with a query", "upload: {url: 'https://a.example/api/uploads/?x=1'}", []string{"goes on after its path"}},
	{"upload with a password", "upload: {url: 'https://me:hunter2@a.example/'}", []string{"a user name or password in the address is not allowed"}},
	{"upload nowhere", "upload: {url: a.example}", []string{`upload.url: "a.example" is not an address such as https://cloud.example/api/uploads/`}},
	{"log", "log: {level: warning, format: xml}", []string{`"warning" is not one of debug, info, warn, error`, `"xml" is not one of text, json`}},
	{"control characters", "uplink: {interface: \"a\\x1bb\"}", []string{"control characters are not allowed"}},
	{"too large", "#" + strings.Repeat("x", MaxSize), []string{"x.yaml: more than 64 kB"}},
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range badFiles {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse([]byte(tc.data), "x.yaml")
			problems := Problems(nil)
			if !errors.As(err, &problems) || !errors.Is(err, ErrInvalid) {
				t.Fatalf("got %v, want Problems", err)
			}
			if len(problems) != len(tc.want) {
				t.Errorf("%d problems, want %d:\n%v", len(problems), len(tc.want), err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the error shows a password")
			}
		})
	}
}

func TestNoOtherNumberIsSuggested(t *testing.T) {
	for asked, want := range map[string]string{"raspberry-pi-5": "", "raspberry-pi-zero-w": "", "raspbery-pi-4": "raspberry-pi-4", "raspberry-pi4": "raspberry-pi-4"} {
		if got := nearest(asked, profileNames()); got != want {
			t.Errorf("%s: %q is suggested, want %q", asked, got, want)
		}
	}
}

func TestParseReportsSoManyProblems(t *testing.T) {
	var data strings.Builder
	for i := range 60 {
		fmt.Fprintf(&data, "k%d: 1\n", i)
	}
	_, err := Parse([]byte(data.String()), "x.yaml")
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != maxProblems+1 || lines[maxProblems] != "x.yaml: and 10 more problems" {
		t.Errorf("%d lines, the last is %s", len(lines), lines[len(lines)-1])
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bril.yaml")
	if _, err := Load(path); !errors.Is(err, ErrInvalid) || !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), path+": no such file") {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := Load(filepath.Dir(path)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: %v", err)
	}
	if err := os.WriteFile(path, []byte("camera: {fps: 25}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if cfg, err := Load(path); err != nil || cfg.Camera.FPS != 25 {
		t.Errorf("got %v, %v", cfg.Camera.FPS, err)
	}
}

func TestShownConfigurationParsesToItself(t *testing.T) {
	cfg := Default()
	cfg.Uplink.TrustedOrigins = []string{"https://a.example"}
	cfg.Uplink.ICEServers = []ICEServer{{URLs: []string{"turn:a"}, Username: "yes", CredentialFile: "/a: b"}}
	cfg.Camera.Source = VideoSource{Kind: Y4M, Path: "/tmp/ # 1.y4m"}
	cfg.Camera.Exposure, cfg.Camera.Focus, cfg.Camera.WhiteBalance = Exposure(10*time.Millisecond), Focus{true, 12}, 4000
	cfg.Microphone.GainDB = -2.25
	data, err := cfg.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(data, "shown")
	if err != nil || !reflect.DeepEqual(again, cfg) {
		t.Errorf("%v\n%s\ngot  %+v\nwant %+v", err, data, again, cfg)
	}
}

func TestJSON(t *testing.T) {
	data, err := Default().JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		SchemaVersion int `json:"schema_version"`
		Config        map[string]map[string]any
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.SchemaVersion != 1 || got.Config["video"]["max_bitrate"] != "2.5M" || got.Config["camera"]["size"] != "1280x720" ||
		got.Config["session"]["max_live"] != "2h" || got.Config["uplink"]["ice_servers"] == nil {
		t.Errorf("got %s", data)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Reference()))
	for _, tc := range badFiles {
		if len(tc.data) < 1000 {
			f.Add([]byte(tc.data))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := Parse(data, "fuzz.yaml")
		if err != nil {
			if !errors.Is(err, ErrInvalid) || err.Error() == "" {
				t.Fatalf("error %#v", err)
			}
			return
		}
		shown, err := cfg.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(shown, "again")
		if err != nil || !reflect.DeepEqual(again.filled(), cfg.filled()) {
			t.Fatalf("%v\n%s\nparsed again differs from\n%+v", err, shown, cfg)
		}
	})
}
