package agent

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skip2/go-qrcode"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/uplink/enrol/keyfile"
	"github.com/bril-edge/bril/uplink/enrol/ticket"
	enroltoken "github.com/bril-edge/bril/uplink/enrol/token"
)

func brandKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
}

// provisionKey returns a file with the public key of the brand.
func provisionKey(t *testing.T) string {
	data, err := keyfile.Public(brandKey().Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "provision.pub")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// filmed returns a film of a code, 640x480 in Y4M.
func filmed(t *testing.T, text string) string {
	t.Helper()
	code, err := qrcode.New(text, qrcode.Low)
	if err != nil {
		t.Fatal(err)
	}
	const w, h, module = 640, 480, 5
	modules := code.Bitmap() // with its quiet zone
	left, top := (w-module*len(modules))/2, (h-module*len(modules))/2
	picture := bytes.Repeat([]byte{128}, w*h*3/2)
	for y := range module * len(modules) {
		for x := range module * len(modules) {
			v := byte(235)
			if modules[y/module][x/module] {
				v = 16
			}
			picture[(top+y)*w+left+x] = v
		}
	}
	path := filepath.Join(t.TempDir(), "code.y4m")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	b := bufio.NewWriter(file)
	fmt.Fprintf(b, "YUV4MPEG2 W%d H%d F10:1 Ip C420jpeg\n", w, h)
	for range 4 {
		b.WriteString("FRAME\n")
		b.Write(picture)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func signedTicket(t *testing.T, key ed25519.PrivateKey, server string) string {
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	text, err := ticket.Ticket{Server: u, Token: enroltoken.Random([32]byte{1})}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// provisioned runs the mode before a code until each says that it is enough.
func provisioned(t *testing.T, code string, enough func(control.Provisioning) bool) (running, []control.Provisioning) {
	cfg := quiet(startEndpoint(t))
	cfg.Camera.Source = configs.VideoSource{Kind: configs.Y4M, Path: filmed(t, code)}
	cfg.Provisioning.KeyFile = provisionKey(t)
	a, err := New(cfg, Options{Version: "test", StateDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r := runAgent(t, a, false)
	r.until("ready", func(s control.Status) bool { return s.State == "ready" || s.State == "off" })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var seen []control.Provisioning
	for { // until Run has begun, which the mode belongs to
		seen = nil
		err = r.Provision(ctx, func(p control.Provisioning) error {
			seen = append(seen, p)
			if enough(p) {
				return context.Canceled
			}
			return nil
		})
		if err == nil || len(seen) > 0 || ctx.Err() != nil {
			break
		}
	}
	return r, seen
}

// A code of somebody else's key is refused before anything is done, and the search
// goes on; nothing else may have the camera meanwhile.
func TestProvisionForeignKey(t *testing.T) {
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	r, seen := provisioned(t, signedTicket(t, other, "https://127.0.0.1:1"), func(p control.Provisioning) bool { return p.Problem != nil })
	last := seen[len(seen)-1]
	if last.Phase != "looking" || last.Problem == nil || !strings.Contains(last.Problem.Message, "signed") || last.Problem.Text == "" {
		t.Errorf("%+v", seen)
	}
	if slices.ContainsFunc(seen, func(p control.Provisioning) bool { return p.Phase != "looking" }) {
		t.Errorf("something was done: %+v", seen)
	}
	if _, err := r.Live(t.Context(), control.On); err == nil {
		t.Error("live meanwhile")
	}
	if _, err := r.Photo(t.Context(), false); err == nil {
		t.Error("a photo meanwhile")
	}
	if _, err := r.Doctor(t.Context(), control.DoctorRequest{}, nil); !errors.Is(err, errProvisioning) {
		t.Errorf("an examination meanwhile: %v", err)
	}
	if err := r.StopProvision(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.StopProvision(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Live(t.Context(), control.On); err != nil {
		t.Errorf("live afterwards: %v", err)
	}
	r.until("live", func(s control.Status) bool { return s.State == "live" })
	if err := r.Provision(t.Context(), func(control.Provisioning) error { return nil }); err == nil {
		t.Error("a code is looked for while live")
	}
}

// A server that is not there refuses, too.
func TestProvisionUnreachable(t *testing.T) {
	_, seen := provisioned(t, signedTicket(t, brandKey(), "https://127.0.0.1:1"), func(p control.Provisioning) bool { return p.Problem != nil })
	var phases []string
	for _, p := range seen {
		phases = append(phases, p.Phase)
	}
	if !slices.Contains(phases, "enrolling") || phases[len(phases)-1] != "looking" {
		t.Errorf("%v", phases)
	}
}

func TestProvisionOff(t *testing.T) {
	cfg := quiet(startEndpoint(t))
	cfg.Provisioning.KeyFile = filepath.Join(t.TempDir(), "none.pub")
	r := start(t, cfg, nil)
	err := r.Provision(t.Context(), func(control.Provisioning) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "off") || hint(err) == "" {
		t.Errorf("%v", err)
	}
}
