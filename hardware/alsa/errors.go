package alsa

import (
	"errors"
	"fmt"
	"os"

	"github.com/gen2brain/malgo"
)

// What callers decide by, beside their own Missing. A device that may not be
// opened is os.ErrPermission.
var (
	ErrBusy = errors.New("device in use by another process")
	ErrGone = errors.New("device was unplugged")
)

// hinted is an error with what to do about it, which a user sees on a line of its
// own.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint returns what the user can do, as one line.
func (h hinted) Hint() string { return h.hint }

// explain gives the library's results the meaning that callers ask for.
func explain(err error, missing Missing) error {
	switch {
	case errors.Is(err, malgo.ErrBusy), errors.Is(err, malgo.ErrAlreadyInUse):
		return hinted{fmt.Errorf("%w (%w)", ErrBusy, err), "fuser -v /dev/snd/* names the other process"}
	case errors.Is(err, malgo.ErrAccessDenied):
		return hinted{fmt.Errorf("%w (%w)", os.ErrPermission, err), "add the user to the group audio"}
	case errors.Is(err, malgo.ErrDoesNotExist), errors.Is(err, malgo.ErrNoDevice),
		errors.Is(err, malgo.ErrFailedToOpenBackendDevice):
		return hinted{fmt.Errorf("%w of this name (%w)", missing.Err, err), missing.Hint}
	}
	return err
}
