package agent

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/pattern"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
	"github.com/bril-edge/bril/encoder/m2m"
	"github.com/bril-edge/bril/uplink/whip"
)

func TestControls(t *testing.T) {
	auto := camera.Setting{Mode: camera.Auto}
	manual := func(value int) camera.Setting { return camera.Setting{Mode: camera.Manual, Value: value} }
	tests := []struct {
		name   string
		change func(*configs.Camera)
		want   camera.Controls
	}{
		{"defaults", func(*configs.Camera) {}, camera.Controls{PowerLine: camera.PowerLine50Hz, Exposure: auto, Focus: auto, WhiteBalance: auto}},
		{"60 Hz", func(c *configs.Camera) { c.PowerLine = "60hz" }, camera.Controls{PowerLine: camera.PowerLine60Hz, Exposure: auto, Focus: auto, WhiteBalance: auto}},
		{"no filter", func(c *configs.Camera) { c.PowerLine = "off" }, camera.Controls{PowerLine: camera.PowerLineOff, Exposure: auto, Focus: auto, WhiteBalance: auto}},
		{"camera's filter", func(c *configs.Camera) { c.PowerLine = "auto" }, camera.Controls{PowerLine: camera.PowerLineAuto, Exposure: auto, Focus: auto, WhiteBalance: auto}},
		{"all by hand", func(c *configs.Camera) {
			c.Exposure, c.WhiteBalance = configs.Exposure(10*time.Millisecond), 4600
			c.Focus = configs.Focus{Manual: true} // position 0 is infinity
		}, camera.Controls{PowerLine: camera.PowerLine50Hz, Exposure: manual(10_000), Focus: manual(0), WhiteBalance: manual(4600)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := configs.Default().Camera
			test.change(&c)
			if got := controls(c); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestFormats(t *testing.T) {
	chips := []m2m.Device{{Formats: []string{"NV12", "YUYV"}}}
	tests := []struct {
		format, encoder string
		rotation        int
		chips           []m2m.Device
		want            string
	}{
		{"auto", "auto", 0, nil, "[H264 YU12 NV12 YUYV MJPEG]"},
		{"auto", "auto", 90, nil, "[YU12 NV12 YUYV MJPEG H264]"},
		{"auto", "software", 0, nil, "[YU12 NV12 YUYV MJPEG H264]"},
		{"auto", "auto", 0, chips, "[NV12 YUYV YU12 MJPEG H264]"},
		{"auto", "auto", 180, chips, "[YU12 NV12 YUYV MJPEG H264]"},
		{"auto", "hardware", 0, chips, "[NV12 YUYV YU12 MJPEG]"},
		{"YUYV", "auto", 0, nil, "[YUYV]"},
		{"NV12", "auto", 0, chips, "[NV12]"},
		{"YU12", "hardware", 0, chips, "[YU12]"},
		{"MJPEG", "auto", 0, chips, "[MJPEG]"},
		{"H264", "auto", 0, chips, "[H264]"},
	}
	for _, test := range tests {
		a := &Agent{cfg: configs.Default()}
		a.cfg.Camera.Format, a.cfg.Camera.Rotation, a.cfg.Video.Encoder = test.format, test.rotation, test.encoder
		if got := fmt.Sprint(a.formats(test.chips)); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

func TestChipFor(t *testing.T) {
	chips := []m2m.Device{{Path: "small", Formats: []string{"NV12"}, MaxWidth: 640, MaxHeight: 480}, {Path: "packed", Formats: []string{"YUYV"}}}
	for want, f := range map[string]capture.VideoFormat{
		"small":  {Format: capture.I420, Width: 640, Height: 480},
		"packed": {Format: capture.YUYV, Width: 1280, Height: 720},
		"":       {Format: capture.NV12, Width: 1280, Height: 720},
	} {
		if got, ok := chipFor(chips, f); got.Path != want || ok != (want != "") {
			t.Errorf("%v: %q", f, got.Path)
		}
	}
}

func TestPatternConfig(t *testing.T) {
	c := configs.Camera{Size: configs.Size{Width: 1280, Height: 720}, FPS: 30}
	for source, want := range map[configs.VideoSource]pattern.Config{
		{}:                                 {Width: 1280, Height: 720, FPS: 30},
		{Width: 640, Height: 480}:          {Width: 640, Height: 480, FPS: 30},
		{Width: 320, Height: 240, FPS: 15}: {Width: 320, Height: 240, FPS: 15},
	} {
		c.Source = source
		if got := patternConfig(c); got != want {
			t.Errorf("%+v: got %+v, want %+v", source, got, want)
		}
	}
}

func TestICEServers(t *testing.T) {
	credential := write(t, "credential", []byte("hush\n"))
	got, err := iceServers([]configs.ICEServer{
		{URLs: []string{"stun:stun.example"}},
		{URLs: []string{"turn:turn.example", "turns:turn.example?transport=tcp"}, Username: "anna", CredentialFile: credential},
	})
	want := []whip.ICEServer{
		{URL: "stun:stun.example"},
		{URL: "turn:turn.example", Username: "anna", Credential: whip.NewSecret("hush")},
		{URL: "turns:turn.example?transport=tcp", Username: "anna", Credential: whip.NewSecret("hush")},
	}
	if err != nil || !slices.EqualFunc(got, want, func(a, b whip.ICEServer) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("got %+v, %v", got, err)
	}
	missing := credential + "s"
	if _, err := iceServers([]configs.ICEServer{{URLs: []string{"turn:a"}, CredentialFile: missing}}); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing credential: %v", err)
	}
}

func TestOnLoopback(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"http://127.0.0.1:8080/whip/a": true,
		"http://[::1]:8080/whip/a":     true,
		"https://localhost/whip/a":     true,
		"http://LocalHost:8080/whip/a": true,
		"https://showroom.example/a":   false,
		"https://10.0.0.1/a":           false,
		"https://localhost.example/a":  false,
		"::":                           false,
	} {
		if got := onLoopback(endpoint); got != want {
			t.Errorf("%s: %v, want %v", endpoint, got, want)
		}
	}
}

func TestStays(t *testing.T) {
	const here, there = "http://127.0.0.1:8080/whip/a", "https://showroom.example/a"
	for _, c := range []struct {
		cfg  configs.Uplink
		want bool
	}{
		{configs.Uplink{WHIPURL: here}, true},
		{configs.Uplink{WHIPURL: there}, false},
		{configs.Uplink{WHIPURL: there, Loopback: true}, true},
		{configs.Uplink{WHIPURL: here, Interface: "wlan0"}, false},
		{configs.Uplink{WHIPURL: here, Interface: "lo", Loopback: true}, true},
	} {
		if got := stays(c.cfg); got != c.want {
			t.Errorf("%+v: %v", c.cfg, got)
		}
	}
}

// A passed-through file offers the profile of its SPS, takes any bit rate, and
// skips to a key frame on request once it has begun.
func TestPassthrough(t *testing.T) {
	cfg := quiet("http://127.0.0.1:1/whip/a")
	sources(t, &cfg, "h264:"+testdata+"stream.h264", "none")
	a := &Agent{cfg: cfg}
	v, err := a.openVideo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer v.Source.Close()
	var units []bool // key or not
	enc, err := a.newVideoEncoder(v, 1, func(au encoder.AccessUnit) error {
		units = append(units, au.Key && h264.Inspect(au.Data).SPS)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if id := enc.ProfileLevelID(); len(id) != 6 {
		t.Errorf("profile-level-id %q", id)
	}
	if err := enc.SetBitRate(1); err != nil {
		t.Error(err)
	}
	enc.ForceKeyFrame() // of a source that has not begun: nothing is skipped
	for range 3 {
		f, err := v.Source.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f.Format != capture.H264 {
			t.Fatalf("a frame of %v", f.Format)
		}
		if err := enc.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(units, []bool{true, false, false}) {
		t.Errorf("it begins with %v, want one key frame with SPS and then others", units)
	}
}
