// Package cli holds the commands of bril: they parse, call and print, and
// decide nothing. No function here ends the process; main does, with the code
// that ExitCode returns.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware/alsa"
	"github.com/bril-edge/bril/hardware/speaker"
	"github.com/bril-edge/bril/uplink/whip"
)

// The exit codes. 2 is what a Go panic ends with, and is kept free for that.
const (
	Done          = 0
	Failed        = 1
	Usage         = 3
	Configuration = 4
	Device        = 5
	Permission    = 6
	NotRunning    = 7
	Interrupted   = 130 // 128 and SIGINT, as shells count
)

// ExitCodes is the list of codes for a command's help.
const ExitCodes = `Exit codes:
  0    done
  1    failed
  3    the command line is wrong
  4    the configuration is wrong
  5    a device is missing or busy
  6    not permitted
  7    the daemon is not running
  130  interrupted`

// ExitCode returns the code that err ends the command with.
//
// The order decides where an error is several things at once: a configuration
// file that may not be read is a matter of permission, one that does not exist
// a matter of configuration. What else does not exist is a device, or the file
// that stands in for one. An interruption comes last: what it cut short may
// have failed for a reason of its own.
func ExitCode(err error) int {
	var usage *UsageError
	var remote *control.Problem
	switch {
	case err == nil:
		return Done
	case errors.As(err, &remote): // chosen by the daemon, for its own error
		return remote.Code
	case errors.As(err, &usage):
		return Usage
	case errors.Is(err, control.ErrNotRunning):
		return NotRunning
	case errors.Is(err, os.ErrPermission):
		return Permission
	case errors.Is(err, configs.ErrInvalid),
		errors.Is(err, camera.ErrUnsupportedFormat), errors.Is(err, camera.ErrOutOfRange), errors.Is(err, microphone.ErrOutOfRange):
		return Configuration
	case errors.Is(err, camera.ErrBusy), errors.Is(err, camera.ErrNotCamera), errors.Is(err, camera.ErrGone),
		errors.Is(err, microphone.ErrNoMicrophone), errors.Is(err, speaker.ErrNoSpeaker), errors.Is(err, alsa.ErrBusy), errors.Is(err, alsa.ErrGone),
		errors.Is(err, os.ErrNotExist):
		return Device
	case errors.Is(err, context.Canceled):
		return Interrupted
	}
	return Failed
}

// UsageError is a command line that cannot be understood.
type UsageError struct {
	// Command is the command as typed, such as `bril live`.
	Command string
	Err     error
}

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Hint names the help of the command.
func (e *UsageError) Hint() string { return e.Command + " --help" }

// WithHint gives err a hint: the next command to type, or what to do. It takes
// the place of a hint that err carries already.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, hint}
}

type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }
func (h *hinted) Hint() string  { return h.hint }

// Describe returns err as it is printed with --json, and as the daemon sends
// it to a command: its message, the hint that it carries in a method
// Hint() string, and its exit code.
func Describe(err error) *control.Problem {
	p := &control.Problem{Message: err.Error(), Text: whip.Hint(err), Code: ExitCode(err)}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		p.Text = h.Hint()
	}
	return p
}

// told is an error that the command has printed itself, as part of its result.
type told struct{ error }

func (t told) Unwrap() error { return t.error }

func asTold(err error) error {
	if err == nil {
		return nil
	}
	return told{err}
}

// PrintError prints err for people, on stderr:
//
//	bril: open camera /dev/video0: device in use
//	hint: close the other program
//
// With asJSON it prints one line for scripts instead, on stdout, where they
// read: {"schema_version":1,"error":{"message":…,"hint":…,"code":…}}.
func PrintError(stdout, stderr io.Writer, asJSON bool, err error) error {
	p := Describe(err)
	if asJSON {
		return json.NewEncoder(stdout).Encode(struct {
			SchemaVersion int              `json:"schema_version"`
			Error         *control.Problem `json:"error"`
		}{1, p})
	}
	var b strings.Builder
	for line := range strings.Lines(p.Message) {
		fmt.Fprintf(&b, "bril: %s\n", printable(line))
	}
	if p.Text != "" {
		fmt.Fprintf(&b, "hint: %s\n", printable(p.Text))
	}
	_, err = io.WriteString(stderr, b.String())
	return err
}

// printable keeps what a server or a file said from steering the terminal.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.TrimRight(line, "\r\n"))
}
