package agent

import (
	"context"
	"encoding"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware"
)

// known is the device tree of a board that has a light.
var known = []string{"bril,virtual-board"}

// tried is what every key is set to, where it takes it.
var tried = []string{
	"none", "off", "false", "true", "auto", "generic", "virtual", "[]", "{}", `""`, "LED1", "dark", "0", "1", "-1", "2", "90", "60", "80", "15",
	"100ms", "10s", "30s", "1m", "12h", "6k", "100k", "8M", "1G", "64x64", "320x240", "live", "pause", "debug", "json", "H264", "YUYV",
	"/dev/video7", "hw:1,0", "pattern", "tone", "/tmp/x", "lo", "http://127.0.0.1:2/x", "in-ear",
}

// No configuration keeps the light off while a camera or microphone runs: each
// key is set to whatever it takes, one after another, on a board with a light.
func TestNoConfigurationTurnsTheLightOff(t *testing.T) {
	keys := leaves(reflect.TypeFor[configs.Config](), nil)
	// Keys that somebody may look for.
	for _, name := range []string{"light", "board.light", "board.light.line", "board.status_light", "board.capture_light", "camera.light", "session.light", "board.buttons.light"} {
		keys = append(keys, strings.Split(name, "."))
	}
	var ran atomic.Int32
	t.Run("keys", func(t *testing.T) {
		for _, key := range keys {
			t.Run(strings.Join(key, "."), func(t *testing.T) {
				t.Parallel()
				ran.Add(tryKey(t, key))
			})
		}
	})
	if ran.Load() < 100 {
		t.Errorf("only %d configurations ran a device", ran.Load())
	}
}

// tryKey sets a key to all that is tried, and returns with how many values of it
// a device ran.
func tryKey(t *testing.T, key []string) (ran int32) {
	accepted := 0
	for _, value := range tried {
		cfg, err := configs.Parse([]byte(yaml(key, value)), "test.yaml")
		if err != nil {
			continue
		}
		accepted++
		profile, err := cfg.BoardProfile(known)
		if err != nil {
			continue // refused at the start
		}
		if own, _ := configs.DetectBoard(known); profile.Name != own.Name || profile.Light != own.Light || own.Light.Line == "" {
			t.Errorf("%s: the light is %+v", value, profile.Light)
		}
		if tryToCapture(t, cfg, value) {
			ran++
		}
	}
	if light := strings.Contains(key[len(key)-1], "light") || len(key) > 2 && key[1] == "light"; light != (accepted == 0) {
		t.Errorf("it takes %d of the values that are tried", accepted)
	}
	return ran
}

// tryToCapture goes live with a configuration, where there is no endpoint: the
// devices run all the same. It returns whether one did; they look at the lamp
// themselves.
func tryToCapture(t *testing.T, cfg configs.Config, what string) bool {
	t.Helper()
	cfg.Uplink.WHIPURL, cfg.Uplink.TokenFile = "http://127.0.0.1:1/whip/none", ""
	if cfg.Spool.Dir != "" { // it would be made
		cfg.Spool.Dir = t.TempDir()
	}
	g := newGlasses(t)
	r := startGlasses(t, g, cfg, true)
	devices := int32(0)
	if k := cfg.Camera.Source.Kind; k == configs.Auto || k == configs.Device {
		devices++
	}
	if k := cfg.Microphone.Source.Kind; k == configs.Auto || k == configs.ALSA {
		devices++
	}
	if cfg.Camera.Rotation != 0 && cfg.Camera.Format == "H264" {
		devices = 0
	}
	r.until(what, func(s control.Status) bool {
		return s.State != "ready" && g.running.Load() == devices && (s.Light.State == "on") == (devices > 0)
	})
	if devices > 0 && !g.isLit() {
		t.Errorf("%s: %d devices run in the dark", what, devices)
	}
	r.alive()
	g.wantDark(r, "the end of "+what)
	if g.off > 0 {
		t.Errorf("%s: the light was put out %d times while a device ran", what, g.off)
	}
	return devices > 0
}

