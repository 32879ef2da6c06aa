package relay

import "errors"

// What a caller of this package decides something by. They are wrapped with
// what was wrong.
var (
	ErrSyntax        = errors.New("broken SDP offer")
	ErrNotAcceptable = errors.New("SDP offer not acceptable")
	ErrTaken         = errors.New("another publisher is live here")
	ErrNothing       = errors.New("nothing is live here")
	ErrNotYet        = errors.New("the publisher is not connected yet")
	ErrUnknown       = errors.New("no such session")
	ErrFull          = errors.New("too many sessions")
	ErrClosed        = errors.New("relay is closed")
	ErrStale         = errors.New("the ETag is not that of the current ICE session")
)
