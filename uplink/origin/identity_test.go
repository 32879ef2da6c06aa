package origin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

// authority signs certificates for 127.0.0.1.
type authority struct {
	key  *ecdsa.PrivateKey
	root *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{key: key}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	a.root = template
	a.root = a.sign(t, template, &key.PublicKey)
	return a
}

func (a authority) sign(t *testing.T, template *x509.Certificate, key any) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (a authority) certificate(t *testing.T, serial int64) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := a.sign(t, &x509.Certificate{SerialNumber: big.NewInt(serial), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}, &key.PublicKey)
	return &tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.root)
	return p
}

// seen is a server that notes the serial numbers of who asks; 0 is nobody's.
type seen struct {
	*httptest.Server
	mu   sync.Mutex
	list []int64
}

func serve(t *testing.T, by authority, answer http.HandlerFunc) *seen {
	t.Helper()
	s := &seen{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serial := int64(0)
		if len(r.TLS.PeerCertificates) > 0 {
			serial = r.TLS.PeerCertificates[0].SerialNumber.Int64()
		}
		s.mu.Lock()
		s.list = append(s.list, serial)
		s.mu.Unlock()
		answer(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{*by.certificate(t, 1)}, ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *seen) of() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

func fine(http.ResponseWriter, *http.Request) {}

func ask(t *testing.T, cfg origin.Config) error {
	t.Helper()
	cfg.Key = "uplink.whip_url"
	c, err := origin.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdle()
	_, err = c.Do(context.Background(), 5*time.Second, origin.Request{Op: "ask", Method: http.MethodGet, URL: c.Endpoint()})
	return err
}

func TestIdentity(t *testing.T) {
	own, public := newAuthority(t), newAuthority(t)
	elsewhere := serve(t, public, fine)
	here := serve(t, own, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	})
	now := own.certificate(t, 7)
	who := &origin.Identity{Origins: []string{here.URL}, Roots: own.pool(), Certificate: func() *tls.Certificate { return now }}
	cfg := origin.Config{URL: here.URL, TrustedOrigins: []string{elsewhere.URL}, RootCAs: public.pool(), Identity: who}
	for _, serial := range []int64{7, 8} { // the second after a renewal
		now = own.certificate(t, serial)
		if err := ask(t, cfg); err != nil {
			t.Fatal(err)
		}
	}
	now = nil
	if err := ask(t, cfg); err != nil {
		t.Error(err)
	}
	now = own.certificate(t, 9)
	cfg.URL = here.URL + "/away"
	if err := ask(t, cfg); err != nil {
		t.Error(err)
	}
	if got := here.of(); !slices.Equal(got, []int64{7, 8, 0, 9}) {
		t.Errorf("the enrolled origin saw %v", got)
	}
	if got := elsewhere.of(); !slices.Equal(got, []int64{0}) {
		t.Errorf("the other trusted origin saw %v", got)
	}
}

// TestImpostor has the enrolled origin answer with a certificate that the system
// believes and the enrolment does not.
func TestImpostor(t *testing.T) {
	own, public := newAuthority(t), newAuthority(t)
	impostor := serve(t, public, fine)
	err := ask(t, origin.Config{URL: impostor.URL, RootCAs: public.pool(), Token: origin.NewSecret("s3cret"), Identity: &origin.Identity{
		Origins: []string{impostor.URL}, Roots: own.pool(), Certificate: func() *tls.Certificate { return nil }}})
	if !errors.Is(err, origin.ErrCertificate) || len(impostor.of()) != 0 {
		t.Errorf("%v; it heard %v", err, impostor.of())
	}
	if want := "it is not by the authority that this board was enrolled with: is somebody in between? otherwise bril enrol --token-file F"; origin.Hint(err) != want {
		t.Errorf("hint %q", origin.Hint(err))
	}
}

func TestEnrolmentHints(t *testing.T) {
	own := newAuthority(t)
	for word, want := range map[string]string{
		"device-revoked":      "this board has to be enrolled again, by a fresh token: bril enrol --token-file F",
		"certificate-expired": "the certificate is renewed by itself while the daemon runs; if that is refused: bril enrol --token-file F",
		"not-enrolled":        "the endpoint takes enrolled boards only: bril enrol --server URL --token-file F",
		"something":           "a hint of the protocol",
	} {
		s := serve(t, own, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"type":"urn:bril:problem:`+word+`"}`)
		})
		c, err := origin.New(origin.Config{URL: s.URL, RootCAs: own.pool()})
		if err != nil {
			t.Fatal(err)
		}
		q := origin.Request{Op: "ask", Method: http.MethodGet, URL: c.Endpoint()}
		r, err := c.Do(t.Context(), 5*time.Second, q)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Refused(q, r, "a hint of the protocol", errors.New("refused")).Hint; got != want {
			t.Errorf("%s: %q", word, got)
		}
		c.CloseIdle()
	}
}
