package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/configs"
)

// patience is how long anything may take before a test fails. It is no target.
const patience = 20 * time.Second

// testdata of the sources, which is small.
const testdata = "../../../capture/file/testdata/"

// running is an agent that runs until the test ends.
type running struct {
	*Agent
	t *testing.T
}

// quiet is a configuration without sources, for tests to add one.
func quiet(endpoint string) configs.Config {
	cfg := configs.Default()
	cfg.Uplink.WHIPURL = endpoint
	cfg.Camera.Source = configs.VideoSource{Kind: configs.None}
	cfg.Microphone.Source = configs.AudioSource{Kind: configs.None}
	return cfg
}

func start(t *testing.T, cfg configs.Config, stdin *os.File) running {
	t.Helper()
	a, err := New(cfg, Options{Version: "test", StateDir: t.TempDir(), Stdin: stdin, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return runAgent(t, a, true)
}

func runAgent(t *testing.T, a *Agent, live bool) running {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, live) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		for range 2 {
			if err := a.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	})
	return running{a, t}
}

// until waits for a status.
func (r running) until(what string, ok func(control.Status) bool) control.Status {
	r.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		s := r.Status()
		if ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s did not come: %+v", what, s)
		}
	}
}

// alive checks that the daemon still does what it is told.
func (r running) alive() {
	r.t.Helper()
	if _, err := r.Live(r.t.Context(), control.Off); err != nil {
		r.t.Errorf("live off: %v", err)
	}
	r.until("ready", func(s control.Status) bool { return s.State == "ready" && len(s.Errors) == 0 })
}

// startEndpoint runs the reference endpoint and returns the URL of a stream.
func startEndpoint(t *testing.T) string {
	t.Helper()
	server, err := showroom.New(showroom.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	url, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- server.Run(ctx, func(u string) { url <- u }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("endpoint: %v", err)
		}
	})
	select {
	case u := <-url:
		return u + "/whip/test"
	case err := <-done:
		t.Fatalf("endpoint: %v", err)
		return ""
	}
}

// Every source that needs no device goes live, and is shown as what it is.
func TestSourcesGoLive(t *testing.T) {
	tests := []struct {
		camera, microphone string
		rotation           int
		shown, heard       string // camera and microphone of the status
		encoder            string
	}{
		{"pattern:320x180@30", "tone", 0, "pattern 320x180@30 YU12", "tone", "openh264 (software)"},
		{"pattern:320x180@30", "none", 90, "pattern 320x180@30 YU12", "", "openh264 (software)"},
		{"h264:" + testdata + "stream.h264", "wav:" + testdata + "tone.wav", 0, "h264:" + testdata + "stream.h264 ", "wav:" + testdata + "tone.wav", "none (passed through)"},
		{"mp4:" + testdata + "progressive.mp4", "opus:" + testdata + "tone.opus", 0, "mp4:" + testdata + "progressive.mp4 ", "opus:" + testdata + "tone.opus", "none (passed through)"},
		{"y4m:" + y4m(t, 64, 48, 60), "none", 180, "y4m:", "", "openh264 (software)"},
		{"none", "tone", 0, "", "tone", ""},
	}
	endpoint := startEndpoint(t)
	for i, test := range tests {
		t.Run(fmt.Sprint(test.camera, "+", test.microphone), func(t *testing.T) {
			cfg := quiet(fmt.Sprintf("%s%d", endpoint, i))
			sources(t, &cfg, test.camera, test.microphone)
			cfg.Camera.Rotation, cfg.Camera.Loop, cfg.Microphone.Loop = test.rotation, true, true
			r := start(t, cfg, nil)
			s := r.until("live", func(s control.Status) bool {
				return s.State == "live" && (test.camera == "none" || s.Video.Sent > 3)
			})
			if !strings.HasPrefix(s.Camera, test.shown) || s.Microphone != test.heard || s.Encoder != test.encoder || len(s.Errors) != 0 {
				t.Errorf("status: %+v", s)
			}
			if _, err := r.Live(t.Context(), control.Pause); err != nil {
				t.Error(err)
			}
			r.until("paused", func(s control.Status) bool { return s.State == "paused" && len(s.Errors) == 0 })
			r.alive()
		})
	}
}

// A file that ends, ends the conversation.
func TestEndOfFile(t *testing.T) {
	cfg := quiet(startEndpoint(t))
	sources(t, &cfg, "y4m:"+y4m(t, 64, 48, 5), "none")
	r := start(t, cfg, nil)
	r.until("the end", func(s control.Status) bool { return s.State == "ready" && s.Video.Sent > 0 }) // late pictures are dropped
}

// Standard input is read from the start, and survives conversations.
func TestStandardInput(t *testing.T) {
	in, out := pipe(t)
	picture := frame(64, 48)
	go func() { // ends with the pipe
		if _, err := io.WriteString(out, "YUV4MPEG2 W64 H48 F30:1 C420jpeg\n"); err != nil {
			return
		}
		for {
			if _, err := out.Write(picture); err != nil {
				return
			}
			runtime.Gosched()
		}
	}()
	cfg := quiet(startEndpoint(t))
	sources(t, &cfg, "y4m:-", "none")
	r := start(t, cfg, in)
	var sent uint64
	for range 2 {
		s := r.until("pictures", func(s control.Status) bool { return s.State == "live" && s.Video.Sent > sent+3 })
		sent = s.Video.Sent
		r.alive()
		if _, err := r.Live(t.Context(), control.On); err != nil {
			t.Error(err)
		}
	}
}

// A writer that never begins keeps nobody from ending the daemon.
func TestSilentStandardInput(t *testing.T) {
	in, _ := pipe(t)
	cfg := quiet(startEndpoint(t))
	sources(t, &cfg, "y4m:-", "none")
	r := start(t, cfg, in)
	r.until("connecting", func(s control.Status) bool { return s.State == "connecting" })
	r.alive()
}

func sources(t *testing.T, cfg *configs.Config, camera, microphone string) {
	t.Helper()
	var err error
	if cfg.Camera.Source, err = configs.ParseVideoSource(camera); err != nil {
		t.Fatal(err)
	}
	if cfg.Microphone.Source, err = configs.ParseAudioSource(microphone); err != nil {
		t.Fatal(err)
	}
}

func pipe(t *testing.T) (in, out *os.File) {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); out.Close() })
	return in, out
}

// y4m writes a file of grey pictures.
func y4m(t *testing.T, width, height, pictures int) string {
	t.Helper()
	data := fmt.Appendf(nil, "YUV4MPEG2 W%d H%d F30:1 C420jpeg\n", width, height)
	for range pictures {
		data = append(data, frame(width, height)...)
	}
	return write(t, "grey.y4m", data)
}

func frame(width, height int) []byte {
	return append([]byte("FRAME\n"), []byte(strings.Repeat("\x80", width*height*3/2))...)
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
