package whip

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/bril-edge/bril/uplink/origin"
)

// What a caller may decide on, found by errors.Is in any error of this package.
var (
	ErrUnauthorized = errors.New("not authorised")
	ErrNotFound     = errors.New("not found")
	ErrConflict     = errors.New("another publisher holds the stream")
	ErrBusy         = errors.New("endpoint is busy")
	ErrRefused      = errors.New("offer refused")
	ErrNotWHIP      = errors.New("not a WHIP endpoint")
	ErrUntrusted    = origin.ErrUntrusted
	ErrCertificate  = origin.ErrCertificate
	ErrTooLarge     = origin.ErrTooLarge
	ErrNoPatch      = errors.New("session takes no PATCH of this kind")
	ErrPrecondition = errors.New("entity tag not accepted")
	ErrSuperseded   = errors.New("superseded by a later ICE restart")
)

// Error says what was tried, on which URL, and why it did not work. None of its
// texts holds the token or the query of a URL.
type Error = origin.Error

// Secret is a text that is never shown.
type Secret = origin.Secret

// NewSecret wraps text; an empty text is no secret.
func NewSecret(text string) Secret { return origin.NewSecret(text) }

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

// Hint returns what a person may do about err, or an empty text.
func Hint(err error) string { return origin.Hint(err) }

// refused explains an answer that is not the one the request asks for.
func (c *Client) refused(q origin.Request, r *origin.Reply) *Error {
	hint, err := c.verdict(q, r)
	return c.http.Refused(q, r, hint, err)
}

var errUnexpected = errors.New("not the status that RFC 9725 asks for")

func (c *Client) verdict(q origin.Request, r *origin.Reply) (hint string, err error) {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return c.http.TokenHint(), ErrUnauthorized
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "", ErrBusy
	}
	if r.IsHTML() && r.Status < 500 {
		return "is this a WHIP endpoint? check " + keyURL, fmt.Errorf("%w: it answers a web page", ErrNotWHIP)
	}
	if q.Method == http.MethodPatch {
		return "", patchVerdict(r.Status)
	}
	return statusVerdict(r.Status)
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
