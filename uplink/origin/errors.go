package origin

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"
)

// What a caller may decide on, found by errors.Is in any error of this package,
// beside ErrUntrusted.
var (
	ErrCertificate = errors.New("TLS certificate not accepted")
	ErrTooLarge    = errors.New("answer too large")

	// ErrClock says that a certificate is from after the time here, which nobody has
	// confirmed: it is the clock that is wrong, and a later try finds it set.
	ErrClock = errors.New("this machine's clock is not set yet")
)

// Error says what was tried, on which URL, and why it did not work. None of its
// texts holds the token or the query of a URL.
type Error struct {
	Op         string  // what was tried, as in "publish to"
	URL        string  // on what; a query is shown as "?…"
	Status     int     // HTTP status; 0 when no answer came
	Problem    Problem // what the server says about it, if it does
	RetryAfter time.Duration
	Hint       string // what a person may do about it; may be empty
	Err        error  // the cause, often a sentinel of the caller's
}

// Error returns the whole of it but the hint, in one line.
func (e *Error) Error() string {
	text := e.Op + " " + e.URL + ": "
	if e.Status != 0 {
		text += fmt.Sprintf("%d %s: ", e.Status, http.StatusText(e.Status))
	}
	text += e.Err.Error()
	if said := e.Problem.String(); said != "" {
		text += ": " + said
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// RetryAfter returns how long the server asked to be left alone, 0 if it did not.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// Hint returns what a person may do about err, or an empty text.
func Hint(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

// Hinted is a cause that carries its hint to the Error built around it.
type Hinted struct {
	error
	hint string
}

// WithHint gives a cause its hint.
func WithHint(err error, hint string) Hinted { return Hinted{err, hint} }

// Unwrap returns the cause.
func (h Hinted) Unwrap() error { return h.error }

// Hint returns what a person may do about it.
func (h Hinted) Hint() string { return h.hint }

// Fail wraps a cause that is not an HTTP status.
func (q Request) Fail(err error) *Error {
	e := &Error{Op: q.Op, URL: Show(q.URL), Err: err}
	var h Hinted
	if errors.As(err, &h) {
		e.Hint = h.hint
	}
	return e
}

// unanswered explains an exchange that broke before its answer was complete.
func (c *Client) unanswered(ctx context.Context, q Request, err error, timeout time.Duration) *Error {
	var verification *tls.CertificateVerificationError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var unknown *net.DNSError
	switch {
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no complete answer within %v: %w", timeout, err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && c.early(invalid.Cert):
		err = WithHint(fmt.Errorf("%w: it says %s, the certificate is from %s", ErrClock,
			c.now().UTC().Format(time.DateOnly), invalid.Cert.NotBefore.UTC().Format(time.DateOnly)), clockHint)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		err = WithHint(fmt.Errorf("%w: %w", ErrCertificate, err), "compare this machine's clock (date) with the dates of the certificate")
	case unknownAuthority(err) && c.cfg.Identity.has(Of(q.URL)):
		err = WithHint(fmt.Errorf("%w: %w", ErrCertificate, err), "it is not by the authority that this board was enrolled with: is somebody in between? otherwise bril enrol --token-file F")
	case errors.As(err, &verification):
		err = WithHint(fmt.Errorf("%w: %w", ErrCertificate, err), "is the certificate made for this host name, by an authority that this machine knows?")
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		err = WithHint(fmt.Errorf("%w: %w", c.cfg.Foreign, err), "this port speaks plain http; https is needed off loopback")
	case errors.As(err, &unknown):
		err = WithHint(err, "is the name right? check "+c.cfg.Key+", and whether this network's name server answers")
	case errors.Is(err, syscall.ECONNREFUSED):
		err = WithHint(err, "is the endpoint running? check "+c.cfg.Key)
	}
	return q.Fail(err)
}

// clockHint is for a board without a clock chip, whose network tells no time.
const clockHint = "it is tried again once NTP has set the clock: does this network let NTP through? timedatectl shows it"

// early says that a certificate is not valid yet, by a clock that may be behind.
func (c *Client) early(certificate *x509.Certificate) bool {
	return certificate != nil && c.cfg.Confirmed != nil && !c.cfg.Confirmed() && c.now().Before(certificate.NotBefore)
}

func (c *Client) now() time.Time {
	if c.cfg.Time != nil {
		return c.cfg.Time()
	}
	return time.Now()
}

// Refused is the error for an answer that is not the one the request asks for:
// what the server says about it, with the caller's verdict as its cause.
func (c *Client) Refused(q Request, r *Reply, hint string, verdict error) *Error {
	q.URL = r.URL
	e := q.Fail(verdict)
	e.Status = r.Status
	e.Problem = r.problem(c.cfg.Token)
	e.Hint = cmp.Or(enrolmentHint(e.Problem.Type), hint)
	e.RetryAfter = retryAfter(r.Header.Get("Retry-After"), time.Now())
	return e
}

// TokenHint is what to do about a 401 or 403.
func (c *Client) TokenHint() string {
	if c.cfg.Token.IsZero() {
		return "the endpoint asks for a token: set " + keyToken
	}
	return "check the token in " + keyToken
}
