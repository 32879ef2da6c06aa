// Package cmd_test keeps the directions between the packages true: data flows
// from capture over encoder to uplink, and only cmd knows them all.
package cmd_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/bril-edge/bril/"

// An arrow that must not be: no package within from, except those within
// except, imports a package within to. Paths are the module's own when their
// first part has no dot; from "" is the whole module. encoder/h264 is free for
// all: it is the format that goes from one to the next, and pure.
var forbidden = []struct {
	from   string
	except []string
	to     string
	why    string
}{
	{"", []string{"uplink", "cmd/internal/showroom", "cmd/internal/bench"}, "github.com/pion/webrtc", "only uplink and the reference endpoint speak WebRTC"},
	{"uplink/origin", nil, "github.com/pion", "it knows HTTP, and no protocol above it"},
	{"uplink/whip", nil, "github.com/pion", "signalling is HTTP; who brings the SDP is its caller's business"},
	{"", []string{"cmd"}, "cmd", "what is below does not know what is above"},
	{"", []string{"cmd", "configs", "uplink/fleet"}, "configs", "each package has its own small Config, which the session fills"},
	{"", []string{"cmd/internal/showroom", "uplink/fleet/fleettest"}, "github.com/open-telemetry/opamp-go/server", "only the reference endpoint is a fleet's service"},
	{"configs", nil, "encoder", "reading a configuration links no codec"},
	{"configs", nil, "capture", "reading a configuration opens no device"},
	{"encoder", nil, "uplink", "an encoder does not know where its output goes"},
	{"capture", []string{"capture/clip"}, "encoder", "a source does not know who encodes; a clip is made of what was encoded"},
	{"capture", nil, "uplink", "a source knows nothing of networks"},
	{"uplink", nil, "capture", "the uplink sends what encoders deliver"},
	{"hardware", nil, "capture", "the kernel's ABI and the board hold no policy"},
	{"hardware", nil, "encoder", "the kernel's ABI and the board hold no policy"},
	{"hardware", nil, "uplink", "the kernel's ABI and the board hold no policy"},
	{"", []string{"capture/camera", "encoder/m2m", "hardware/v4l2"}, "hardware/v4l2", "a camera runs under the capture light, by capture/camera"},
	{"", []string{"hardware/alsa"}, "github.com/gen2brain/malgo", "a microphone runs under the capture light; one package runs sound devices"},
	{"", []string{"capture/microphone", "hardware/speaker", "cmd/internal/cue", "cmd/internal/cli"}, "hardware/alsa", "a microphone runs under the capture light, by capture/microphone"},
	{"", nil, "github.com/pion/mediadevices/pkg/driver", "its drivers open every camera at import"},
	{"", nil, "github.com/pion/mediadevices/pkg/codec/x264", "it is GPL, and clashes with openh264"},
}

// linked must not be in a program, not even by way of a library.
var linked = []struct{ path, why string }{
	{"testing", "tests stay out of the binary"},
	{"net/http/httptest", "tests stay out of the binary"},
	{"net/http/pprof", "it registers itself on the default mux at import"},
	{"github.com/pion/mediadevices/pkg/driver/camera", "it opens every camera at import"},
	{"github.com/pion/mediadevices/pkg/driver/microphone", "it registers a silent device"},
}

type listed struct {
	ImportPath, Name, Dir string
	GoFiles, CgoFiles     []string
	Imports, Deps         []string
}

// packages asks the go command for all packages of the module, without tests.
func packages(t *testing.T) (list []listed) {
	t.Helper()
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Name,Dir,GoFiles,CgoFiles,Imports,Deps", module+"...").Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) < 10 {
		t.Fatalf("go list found %d packages", len(list))
	}
	for _, p := range list {
		// So that go test sees what this depends on, and does not answer from its
		// cache when a file is new.
		if _, err := os.ReadDir(p.Dir); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		for _, rule := range forbidden {
			if !within(p.ImportPath, rule.from) || slices.ContainsFunc(rule.except, func(e string) bool { return within(p.ImportPath, e) }) {
				continue
			}
			for _, imported := range p.Imports {
				if within(imported, rule.to) && !within(imported, "encoder/h264") {
					t.Errorf("%s imports %s: %s", p.ImportPath, imported, rule.why)
				}
			}
		}
	}
}

// within reports whether path is the package at or a package below top.
func within(path, top string) bool {
	if first, _, _ := strings.Cut(top, "/"); !strings.Contains(first, ".") {
		top = strings.TrimSuffix(module+top, "/")
	}
	return path == top || strings.HasPrefix(path, top+"/")
}

func TestProgramsLinkNoTests(t *testing.T) {
	programs := 0
	for _, p := range packages(t) {
		if p.Name != "main" || within(p.ImportPath, "cmd/internal") {
			continue
		}
		programs++
		for _, l := range linked {
			if slices.Contains(p.Deps, l.path) {
				t.Errorf("%s links %s: %s", p.ImportPath, l.path, l.why)
			}
		}
	}
	if programs == 0 {
		t.Error("no program was checked")
	}
}

// Importing a package does nothing: main lists what exists, in order.
func TestNoInit(t *testing.T) {
	for _, p := range packages(t) {
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && f.Name.Name == "init" && f.Recv == nil {
					t.Errorf("%s/%s has an init function", p.ImportPath, name)
				}
			}
		}
	}
}

func TestWithin(t *testing.T) {
	for _, tc := range []struct {
		path, top string
		want      bool
	}{
		{module + "uplink/rtc", "uplink", true},
		{module + "uplink", "uplink", true},
		{module + "uplinked", "uplink", false},
		{module + "cmd/bril", "", true},
		{"github.com/pion/webrtc/v4", "github.com/pion/webrtc", true},
		{"github.com/pion/webrtc/v4", "", false},
		{"capture", "capture", false},
	} {
		if got := within(tc.path, tc.top); got != tc.want {
			t.Errorf("within(%s, %s) is %v", tc.path, tc.top, got)
		}
	}
}
