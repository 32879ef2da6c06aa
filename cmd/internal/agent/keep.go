package agent

import (
	"context"
	"errors"

	"github.com/bril-edge/bril/cmd/internal/control"
)

var errNoMedia = errors.New("this version cannot do it")

// Photo takes a photo.
func (a *Agent) Photo(context.Context, bool) (control.Photo, error) {
	return control.Photo{}, errNoMedia
}

// Clip begins or ends a clip.
func (a *Agent) Clip(context.Context, control.ClipAction) (control.Clip, error) {
	return control.Clip{}, errNoMedia
}

// Spool returns what waits for its upload.
func (a *Agent) Spool() control.Spool { return control.Spool{} }

// SpoolAct does something to an item of the spool.
func (a *Agent) SpoolAct(context.Context, control.SpoolAction, string) error { return errNoMedia }
