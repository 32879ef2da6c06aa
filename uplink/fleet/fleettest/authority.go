package fleettest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

// Device is the ID of a board, for tests that have one only.
const Device = "ivzgs3bnmzwgkzluor2gk43uge"

// Authority signs certificates: of a service at 127.0.0.1, and of boards.
type Authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	root *x509.Certificate
}

// NewAuthority makes one, with an hour to live.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &Authority{t: t, key: key, root: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fleettest"}, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour),
	}}
	a.root = a.sign(a.root, &key.PublicKey)
	return a
}

func (a *Authority) sign(template *x509.Certificate, key *ecdsa.PublicKey) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, key, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// certificate is a board's, or the service's where it is of no device.
func (a *Authority) certificate(device string) *tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: device}, NotAfter: time.Now().Add(time.Hour)}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if device == "" {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	c := a.sign(template, &key.PublicKey)
	return &tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}
}

func (a *Authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.root)
	return p
}

// Identity is that of a board which this authority's endpoint has enrolled, at the
// origins of the addresses.
func (a *Authority) Identity(device string, addresses ...string) *origin.Identity {
	a.t.Helper()
	own := a.certificate(device)
	i := &origin.Identity{Roots: a.pool(), Certificate: func() *tls.Certificate { return own }}
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil {
			a.t.Fatal(err)
		}
		i.Origins = append(i.Origins, origin.Of(u))
	}
	return i
}

// Client asks a service as a board that is enrolled there.
func (s *Service) Client(t testing.TB, device string) *origin.Client {
	t.Helper()
	c, err := origin.New(origin.Config{URL: s.URL, Key: "fleet_url", Identity: s.Authority.Identity(device, s.URL)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}
