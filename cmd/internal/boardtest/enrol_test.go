package boardtest

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

// enrolling is an endpoint that takes enrolled devices only.
type enrolling struct {
	endpoint
	r   *rig
	dir string
}

func (r *rig) enrolling() enrolling {
	r.Helper()
	dir := r.TempDir()
	return enrolling{r.serving(showroom.Config{DataDir: dir, TLSOwn: true, RequireEnrolment: true}), r, dir}
}

func (e enrolling) admin() *devices.Client {
	e.r.Helper()
	server, err := privacy.Dial(filepath.Join(e.dir, privacy.SocketName))
	if err != nil {
		e.r.Fatal(err)
	}
	return devices.NewClient(server.HTTP())
}

// token makes one for the name demo.
func (e enrolling) token() string {
	e.r.Helper()
	made, err := e.admin().NewToken(e.r.Context(), devices.Wanted{Name: "demo", Label: "the virtual board"})
	if err != nil {
		e.r.Fatal(err)
	}
	return made.Text
}

func (e enrolling) viewer() *viewer {
	e.r.Helper()
	text, err := os.ReadFile(filepath.Join(e.dir, "authority", "ca.pem"))
	if err != nil {
		e.r.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return e.r.watchWith(e.endpoint, rtctest.Options{NoRTX: true, Roots: roots})
}

// bare starts `bril run` in the guest, which knows no endpoint.
func (r *rig) bare(args ...string) *daemon {
	r.Helper()
	return r.start(append([]string{"bril", "run", "--control", socket, "--state", "/tmp/state", "--interface", "eth0"}, args...)...)
}

// TestEnrolsByToken takes a bare board to live: a token, and nothing else.
func TestEnrolsByToken(t *testing.T) {
	r := board(t)
	e := r.enrolling()
	r.bare("--camera", "pattern:320x180@10", "--microphone", "tone")
	r.until("ready", func(s status) bool { return s.State == "ready" })
	r.set("/tmp/token", e.token()+"\n")
	said := r.run("bril", "enrol", "--server", e.url, "--token-file", "/tmp/token", "--control", socket)
	t.Log(said)
	r.run("bril", "live", "on", "--control", socket)
	r.until("live", live)
	v := e.viewer()
	v.pictures(10)
	v.decodes(320, 180)
	if _, err := e.admin().Revoke(t.Context(), "demo"); err != nil {
		t.Fatal(err)
	}
	r.until("refused", func(s status) bool {
		return s.Uplink.State != "connected" && len(s.Errors) > 0 && strings.Contains(s.Errors[0].Message+s.Errors[0].Hint, "revoked")
	})
}
