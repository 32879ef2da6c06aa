package boardtest

import (
	"crypto/ed25519"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom"
	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet/manager"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
	"github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/uplink/enrol/keyfile"
)

// managed is an endpoint whose fleet has a key and a manager.
type managed struct {
	enrolling
	key    ed25519.PrivateKey
	client *manager.Client
}

func (r *rig) managed() managed {
	r.Helper()
	dir := r.TempDir()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		r.Fatal(err)
	}
	public, err := keyfile.Public(key.Public().(ed25519.PublicKey))
	if err != nil {
		r.Fatal(err)
	}
	file := filepath.Join(r.TempDir(), "fleet.pub")
	if err := os.WriteFile(file, public, 0o600); err != nil {
		r.Fatal(err)
	}
	e := r.serving(showroom.Config{DataDir: dir, TLSOwn: true, RequireEnrolment: true, Fleet: "bril", ConfigurationKeys: []string{file}})
	m := managed{enrolling: enrolling{e, r, dir}, key: key}
	server, err := privacy.Dial(filepath.Join(dir, privacy.SocketName))
	if err != nil {
		r.Fatal(err)
	}
	made, err := service.NewAdminClient(server.HTTP()).Add(r.Context(), "Marie")
	if err != nil {
		r.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "authority", "ca.pem"))
	if err != nil {
		r.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	if m.client, err = manager.New(manager.Config{Server: e.url, Token: made.Token, Roots: roots}); err != nil {
		r.Fatal(err)
	}
	return m
}

func (m managed) push(configuration string) uint64 {
	m.r.Helper()
	b := fleet.Bundle{NotBefore: time.Now().Add(-24 * time.Hour), Expires: time.Now().Add(24 * time.Hour), Configuration: configuration}
	pushed, _, err := m.client.SignAndPush(m.r.Context(), b, m.key, service.Push{Reason: "a test", Waves: []int{100}, MaxFailures: "100%"}, false)
	if err != nil {
		m.r.Fatal(err)
	}
	return pushed.Serial
}

// until waits for what the board tells the service of a bundle.
func (m managed) until(what string, is func(service.Device) bool) service.DeviceDetail {
	m.r.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; {
		d, err := m.client.Device(m.r.Context(), "demo")
		if err != nil {
			m.r.Fatal(err)
		}
		if is(d.Device) {
			return d
		}
		if time.Now().After(end) {
			m.r.Fatalf("never %s: %+v, attempted %+v", what, d.Device, d.Attempted)
		}
		<-tick.C
	}
}

func attempted(serial uint64, phase fleet.Phase) func(service.Device) bool {
	return func(d service.Device) bool {
		return d.Attempted != nil && d.Attempted.Serial == serial && d.Attempted.Phase == phase
	}
}

// TestFleetConfiguration changes the camera's frame rate from the manager's desk: the
// change waits for the end of the conversation, is tried without a picture taken, and
// is what the next conversation has. A mode that the camera does not have is refused,
// and a bit rate at which the encoder fails and a WHIP URL at which nothing is, returned
// from.
func TestFleetConfiguration(t *testing.T) {
	r := board(t)
	m := r.managed()
	r.set("/tmp/bril.yaml", "camera:\n  size: 640x360\n  fps: 30\nmicrophone:\n  source: none\n")
	r.bare("--config", "/tmp/bril.yaml")
	r.until("ready", func(s status) bool { return s.State == "ready" })
	r.set("/tmp/token", m.token()+"\n")
	r.run("bril", "enrol", "--server", m.url, "--token-file", "/tmp/token", "--control", socket)
	r.run("bril", "live", "on", "--control", socket)
	before := r.until("live", live)
	m.until("online", func(d service.Device) bool { return d.Online && d.State == "live" })

	slower := m.push("camera:\n  fps: 20\n")
	m.until("waiting", func(d service.Device) bool { return attempted(slower, fleet.Staged)(d) && d.Attempted.Waits == "live" })
	if now := r.status(); now.Camera != before.Camera || now.State != "live" {
		t.Errorf("the conversation was touched: %s, %s", now.State, now.Camera)
	}
	r.run("bril", "live", "off", "--control", socket)
	m.until("confirmed", attempted(slower, fleet.Confirmed))
	r.run("bril", "live", "on", "--control", socket)
	after := r.until("live again", live)
	t.Logf("camera before: %s, after: %s", before.Camera, after.Camera)
	if before.Camera == after.Camera || !strings.Contains(after.Camera, "@20") && !strings.Contains(after.Camera, "@25") {
		t.Errorf("the camera ran as %s, and runs as %s", before.Camera, after.Camera)
	}
	r.run("bril", "live", "off", "--control", socket)

	begun := time.Now()
	impossible := m.push("camera:\n  size: 1918x1078\n  fps: 60\n")
	d := m.until("refused", attempted(impossible, fleet.Refused))
	t.Logf("refused after %v: %s", time.Since(begun).Round(time.Second), d.Why)
	if d.Running.Serial != slower || d.Attempted.Element != "camera" || d.Attempted.During != fleet.DryRun {
		t.Errorf("it runs %d, attempted %+v", d.Running.Serial, d.Attempted)
	}
	// A rate that the chip's control takes, and the chip does not. Software could, at a
	// cost that nobody has asked for.
	r.venc("eio_above=3000000")
	begun = time.Now()
	fast := m.push("camera:\n  fps: 20\nvideo:\n  max_bitrate: 4M\n")
	d = m.until("returned", attempted(fast, fleet.Returned))
	t.Logf("returned after %v: %s", time.Since(begun).Round(time.Second), d.Why)
	if d.Running.Serial != slower || d.Attempted.Element != "encoder" || d.Attempted.During != fleet.Probation {
		t.Errorf("it runs %d, attempted %+v", d.Running.Serial, d.Attempted)
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("the return took %v", took)
	}
	begun = time.Now()
	nowhere := m.push("uplink:\n  whip_url: " + m.url + "/nothing/here\n")
	d = m.until("returned", attempted(nowhere, fleet.Returned))
	t.Logf("returned after %v: %s", time.Since(begun).Round(time.Second), d.Why)
	if d.Running.Serial != slower || d.Attempted.Element != "whip" {
		t.Errorf("it runs %d, attempted %+v", d.Running.Serial, d.Attempted)
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("the return took %v", took)
	}
}
