package e2e

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet/manager"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"

	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/uplink/enrol/keyfile"
)

// managed is an endpoint whose fleet has a key, and a manager.
type managed struct {
	secured
	key    ed25519.PrivateKey
	client *manager.Client
}

func startManaged(t *testing.T) managed {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	public, err := keyfile.Public(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fleet.pub")
	if err := os.WriteFile(file, public, 0o600); err != nil {
		t.Fatal(err)
	}
	e := managed{secured: secured{startEndpoint(t, "--tls-own", "--require-enrolment", "--fleet", "bril", "--configuration-key", file)}, key: key}
	server, err := privacy.Dial(filepath.Join(e.data, privacy.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	made, err := service.NewAdminClient(server.HTTP()).Add(t.Context(), "Marie")
	if err != nil {
		t.Fatal(err)
	}
	if e.client, err = manager.New(manager.Config{Server: e.url(""), Token: made.Token, Roots: e.roots()}); err != nil {
		t.Fatal(err)
	}
	return e
}

// push signs a configuration for all, at once.
func (e managed) push(configuration string) service.Rollout {
	e.t.Helper()
	return e.pushBundle(fleet.Bundle{Configuration: configuration})
}

func (e managed) pushBundle(b fleet.Bundle) service.Rollout {
	e.t.Helper()
	b.NotBefore, b.Expires = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	r, _, err := e.client.SignAndPush(e.t.Context(), b, e.key, service.Push{Reason: "a test", Waves: []int{100}, MaxFailures: "100%"}, false)
	if err != nil {
		e.t.Fatal(err)
	}
	return r
}

// until waits for what the service says of a device.
func (e managed) until(what string, patience time.Duration, is func(service.Device) bool) service.DeviceDetail {
	e.t.Helper()
	var d service.DeviceDetail
	for deadline := time.Now().Add(patience); ; {
		var err error
		if d, err = e.client.Device(e.t.Context(), "anna"); err != nil {
			e.t.Fatal(err)
		}
		if is(d.Device) {
			return d
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("never %s: %+v, attempted %+v", what, d.Device, d.Attempted)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-e.t.Context().Done():
		}
	}
}

func ended(serial uint64, phase fleet.Phase) func(service.Device) bool {
	return func(d service.Device) bool {
		return d.Attempted != nil && d.Attempted.Serial == serial && d.Attempted.Phase == phase
	}
}

// TestFleet pushes a configuration to glasses that are enrolled: it is tried and
// confirmed, one that does not work is returned from by itself, and while live nothing
// is applied, but at the end, once.
func TestFleet(t *testing.T) {
	e := startManaged(t)
	a := startBare(t)
	a.mustEnrol(e.url(""), e.token("anna"))
	e.until("online", patience, func(d service.Device) bool { return d.Online && d.Version != "" })

	first := e.push("video:\n  max_bitrate: 1.5M\n")
	d := e.until("confirmed", time.Minute, ended(first.Serial, fleet.Confirmed))
	if d.Status != "current" || d.Running.Serial != first.Serial || !strings.Contains(d.Effective, "max_bitrate: 1.5M") || !strings.Contains(d.Base, "max_bitrate: 2.5M") {
		t.Errorf("%+v\n%s", d.Device, d.Effective)
	}

	a.says("bundle 1 .*confirmed", "config", "history")
	a.says(`video.max_bitrate: 2.5M -> 1.5M`, "config", "diff", "--config", a.config(t))
	a.says(`video.max_bitrate +1.5M +bundle 1:2`, "config", "show", "--sources", "--config", a.config(t))
	a.says(`fleet +bundle 1; connected`, "status")

	a.live()
	a.waitLive()
	second := e.push("video:\n  max_bitrate: 1.2M\n")
	d = e.until("waiting", time.Minute, func(d service.Device) bool {
		return d.Attempted.Serial == second.Serial && d.Attempted.Phase == fleet.Staged && d.Attempted.Waits == "live"
	})
	if d.Running.Serial != first.Serial || d.State != "live" {
		t.Errorf("while live it runs %d, %s", d.Running.Serial, d.State)
	}
	if _, err := a.client.Live(t.Context(), control.Off); err != nil {
		t.Fatal(err)
	}
	e.until("confirmed after the conversation", time.Minute, ended(second.Serial, fleet.Confirmed))
	if n := strings.Count(a.out.String(), "applied, on probation"); n != 2 {
		t.Errorf("%d were applied", n)
	}

	// A label that the board has not heard of yet: a bundle for it waits for that, and is
	// not refused.
	if _, err := e.client.SetLabels(t.Context(), "anna", service.SetLabels{Labels: map[string]string{"site": "ghent"}, Reason: "moved"}); err != nil {
		t.Fatal(err)
	}
	second = e.pushBundle(fleet.Bundle{Configuration: "video:\n  max_bitrate: 1.1M\n", Audience: fleet.Audience{Labels: map[string]string{"site": "ghent"}}})
	e.until("confirmed by its label", time.Minute, ended(second.Serial, fleet.Confirmed))

	bad := e.push("uplink:\n  whip_url: " + e.url("/nothing/here") + "\n")
	begun := time.Now()
	d = e.until("returned", time.Minute, ended(bad.Serial, fleet.Returned))
	t.Logf("returned after %v: %s", time.Since(begun).Round(time.Millisecond), d.Why)
	if d.Running.Serial != second.Serial || d.Attempted.Element != "whip" || d.Status != "failed" || len(d.Attempted.Log) == 0 {
		t.Errorf("%+v, %+v", d.Device, d.Attempted)
	}

	a.stop(syscall.SIGKILL)
	a.restart(t, nil)
	d = e.until("back", patience, func(d service.Device) bool { return d.Online && d.State == "ready" })
	if d.Running.Serial != second.Serial || d.Attempted.Phase != fleet.Returned {
		t.Errorf("after a crash: %+v, %+v", d.Running, d.Attempted)
	}
}

// config is a file that says where the daemon's state is, for commands beside it.
func (a *agent) config(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bril.yaml")
	if err := os.WriteFile(path, []byte("control: {state_dir: "+a.state+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// says runs a command whose output has to match.
func (a *agent) says(want string, args ...string) {
	a.t.Helper()
	out, errOut, code := a.command(args...)
	if code != 0 || !regexp.MustCompile(want).MatchString(out) {
		a.t.Errorf("bril %s: %d\n%s%s", strings.Join(args, " "), code, out, errOut)
	}
}
