package boardtest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skip2/go-qrcode"

	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
	"github.com/bril-edge/bril/uplink/enrol/keyfile"
	"github.com/bril-edge/bril/uplink/enrol/ticket"
	"github.com/bril-edge/bril/uplink/enrol/token"
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

// bare starts `bril run` in the guest, which knows no endpoint: its state is a new one
// with each.
func (r *rig) bare(args ...string) *daemon {
	r.Helper()
	state := strings.TrimSpace(r.run("mktemp", "-d", "/tmp/bare.XXXXXX"))
	return r.start(append([]string{"bril", "run", "--control", socket, "--state", state, "--interface", "eth0"}, args...)...)
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

// TestEnrolsByCode holds a QR code in front of a bare board's camera, which is a file.
func TestEnrolsByCode(t *testing.T) {
	r := board(t)
	e := r.enrolling()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := keyfile.Public(public)
	if err != nil {
		t.Fatal(err)
	}
	r.set("/tmp/provision.pub", string(file))
	r.set("/tmp/bril.yaml", "provisioning: {key_file: /tmp/provision.pub}\n")
	tk, err := token.Parse(e.token())
	if err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(e.url)
	if err != nil {
		t.Fatal(err)
	}
	text, err := ticket.Ticket{Server: server, Token: tk}.Sign(private)
	if err != nil {
		t.Fatal(err)
	}
	writeFilm(t, filepath.Join(r.share, "code.y4m"), text)
	r.bare("--config", "/tmp/bril.yaml", "--camera", "y4m:/host/code.y4m", "--loop", "--microphone", "none")
	r.until("ready", func(s status) bool { return s.State == "ready" })
	t.Log(r.run("bril", "provision", "--control", socket))
	r.run("bril", "live", "on", "--control", socket)
	r.until("live", live)
	e.viewer().pictures(5)
}

// writeFilm writes two seconds of a QR code as YUV4MPEG2, 640x480 at 5 pictures a
// second.
func writeFilm(t *testing.T, path, text string) {
	t.Helper()
	const width, height, pictures = 640, 480, 10
	code, err := qrcode.New(text, qrcode.Low)
	if err != nil {
		t.Fatal(err)
	}
	modules := code.Bitmap() // with its quiet zone
	side := height / len(modules)
	luma := bytes.Repeat([]byte{235}, width*height)
	for y := range side * len(modules) {
		for x := range side * len(modules) {
			if modules[y/side][x/side] {
				luma[(y+(height-side*len(modules))/2)*width+x+(width-side*len(modules))/2] = 16
			}
		}
	}
	film := []byte("YUV4MPEG2 W640 H480 F5:1 Ip A1:1 C420jpeg\n")
	for range pictures {
		film = append(film, "FRAME\n"...)
		film = append(film, luma...)
		film = append(film, bytes.Repeat([]byte{128}, width*height/2)...)
	}
	if err := os.WriteFile(path, film, 0o644); err != nil {
		t.Fatal(err)
	}
}
