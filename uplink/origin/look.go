package origin

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Seen is what a server shows to who looks at it.
type Seen struct {
	NotAfter time.Time // of its certificate
	// Err is why that is not accepted at the time of the look; nil where it is.
	Err error
	// Told is the time that the server tells; zero where it tells none.
	Told time.Time
	// Good says that the certificate is one at the time that the server tells: where
	// it is not at the time here, it is this machine's clock that is wrong.
	Good bool
}

const (
	lookTime = 5 * time.Second
	maxHead  = 64 << 10 // of the answer, in bytes: nothing is known of who gives it
)

// Look looks at the certificate and the clock of the server at u, with the system's
// authorities where roots is nil, at the time now. It sends no credential, and believes
// nothing: it is for who wants to know what is wrong.
func Look(ctx context.Context, u *url.URL, roots *x509.CertPool, now time.Time) (Seen, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	conn, err := dial(ctx, "tcp", HostPort(u))
	if err != nil {
		return Seen{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if u.Scheme != "https" {
		told := date(ctx, conn, u)
		return Seen{Told: told, Good: !told.IsZero()}, nil
	}
	secure := tls.Client(conn, &tls.Config{
		ServerName: u.Hostname(), MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, // verified below, twice; nothing of worth is sent
	})
	if err := secure.HandshakeContext(ctx); err != nil {
		return Seen{}, err
	}
	chain := secure.ConnectionState().PeerCertificates
	if len(chain) == 0 {
		return Seen{}, errors.New("it shows no certificate")
	}
	told := date(ctx, secure, u)
	s := Seen{NotAfter: chain[0].NotAfter, Told: told, Err: verify(chain, u.Hostname(), roots, now)}
	s.Good = !told.IsZero() && verify(chain, u.Hostname(), roots, told) == nil
	return s, nil
}

func verify(chain []*x509.Certificate, host string, roots *x509.CertPool, at time.Time) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between, CurrentTime: at})
	return err
}

// date asks for nothing but the time; zero where that fails.
func date(ctx context.Context, conn net.Conn, u *url.URL) time.Time {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}).String(), nil)
	if err != nil || request.Write(conn) != nil {
		return time.Time{}
	}
	response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxHead)), request)
	if err != nil {
		return time.Time{}
	}
	defer response.Body.Close()
	told, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return told
}

// HostPort is where a URL leads, with the port of its scheme.
func HostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
