package whip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// What a caller may decide on, found by errors.Is in any error of this package.
var (
	ErrUnauthorized = errors.New("not authorised")
	ErrNotFound     = errors.New("not found")
	ErrConflict     = errors.New("another publisher holds the stream")
	ErrBusy         = errors.New("endpoint is busy")
	ErrRefused      = errors.New("offer refused")
	ErrNotWHIP      = errors.New("not a WHIP endpoint")
	ErrUntrusted    = errors.New("not a trusted origin")
	ErrCertificate  = errors.New("TLS certificate not accepted")
	ErrTooLarge     = errors.New("answer too large")
	ErrNoPatch      = errors.New("session takes no PATCH of this kind")
	ErrPrecondition = errors.New("entity tag not accepted")
	ErrSuperseded   = errors.New("superseded by a later ICE restart")
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
	Err        error  // the cause, often one of the sentinels above
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

// Permanent says that the same request will fail again until a person or the
// endpoint's operator changes something: worth showing at once, and worth
// retrying only slowly. A 404 is not, since a gateway whose backend restarts
// answers it too.
func Permanent(err error) bool {
	for _, sentinel := range []error{ErrUnauthorized, ErrNotWHIP, ErrRefused, ErrUntrusted, ErrCertificate} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}

// Away says that the endpoint was not there at all: no answer came, or a gateway
// answered for it (RFC 9110, sections 15.6.3 to 15.6.5).
func Away(err error) bool {
	var e *Error
	if !errors.As(err, &e) || Permanent(err) {
		return false
	}
	switch e.Status {
	case 0, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

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

// hinted is a cause that carries its hint to the Error built around it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// fail wraps a cause that is not an HTTP status.
func (q request) fail(err error) *Error {
	e := &Error{Op: q.op, URL: show(q.url), Err: err}
	var h hinted
	if errors.As(err, &h) {
		e.Hint = h.hint
	}
	return e
}

// unanswered explains an exchange that broke before its answer was complete.
func (q request) unanswered(ctx context.Context, err error, timeout time.Duration) *Error {
	var verification *tls.CertificateVerificationError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no complete answer within %v: %w", timeout, err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		err = hinted{fmt.Errorf("%w: %w", ErrCertificate, err), "compare this machine's clock (date) with the dates of the certificate"}
	case errors.As(err, &verification):
		err = hinted{fmt.Errorf("%w: %w", ErrCertificate, err), "is the certificate made for this host name, by an authority that this machine knows?"}
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		err = hinted{fmt.Errorf("%w: %w", ErrNotWHIP, err), "this port speaks plain http; WHIP needs https off loopback"}
	case errors.Is(err, syscall.ECONNREFUSED):
		err = hinted{err, "is the endpoint running? check " + keyURL}
	}
	return q.fail(err)
}

// refused explains an answer that is not the one the request asks for.
func (c *Client) refused(q request, r *reply) *Error {
	hint, err := c.verdict(q, r)
	q.url = r.url
	e := q.fail(err)
	e.Hint = hint
	e.Status = r.status
	e.Problem = r.problem(c.cfg.Token)
	e.RetryAfter = retryAfter(r.header.Get("Retry-After"), time.Now())
	return e
}

var errUnexpected = errors.New("not the status that RFC 9725 asks for")

func (c *Client) verdict(q request, r *reply) (hint string, err error) {
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		if c.cfg.Token.IsZero() {
			return "the endpoint asks for a token: set " + keyToken, ErrUnauthorized
		}
		return "check the token in " + keyToken, ErrUnauthorized
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "", ErrBusy
	}
	if r.isHTML() && r.status < 500 {
		return "is this a WHIP endpoint? check " + keyURL, fmt.Errorf("%w: it answers a web page", ErrNotWHIP)
	}
	if q.method == http.MethodPatch {
		return "", patchVerdict(r.status)
	}
	return statusVerdict(r.status)
}

func statusVerdict(status int) (hint string, err error) {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return "check the path of " + keyURL, ErrNotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return "is this a WHIP endpoint? check " + keyURL, ErrNotWHIP
	case http.StatusConflict:
		return "end the other session, or use a stream of its own for this device", ErrConflict
	case http.StatusNotAcceptable:
		return "the endpoint takes none of the offered codecs: it needs H.264 and Opus", ErrRefused
	case http.StatusUnsupportedMediaType:
		return "the endpoint does not take application/sdp: is this a WHIP endpoint?", ErrRefused
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "", ErrRefused
	}
	return "", errUnexpected
}

// patchVerdict follows RFC 9725, section 4.3.1 (HTTP PATCH Request Usage).
func patchVerdict(status int) error {
	switch status {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusUnprocessableEntity:
		return ErrNoPatch
	case http.StatusPreconditionFailed, http.StatusPreconditionRequired:
		return ErrPrecondition
	case http.StatusNotFound, http.StatusGone:
		return ErrNotFound
	}
	return errUnexpected
}

// show returns a URL for people and logs: a query may carry a stream key.
func show(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if u.RawQuery != "" {
		return shown.String() + "?…"
	}
	return shown.String()
}
