package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/bril-edge/bril/cmd/internal/fleetsim"
	"github.com/bril-edge/bril/uplink/enrol"
	"github.com/bril-edge/bril/uplink/enrol/token"
)

// glassesMain is the program `glasses SERVER TOKENFILE CA` of the stories: a board
// that enrols and has a line to its fleet, until SIGTERM. A configuration with a WHIP
// URL of nothing/here does not work on it.
func glassesMain() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	text, err := os.ReadFile(os.Args[2])
	fail(err)
	t, err := token.Parse(strings.TrimSpace(string(text)))
	fail(err)
	dir, err := os.MkdirTemp("", "glasses")
	fail(err)
	defer os.RemoveAll(dir)
	i, err := enrol.Enrol(ctx, enrol.Config{Dir: filepath.Join(dir, "enrolment"), Serial: filepath.Base(dir), Model: "Simulated board", Version: "simulated"}, os.Args[1], t)
	fail(err)
	pem, err := os.ReadFile(os.Args[3])
	fail(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	d := i.Document()
	keys, err := d.SigningKeys()
	fail(err)
	b := fleetsim.New(fleetsim.Config{
		Server: d.Server, Roots: roots, ID: d.Device, Cert: i.Certificate(), Fleet: d.Fleet, Labels: d.Labels, Keys: append([]ed25519.PublicKey{}, keys...),
		Probation: 100 * time.Millisecond, Works: fleetsim.Bad("nothing/here"),
	})
	fmt.Println("enrolled", d.Device)
	_ = b.Run(ctx) // it ends with ctx
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "glasses:", err)
		os.Exit(1)
	}
}
