package showroom

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/relay"
	"github.com/bril-edge/bril/cmd/internal/showroom/relay/fragment"
	"github.com/bril-edge/bril/cmd/internal/showroom/staff"
)

// problem is an answer by RFC 9457. What follows Detail is there where a page shows
// more than the words.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`

	OpensAt time.Time      `json:"opens_at,omitzero"`  // when to come again
	Next    time.Time      `json:"next_slot,omitzero"` // the next free slot
	Fields  []fieldProblem `json:"errors,omitempty"`   // of a form

	Problems   []fleet.Problem `json:"problems,omitempty"`    // of a bundle's configuration
	NextSerial uint64          `json:"next_serial,omitempty"` // that a bundle may have

	retryAfter string // seconds; empty for none
}

// fieldProblem is what is wrong with one field of a form.
type fieldProblem struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// problemType begins the types that a page decides something by.
const problemType = "urn:bril:problem:"

func (p *problem) Error() string { return p.Detail }

func failure(status int, detail string) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
}

// typed is a problem that a page tells from others of its status by the word.
func typed(status int, word, detail string) *problem {
	p := failure(status, detail)
	p.Type = problemType + word
	return p
}

// writeError answers with a problem. Errors of the relay are written for clients;
// others could tell of the inside and stay there. The log has the route and not the
// path, in which tokens and codes are.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError {
		s.log.Error("answer a request", "method", r.Method, "route", r.Pattern, "error", err)
	}
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	if p.retryAfter != "" {
		header.Set("Retry-After", p.retryAfter)
	}
	if p.Status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Bearer realm="bril"`)
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client has gone
}

func staffProblem(err *staff.Error) *problem {
	p := failure(err.Status, err.Detail)
	if err.Word != "" {
		p.Type = problemType + err.Word
	}
	if err.RetryAfter > 0 {
		p.retryAfter = err.Seconds()
	}
	return p
}

func problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	var refused *media.Error
	if errors.As(err, &refused) {
		p := failure(refused.Status, refused.Detail)
		p.retryAfter = refused.RetryAfter
		return p
	}
	if p := deskProblem(err); p != nil {
		return p
	}
	var ofStaff *staff.Error
	if errors.As(err, &ofStaff) {
		return staffProblem(ofStaff)
	}
	var ofFleet *fleet.Error
	if errors.As(err, &ofFleet) {
		return fleetProblem(ofFleet)
	}
	if p := relayProblem(err); p != nil {
		return p
	}
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return failure(http.StatusRequestEntityTooLarge, "the body is too large")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return failure(http.StatusRequestTimeout, "the request did not come in time")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return failure(http.StatusBadRequest, "the body ends early")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return failure(http.StatusServiceUnavailable, "the request took too long")
	}
	return failure(http.StatusInternalServerError, "")
}

// relayProblem says what the relay refuses, and tokens; nil for another error.
func relayProblem(err error) *problem {
	for _, known := range []struct {
		err        error
		status     int
		retryAfter string
	}{
		{relay.ErrSyntax, http.StatusBadRequest, ""},
		{fragment.ErrSyntax, http.StatusBadRequest, ""},
		{relay.ErrNotAcceptable, http.StatusNotAcceptable, ""},
		{relay.ErrTaken, http.StatusConflict, ""},
		{relay.ErrNotYet, http.StatusConflict, "1"},
		{relay.ErrNothing, http.StatusNotFound, "2"},
		{relay.ErrUnknown, http.StatusNotFound, ""},
		{relay.ErrStale, http.StatusPreconditionFailed, ""},
		{relay.ErrFull, http.StatusServiceUnavailable, "5"},
		{relay.ErrClosed, http.StatusServiceUnavailable, "1"},
		{errNoToken, http.StatusUnauthorized, ""},
		{errWrongToken, http.StatusUnauthorized, ""},
	} {
		if errors.Is(err, known.err) {
			p := failure(known.status, err.Error())
			p.retryAfter = known.retryAfter
			return p
		}
	}
	return nil
}
