package control

import (
	"errors"
	"strconv"
)

// ErrRunning is returned by Listen when a daemon listens already.
var ErrRunning = errors.New("another daemon is running")

// ErrNotRunning is returned by a Client when no daemon listens.
var ErrNotRunning = errors.New("the daemon is not running")

// The exit codes that this package gives problems of its own.
const (
	codeFailed = 1
	codeUsage  = 3
)

// Problem is an error that came over the socket, or goes over it.
type Problem struct {
	Message string `json:"message"`
	// Text is the next thing to type or do; often empty.
	Text string `json:"hint,omitempty"`
	// Code is the exit code of the command that meets it, above 0.
	Code int `json:"code"`
}

// Error returns the message.
func (p *Problem) Error() string { return p.Message }

// Hint returns the next thing to type or do; often empty.
func (p *Problem) Hint() string { return p.Text }

// hinted gives an error a hint, which the command line prints on its own line.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }
func (h hinted) Hint() string  { return h.hint }

// hintOf returns the hint of err or of an error inside it.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// quote keeps what somebody sent short and on one line.
func quote(s string) string {
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return strconv.Quote(s)
}
