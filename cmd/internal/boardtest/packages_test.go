package boardtest

import (
	"context"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// packageTime bounds the tests of one package. It is no target.
const packageTime = 5 * time.Minute

// TestPackages runs in the guest those tests of other packages that want a real
// device, and elsewhere skip.
func TestPackages(t *testing.T) {
	for _, p := range []struct {
		pkg   string
		tests string            // which to run
		env   map[string]string // says which device is theirs
		cgo   bool
		skips []string // what they may skip all the same: the board has no such thing
	}{
		{pkg: "capture/camera", tests: "^TestDevice", env: map[string]string{"BRIL_TEST_UNPLUG": "vivid.0"},
			skips: []string{"TestDeviceDelivers/MJPEG", "TestDeviceDelivers/H264"}},
		{pkg: "capture/microphone", tests: "^TestDevice", env: map[string]string{"BRIL_TEST_MICROPHONE": "hw:0,1,0"}, cgo: true,
			skips: []string{"TestDeviceHearsTone", "TestDeviceUnplugged"}}, // TestSound listens, and others unplug
		{pkg: "encoder/m2m", tests: "^TestDevice"},
		{pkg: "hardware/gpio", tests: "^(TestBoard|TestLED|TestKey)"},
		{pkg: "hardware/hotplug", tests: "."},
		{pkg: "hardware/speaker", tests: ".", cgo: true, skips: []string{"TestCard"}}, // a stand-in's, built with go
	} {
		t.Run(p.pkg, func(t *testing.T) {
			r := board(t)
			r.excuse = unboundInUse // hardware/gpio unbinds lines that are in use
			program := path.Base(p.pkg) + ".test"
			r.buildTest(program, p.pkg, p.cgo)
			args := []string{"env"}
			for name, value := range p.env {
				args = append(args, name+"="+value)
			}
			ctx, cancel := context.WithTimeout(t.Context(), packageTime)
			defer cancel()
			result, err := r.guest.Run(ctx, append(args, program, "-test.v", "-test.run", p.tests)...)
			if err != nil {
				t.Fatal(err)
			}
			if out := string(result.Stdout); result.Code != 0 {
				t.Errorf("exit code %d\n%s%s", result.Code, out, result.Stderr)
			} else {
				checkRan(t, out, p.skips)
			}
		})
	}
}

// buildTest builds a package's tests for the guest. The flags are those of make
// build, so that what is in cgo is built once.
func (r *rig) buildTest(name, pkg string, cgo bool) {
	r.Helper()
	cmd := exec.CommandContext(r.Context(), "go", "test", "-c", "-trimpath", "-buildvcs=false", "-tags", "netgo,osusergo,nethttpomithttp2",
		"-o", filepath.Join(r.share, "bin", name), "github.com/bril-edge/bril/"+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=arm64")
	if cgo {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=1", "CC=aarch64-linux-gnu-gcc", "CXX=aarch64-linux-gnu-g++")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Fatalf("build the tests of %s: %v\n%s", pkg, err, out)
	}
}

// checkRan reads what tests have printed: some have passed, and none was skipped
// but those that may be.
func checkRan(t *testing.T, out string, skips []string) {
	t.Helper()
	passed := 0
	for line := range strings.Lines(out) {
		how, name, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "--- "), ": ")
		name, _, _ = strings.Cut(name, " ")
		switch how {
		case "PASS":
			passed++
		case "SKIP":
			if !slices.Contains(skips, name) {
				t.Errorf("%s was skipped on the board:\n%s", name, out)
			}
		}
	}
	if passed == 0 {
		t.Errorf("no test has run:\n%s", out)
	}
}
