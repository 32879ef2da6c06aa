package upload

import (
	"errors"
	"net/http"

	"github.com/bril-edge/bril/uplink/origin"
)

const keyURL = "upload.url"

// What an upload may fail with, found by errors.Is.
var (
	ErrUnauthorized = errors.New("not authorised")
	ErrNotTus       = errors.New("not an endpoint for uploads (tus 1.0)")
	ErrNotFound     = errors.New("not found")
	ErrBusy         = errors.New("endpoint is busy")
	ErrFull         = errors.New("the endpoint's disk is full")
	ErrLocked       = errors.New("the upload is locked by an earlier connection")
	ErrRefused      = errors.New("refused")
	ErrNonsense     = errors.New("the endpoint contradicts itself")
	ErrChecksum     = errors.New("the endpoint has stored other bytes under this id")
	ErrStalled      = errors.New("no progress")

	errYields     = errors.New("another item is to be sent first")
	errPending    = errors.New("the endpoint is still checking it")
	errOffset     = errors.New("the endpoint is at another offset")
	errGone       = errors.New("the endpoint does not know the upload")
	errCut        = errors.New("the connection was cut")
	errUnexpected = errors.New("not the status that tus 1.0 asks for")
)

// verdict is what a failure means for what is tried next, and when.
type verdict int

const (
	// The item alone: others go on meanwhile.
	pending     verdict = iota // it is there, and the receipt is not yet
	itemSoon                   // a lock that ends by itself
	itemGrowing                // twice as long each time

	// All items: the endpoint is away, or will have none of them.
	endpointGrowing
	endpointLong // until a person has changed something

	refusedForGood
)

// onlyItem says that other items may be tried meanwhile.
func (v verdict) onlyItem() bool { return v <= itemGrowing }

// why is what the spool shows with the item.
func (v verdict) why(err error) string {
	if v == pending {
		return ""
	}
	return err.Error()
}

// judge decides what an error of a try means.
func judge(err error) verdict {
	var e *origin.Error
	switch {
	case is(err, errPending):
		return pending
	case is(err, ErrRefused):
		return refusedForGood
	case is(err, ErrLocked):
		return itemSoon
	case is(err, ErrUnauthorized, ErrNotTus, origin.ErrUntrusted, origin.ErrCertificate):
		return endpointLong
	case is(err, ErrNonsense, ErrChecksum, errOffset, errGone):
		return itemGrowing
	case is(err, ErrBusy, ErrFull, ErrNotFound, ErrStalled):
		return endpointGrowing
	case errors.As(err, &e) && (e.Status == 0 || e.Status >= 500):
		return endpointGrowing
	}
	return itemGrowing // of this machine, too: its disk
}

func is(err error, sentinels ...error) bool {
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// reason is what a refusal is shown as: the endpoint's words, if it has some.
func reason(err error) string {
	var e *origin.Error
	if errors.As(err, &e) && e.Problem.String() != "" {
		return e.Problem.String()
	}
	return err.Error()
}

// refused explains an answer that is not the one the request asks for.
func (c client) refused(q origin.Request, r *origin.Reply) error {
	hint, err := c.verdict(q.Method, r)
	return c.Refused(q, r, hint, err)
}

func (c client) verdict(method string, r *origin.Reply) (hint string, err error) {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return c.TokenHint(), ErrUnauthorized
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "", ErrBusy
	case http.StatusInsufficientStorage:
		return "", ErrFull
	}
	if r.IsHTML() && r.Status < 500 {
		return pageHint(r.Status), errPage
	}
	creating := method == http.MethodPost
	switch r.Status {
	case http.StatusNotFound, http.StatusGone:
		if creating {
			return "check the path of " + keyURL, ErrNotFound
		}
		return "", errGone
	case http.StatusConflict, 460: // 460: checksum mismatch, of the checksum extension
		return "", errOffset
	case http.StatusPreconditionFailed:
		return "the endpoint speaks tus " + versions(r) + "; 1.0.0 is needed", ErrNotTus
	case http.StatusLocked:
		return "", ErrLocked
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return isItHint, ErrNotTus
	case http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return "", ErrRefused
	}
	return "", errUnexpected
}

const isItHint = "is this an endpoint for uploads? check " + keyURL

// pageHint tells a proxy's page from a site's. A size limit of the proxy's
// strikes all items alike, so it is no refusal of one.
func pageHint(status int) string {
	if status == http.StatusRequestEntityTooLarge {
		return "a proxy in front of the endpoint limits the size of requests: let it pass 1 MiB"
	}
	return isItHint
}

func versions(r *origin.Reply) string {
	if v := origin.Clean(r.Header.Get("Tus-Version")); v != "" {
		return v
	}
	return "of another version"
}
