package fleetsim

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/uplink/enrol/token"
)

// Identity is an enrolled board's.
type Identity struct {
	ID, Name string
	Cert     *tls.Certificate
}

// Fleet is a data directory with enrolled boards, a key and a manager.
type Fleet struct {
	Dir      string
	Boards   []Identity
	Key      ed25519.PrivateKey
	Token    string // of the manager
	Roots    *x509.CertPool
	Progress func(done, of int) // may be nil
}

// Prepare enrols n boards in the files of a server that does not run yet: each by a
// token of its own, with a key and a request for its certificate, as over the network.
func Prepare(ctx context.Context, dir string, n int, progress func(done, of int)) (f *Fleet, err error) {
	f = &Fleet{Dir: dir, Progress: progress}
	if _, f.Key, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	db, err := records.Open(records.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	authority, err := devices.OpenAuthority(dir, time.Now)
	if err != nil {
		return nil, err
	}
	f.Roots = x509.NewCertPool()
	if !f.Roots.AppendCertsFromPEM(authority.Root()) {
		return nil, errors.New("the authority has no certificate")
	}
	registry := devices.New(devices.Config{
		Records: db, Authority: authority, Clock: time.Now, Log: slog.New(slog.DiscardHandler), Endpoint: func(string, string) devices.Endpoint { return devices.Endpoint{} },
	})
	admin := registry.Admin(func() ([32]byte, error) { return [32]byte{}, nil })
	for i := range n {
		one, err := enrol(ctx, registry, admin, fmt.Sprintf("sim-%05d", i))
		if err != nil {
			return nil, fmt.Errorf("enrol board %d: %w", i, err)
		}
		f.Boards = append(f.Boards, one)
		if progress != nil {
			progress(i+1, n)
		}
	}
	made, err := service.NewAdmin(db, nil).Add(ctx, "the simulator")
	f.Token = made.Token
	return f, err
}

func enrol(ctx context.Context, r *devices.Registry, admin devices.Admin, name string) (Identity, error) {
	made, err := admin.NewToken(ctx, devices.Wanted{Name: name, Valid: time.Hour})
	if err != nil {
		return Identity{}, err
	}
	t, err := token.Parse(made.Text)
	if err != nil {
		return Identity{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Identity{}, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return Identity{}, err
	}
	document, err := r.Enrol(ctx, devices.Question{
		TokenID: made.ID, Secret: t.SecretText(), CSR: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})),
		Serial: name, Model: "Simulated board", Version: "simulated",
	})
	if err != nil {
		return Identity{}, err
	}
	block, _ := pem.Decode([]byte(document.Certificate))
	if block == nil {
		return Identity{}, errors.New("the document has no certificate")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return Identity{}, err
	}
	return Identity{document.Device, name, &tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key, Leaf: leaf}}, nil
}