// leaves returns the keys below a type of the configuration.
func leaves(of reflect.Type, above []string) (keys [][]string) {
	if of.Kind() != reflect.Struct || reflect.PointerTo(of).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return [][]string{above}
	}
	for i := range of.NumField() {
		f := of.Field(i)
		keys = append(keys, leaves(f.Type, append(slices.Clone(above), f.Tag.Get("json")))...)
	}
	return keys
}

func yaml(key []string, value string) string {
	return strings.Join(key, ": {") + ": " + value + strings.Repeat("}", len(key)-1)
}

// No control call and no press does, in whatever order: every action, every path
// of the socket, every gesture on every button.
func TestNoControlCallTurnsTheLightOff(t *testing.T) {
	if n := reflect.TypeFor[control.Daemon]().NumMethod(); n != 15 {
		t.Errorf("the daemon takes %d calls; this test knows Status, Live, Call, Photo, Clip, Spool, SpoolAct, Mute and those of Enroller, Examiner and Provisioner", n)
	}
	g := newGlasses(t)
	cfg := glassesConfig(startEndpoint(t))
	cfg.Board.Buttons = configs.Buttons{
		Button1: configs.Gestures{Short: configs.ActionLive, Double: configs.ActionPause, Long: configs.ActionPhoto},
		Button2: configs.Gestures{Short: configs.ActionPhotoShow, Double: configs.ActionClip, Long: configs.ActionMute},
	}
	cfg.Provisioning.KeyFile = provisionKey(t)
	r := startGlasses(t, g, cfg, true)
	socket := serve(t, r)
	client := http.Client{Transport: socket, Timeout: patience}
	calls := []func(){}
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
		for _, path := range []string{"status", "live", "light", "light/off", "board", "config", "devices", "photo", "clip", "spool", "talkback", "call", "enrol", "provision"} {
			if method == "DELETE" && path == "enrol" {
				continue // it has the agent made anew, where nothing is live
			}
			for _, body := range []string{"", `{"action":"on"}`, `{"action":"off"}`, `{"action":"pause"}`, `{"action":"dark"}`, `{"light":"off"}`, `{"action":"on","light":"off"}`, `{"show":true}`, `{"action":"start"}`, `{"action":"stop"}`, `{"action":"accept"}`, `{"muted":true}`} {
				calls = append(calls, func() {
					request, err := http.NewRequestWithContext(t.Context(), method, "http://bril/v1/"+path, strings.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					if answer, err := client.Do(request); err == nil {
						answer.Body.Close()
					}
				})
			}
		}
	}
	for _, b := range []*fakeButton{g.button1, g.button2} {
		for _, gesture := range []hardware.Gesture{hardware.Short, hardware.Double, hardware.Long, hardware.HeldAtStart} {
			calls = append(calls, func() { b.gesture <- gesture })
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	wasOn := 0
	for range 4 {
		for _, i := range random.Perm(len(calls)) {
			calls[i]()
			if g.running.Load() > 0 && g.isLit() {
				wasOn++
			}
		}
	}
	if err := r.StopProvision(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Live(t.Context(), control.On); err != nil {
		t.Fatal(err)
	}
	r.until("pictures", func(s control.Status) bool {
		return s.State == "live" && s.Light.State == "on" && g.running.Load() == 2
	})
	r.alive()
	g.wantDark(r, "the end")
	if g.off > 0 {
		t.Errorf("the light was put out %d times while a device ran", g.off)
	}
	t.Logf("%d calls, the light was on after %d of them", 4*len(calls), wasOn)
	if wasOn == 0 {
		t.Error("nothing was captured meanwhile")
	}
}

// serve runs the control socket, and returns the way to it.
func serve(t *testing.T, r running) *http.Transport {
	path := filepath.Join(t.TempDir(), "control.sock")
	listener, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- control.Server{Daemon: r}.Run(ctx, listener) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("control socket: %v", err)
		}
	})
	return transport
}
