package enrol

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/bril-edge/bril/uplink/enrol/token"
	"github.com/bril-edge/bril/uplink/origin"
)

// What a caller may decide on, found by errors.Is.
var (
	ErrNotEnrolled = errors.New("this board is not enrolled")
	ErrNotEndpoint = errors.New("not an endpoint that enrols boards")
	// ErrPin is an endpoint with another key than the token's. It heard nothing.
	ErrPin = errors.New("the endpoint's key is not the one that the token is for")
	// ErrToken is a token that is worth nothing to this board, now or later.
	ErrToken = errors.New("the token is not taken")
	// ErrRevoked is a device that the endpoint does not know, or not any more.
	ErrRevoked = errors.New("the endpoint takes this device no longer")
	// ErrExpired is a certificate too old to be renewed.
	ErrExpired = errors.New("the certificate is too old to be renewed")
	// ErrDamaged is an enrolment that cannot be read from the disk.
	ErrDamaged = errors.New("the enrolment is damaged")
)

// The hints.
const (
	againHint = "enrol it again, by a fresh token: bril enrol --token-file F"
	pinHint   = "nothing was told to it: is --server the endpoint that made the token? if it is, somebody may be in between; its administrator can compare"
	freshHint = "get a fresh token; at a showroom: showroom token new --name NAME"
)

// refused explains an answer that is not what was asked for.
func refused(c *origin.Client, q origin.Request, r *origin.Reply) *origin.Error {
	e := c.Refused(q, r, "", ErrNotEndpoint)
	hint := ""
	hint, e.Err = verdict(r.Status, e.Problem.Type)
	if hint != "" {
		e.Hint = hint
	}
	return e
}

// verdict says what a refusal means, and what helps.
func verdict(status int, problem string) (hint string, cause error) {
	switch problem {
	case "urn:bril:problem:token-unknown":
		return "was all of it copied, and is it for this endpoint? else " + freshHint, fmt.Errorf("%w: the endpoint does not know it", ErrToken)
	case "urn:bril:problem:token-used":
		return freshHint, fmt.Errorf("%w: another board has used it", ErrToken)
	case "urn:bril:problem:token-expired":
		return freshHint, fmt.Errorf("%w: its time is over", ErrToken)
	case "urn:bril:problem:token-bound":
		return "bril version --json shows this board's; " + freshHint, fmt.Errorf("%w: it is for a board with another serial number", ErrToken)
	case origin.ProblemRevoked, origin.ProblemUnknown, origin.ProblemNotEnrolled:
		return againHint, ErrRevoked
	case origin.ProblemExpired:
		return againHint, ErrExpired
	}
	switch {
	case status == http.StatusTooManyRequests || status >= 500:
		return "try again in a moment", errors.New("the endpoint cannot do it now")
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		return "does the endpoint enrol boards? a showroom needs TLS and --data for that", ErrNotEndpoint
	}
	return "", errors.New("the endpoint refuses")
}

// hide takes the secret out of what an endpoint says.
func hide(e *origin.Error, t token.Token) *origin.Error {
	for _, text := range []*string{&e.Problem.Type, &e.Problem.Title, &e.Problem.Detail} {
		*text = strings.ReplaceAll(*text, t.SecretText(), "[secret]")
	}
	return e
}

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint returns what the user can do, as one line.
func (h hinted) Hint() string { return h.hint }
