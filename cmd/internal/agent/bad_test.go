package agent

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/configs"
)

// Whatever is wrong with a source is shown, with its name and what to do about
// it, and tried again; the daemon lives.
func TestBadSources(t *testing.T) {
	tests := []struct {
		name               string
		camera, microphone string
		rotation           int
		component          string
		says               []string
		hint               string
	}{
		{"missing camera", "/dev/video99", "none", 0, "camera", []string{"open camera /dev/video99", "no such file"}, "bril devices"},
		{"not a camera", "/dev/null", "none", 0, "camera", []string{"/dev/null", "not a camera"}, "bril devices"},
		{"missing file", "mp4:/nowhere.mp4", "none", 0, "camera", []string{"/nowhere.mp4", "no such file"}, "check the path"},
		{"truncated MP4", "mp4:" + cut(t, "progressive.mp4", 1500), "none", 0, "camera", []string{"open mp4 file", "progressive.mp4"}, "cut short"},
		{"truncated Y4M", "y4m:" + shortened(t, y4m(t, 64, 48, 3)), "none", 0, "camera", []string{"grey.y4m", "truncated: of picture 3"}, "cut short"},
		{"Y4M in another format", "y4m:" + write(t, "x.y4m", []byte("YUV4MPEG2 W64 H48 F30:1 C444\nFRAME\n")), "none", 0, "camera", []string{"x.y4m", "444"}, "-pix_fmt yuv420p"},
		{"H.264 without SPS", "h264:" + withoutSPS(t), "none", 0, "camera", []string{"without SPS"}, "convert it"},
		{"MPEG-4 part 2", "mp4:" + testdata + "mpeg4.mp4", "none", 0, "camera", []string{"mpeg4.mp4"}, "ffmpeg"},
		{"B-frames", "mp4:" + testdata + "bframes.mp4", "none", 0, "camera", []string{"bframes.mp4", "B-frames"}, "-bf 0"},
		{"rotated H.264", "h264:" + testdata + "stream.h264", "none", 90, "camera", []string{"rotate h264:", "by 90 degrees"}, "camera.rotation to 0"},
		{"missing sound", "none", "wav:/nowhere.wav", 0, "microphone", []string{"/nowhere.wav", "no such file"}, "check the path"},
		{"no sound at all", "none", "wav:" + write(t, "x.wav", []byte("not a WAV file, but long enough to look at it")), 0, "microphone", []string{"x.wav"}, "convert it"},
		{"missing microphone", "none", "hw:9,9", 0, "microphone", []string{"open microphone hw:9,9", "no microphone"}, ""}, // the hint depends on ALSA being there
	}
	endpoint := startEndpoint(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := quiet(endpoint)
			sources(t, &cfg, test.camera, test.microphone)
			cfg.Camera.Rotation = test.rotation
			r := start(t, cfg, nil)
			if f := r.wantFault(test.component, test.says, test.hint); f.Hint == "" {
				t.Errorf("no hint: %+v", f)
			}
			r.until("another try", func(s control.Status) bool { return len(s.Errors) == 1 && s.Errors[0].Count > 1 })
			r.alive()
		})
	}
}

func TestBadStandardInput(t *testing.T) {
	in, out := pipe(t)
	if _, err := out.WriteString("certainly not Y4M\n" + strings.Repeat("x", 1000)); err != nil {
		t.Fatal(err)
	}
	out.Close()
	cfg := quiet(startEndpoint(t))
	sources(t, &cfg, "y4m:-", "none")
	r := start(t, cfg, in)
	r.wantFault("camera", []string{"y4m file -", "not Y4M"}, "pipe Y4M into bril")
	r.alive()
}

func TestBadEndpoints(t *testing.T) {
	refuse := func(status int, kind, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body)) // the client may have gone
		})
	}
	tests := []struct {
		name    string
		handler http.Handler
		says    []string
		hint    string
	}{
		{"wrong token", refuse(401, "application/problem+json", `{"title":"this token has been revoked"}`), []string{"401", "not authorised", "revoked"}, "check the token"},
		{"a web page", refuse(200, "text/html", "<html>Welcome"), []string{"not a WHIP endpoint", "web page"}, "is this a WHIP endpoint?"},
		{"not found", refuse(404, "text/plain", "no"), []string{"404"}, "check the path"},
		{"an answer that is no SDP", refuse(201, "application/sdp", "hello"), nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			cfg := quiet(server.URL + "/whip/anna")
			cfg.Uplink.TokenFile = write(t, "token", []byte("wrong\n"))
			sources(t, &cfg, "pattern:160x90@5", "none")
			r := start(t, cfg, nil)
			f := r.wantFault("uplink", append(test.says, server.URL+"/whip/anna"), test.hint)
			if strings.Contains(f.Message+f.Hint, "wrong") {
				t.Errorf("the token is shown: %+v", f)
			}
			r.alive()
		})
	}
}

func TestNobodyListens(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close() // its port is free now
	cfg := quiet(server.URL + "/whip/anna")
	sources(t, &cfg, "pattern:160x90@5", "none")
	r := start(t, cfg, nil)
	r.wantFault("uplink", []string{server.URL, "connection refused"}, "is the endpoint running?")
	r.until("another try", func(s control.Status) bool { return len(s.Errors) == 1 && s.Errors[0].Count > 1 })
	r.alive()
}

// wantFault waits for the fault of a component and checks what it says.
func (r running) wantFault(component string, says []string, hint string) control.Fault {
	r.t.Helper()
	f := r.until("a fault", func(s control.Status) bool { return len(s.Errors) > 0 }).Errors[0]
	if f.Component != component || !strings.Contains(f.Hint, hint) {
		r.t.Errorf("got %+v, want one of %s with the hint %q", f, component, hint)
	}
	for _, text := range says {
		if !strings.Contains(f.Message, text) {
			r.t.Errorf("it says %q, want %q in it", f.Message, text)
		}
	}
	return f
}

// cut returns a copy of a test file that ends early.
func cut(t *testing.T, name string, size int) string {
	t.Helper()
	data, err := os.ReadFile(testdata + name)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, name, data[:size])
}

// shortened takes the end off a file.
func shortened(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()-100)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// withoutSPS returns the test stream from its first IDR slice on, without what
// comes before it.
func withoutSPS(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(testdata + "stream.h264")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte{0, 0, 1, 0x65}) // nal_ref_idc 3, nal_unit_type 5
	if at < 0 {
		t.Fatal("the test stream has no IDR slice of this kind")
	}
	return write(t, "bare.h264", data[at:])
}

// What can be seen without a device is an error of New.
func TestBadConfiguration(t *testing.T) {
	tests := map[string]func(*configs.Config){
		"no token": func(c *configs.Config) { c.Uplink.TokenFile = "/nowhere/token" },
		"no credential": func(c *configs.Config) {
			c.Uplink.ICEServers = []configs.ICEServer{{CredentialFile: "/nowhere/credential"}}
		},
		"plain http off loopback": func(c *configs.Config) {
			c.Uplink.WHIPURL = "http://showroom.example/whip/a"
			c.Uplink.TokenFile = write(t, "token", []byte("x\n"))
		},
		"an address that is not one": func(c *configs.Config) { c.Uplink.WHIPURL = "::" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := quiet("http://127.0.0.1:1/whip/a")
			change(&cfg)
			a, err := New(cfg, Options{StateDir: t.TempDir()})
			if err == nil {
				a.Close()
				t.Fatal("it is taken")
			}
			t.Log(err)
		})
	}
}
