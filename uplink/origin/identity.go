package origin

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"slices"
)

// Identity is as whom an enrolled device asks, and whom it believes. It is for the
// origins that the enrolment names and for no other: a redirect to another trusted
// origin neither sees the certificate nor is believed by these roots.
type Identity struct {
	Origins     []string                // the enrolled ones, as Of writes them
	Roots       *x509.CertPool          // the only authorities that are believed there; the system's when nil
	Certificate func() *tls.Certificate // asked for each connection, as it is renewed; nil where there is none
	Doubted     func()                  // is told, and returns at once, when one of them forbids something; nobody when nil
}

// Over returns base for all origins but the enrolled ones, which get a transport like
// it that knows this identity. A nil Identity returns base itself.
func (i *Identity) Over(base *http.Transport) http.RoundTripper {
	if i == nil {
		return base
	}
	own := base.Clone()
	own.TLSClientConfig.RootCAs = i.Roots
	// A session that is resumed would be that of the certificate before.
	own.TLSClientConfig.ClientSessionCache = nil
	own.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if c := i.Certificate(); c != nil {
			return c, nil
		}
		return &tls.Certificate{}, nil // says that there is none
	}
	t := enrolled{own: own, other: base, origins: map[string]bool{}, doubted: i.Doubted}
	for _, o := range i.Origins {
		t.origins[o] = true
	}
	return t
}

// enrolled is two transports.
type enrolled struct {
	origins    map[string]bool
	own, other *http.Transport
	doubted    func() // may be nil
}

// RoundTrip sends a request by the transport for its origin.
func (t enrolled) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.origins[Of(req.URL)] {
		return t.other.RoundTrip(req)
	}
	answer, err := t.own.RoundTrip(req)
	if err == nil && answer.StatusCode == http.StatusForbidden && t.doubted != nil {
		t.doubted()
	}
	return answer, err
}

// CloseIdleConnections closes those of both.
func (t enrolled) CloseIdleConnections() {
	t.own.CloseIdleConnections()
	t.other.CloseIdleConnections()
}

// has says whether an origin is an enrolled one.
func (i *Identity) has(origin string) bool {
	return i != nil && slices.Contains(i.Origins, origin)
}

// Enrolled says that a URL is at an enrolled origin: whom the client asks there has
// shown the certificate of one of the enrolment's authorities.
func (c *Client) Enrolled(u *url.URL) bool { return c.cfg.Identity.has(Of(u)) }

// unknownAuthority says that err is a certificate by somebody else's authority.
func unknownAuthority(err error) bool {
	return errors.As(err, new(x509.UnknownAuthorityError))
}

// What an endpoint says of a device that it does not take, as problem types.
const (
	ProblemExpired     = "urn:bril:problem:certificate-expired"
	ProblemRevoked     = "urn:bril:problem:device-revoked"
	ProblemUnknown     = "urn:bril:problem:certificate-unknown"
	ProblemNotEnrolled = "urn:bril:problem:not-enrolled"
	ProblemOtherName   = "urn:bril:problem:other-name"
)

// enrolmentHint is what to do about one of these problems, or an empty text.
func enrolmentHint(problem string) string {
	switch problem {
	case ProblemExpired:
		return "the certificate is renewed by itself while the daemon runs; if that is refused: bril enrol --token-file F"
	case ProblemRevoked, ProblemUnknown:
		return "this board has to be enrolled again, by a fresh token: bril enrol --token-file F"
	case ProblemNotEnrolled:
		return "the endpoint takes enrolled boards only: bril enrol --server URL --token-file F"
	case ProblemOtherName:
		return "the board is enrolled under another name: does uplink.whip_url in the configuration file name one?"
	}
	return ""
}
