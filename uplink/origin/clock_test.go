package origin

import (
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
	"net/url"
	"strings"
	"testing"
	"time"
)

// server serves over TLS with a certificate of its own for 127.0.0.1, and tells told.
func server(t *testing.T, from, to, told time.Time) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: to,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", told.UTC().Format(http.TimeFormat))
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return s, roots
}

// TestClock: certificates are judged by the caller's time, and what only a clock that
// is not set refuses is an error of its own.
func TestClock(t *testing.T) {
	made := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for _, test := range []struct {
		name            string
		time            time.Time
		confirmed       bool
		told            time.Time // by the server
		clock, refused  bool      // ErrClock, ErrCertificate
		heard, hintsNTP bool
	}{
		{"a time within", made.Add(day), false, made.Add(day), false, false, true, false},
		{"1970", time.Unix(0, 0), false, made, true, false, false, true},
		{"a day early, not confirmed", made.Add(-day), false, made, true, false, false, true},
		{"a day early, confirmed", made.Add(-day), true, made, false, true, false, false},
		{"too late, not confirmed", made.Add(91 * day), false, made, false, true, false, false},
		{"too late, confirmed", made.Add(91 * day), true, made, false, true, false, false},
		{"a server in 1970", made.Add(day), false, time.Unix(0, 0), false, false, false, false},
		{"a server beyond its own certificate", made.Add(day), false, made.Add(91 * day), false, false, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, roots := server(t, made, made.Add(90*day), test.told)
			heard := false
			c, err := New(Config{URL: s.URL, RootCAs: roots, Date: func(time.Time) { heard = true },
				Time: func() time.Time { return test.time }, Confirmed: func() bool { return test.confirmed }})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseIdle()
			at, _ := url.Parse(s.URL)
			_, err = c.Do(t.Context(), 10*time.Second, Request{Op: "ask", Method: "GET", URL: at})
			if errors.Is(err, ErrClock) != test.clock || errors.Is(err, ErrCertificate) != test.refused {
				t.Errorf("error %v", err)
			}
			if heard != test.heard || strings.Contains(Hint(err), "NTP") != test.hintsNTP {
				t.Errorf("heard %v, hint %q", heard, Hint(err))
			}
		})
	}
}
