package calls

import (
	"errors"
	"net/http"

	"github.com/bril-edge/bril/uplink/origin"
)

const keyURL = "calls.events_url"

// What may be found by errors.Is in an error of this package, beside those of
// uplink/origin.
var (
	ErrUnauthorized = errors.New("not authorised")
	ErrAbsent       = errors.New("the endpoint has no events for these glasses")
	ErrTaken        = errors.New("other glasses hold this name")
	ErrGone         = errors.New("the call is over")
	ErrBusy         = errors.New("endpoint is busy")
	ErrNotEvents    = errors.New("not a stream of events")
	ErrTooLarge     = errors.New("a line or an event is too large")
	ErrFlood        = errors.New("more events than anybody can follow")
	ErrSilent       = errors.New("nothing was heard for 40s")
	ErrEnded        = errors.New("the endpoint ended the stream")

	errNoHello    = errors.New("it does not begin with hello")
	errUnexpected = errors.New("not the status that was asked for")
)

func is(err error, sentinels ...error) bool {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// refused explains an answer that is not the one the request asks for; a conflict
// is what the request says it is.
func (c *Client) refused(q origin.Request, r *origin.Reply, conflict error) error {
	hint, err := c.verdict(r, conflict)
	return c.http.Refused(q, r, hint, err)
}

func (c *Client) verdict(r *origin.Reply, conflict error) (hint string, err error) {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return c.http.TokenHint(), ErrUnauthorized
	case http.StatusConflict, http.StatusGone:
		if errors.Is(conflict, ErrTaken) {
			return "two pairs of glasses have the same address: give each a uplink.whip_url of its own", conflict
		}
		return "", conflict
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "", ErrBusy
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented, http.StatusNoContent:
		return "check " + keyURL + "; none is for an endpoint without calls", ErrAbsent
	}
	if r.IsHTML() && r.Status < 500 {
		return "check " + keyURL, ErrNotEvents
	}
	return "", errUnexpected
}
