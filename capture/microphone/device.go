package microphone

import (
	"errors"
	"fmt"

	"github.com/bril-edge/bril/hardware/alsa"
)

// What callers decide by, beside those of package alsa. A microphone that may not
// be opened is os.ErrPermission, a closed one os.ErrClosed.
var (
	ErrNoMicrophone = errors.New("no microphone")
	ErrOutOfRange   = errors.New("value out of range")
)

func missing() alsa.Missing {
	return alsa.Missing{Err: ErrNoMicrophone, Hint: "bril devices lists the microphones that are connected"}
}

// hinted is an error with what to do about it, which a user sees on a line of its
// own.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint returns what the user can do, as one line.
func (h hinted) Hint() string { return h.hint }

// Device describes a microphone, for people and as JSON.
type Device struct {
	Name        string `json:"name"` // for Config.Device
	Description string `json:"description"`
	Default     bool   `json:"default,omitempty"`
}

// List describes the sound devices that record. Without any it is empty.
func List() ([]Device, error) {
	found, err := alsa.Recorders(missing())
	if err != nil {
		return nil, fmt.Errorf("list microphones: %w", err)
	}
	list := make([]Device, len(found))
	for i, d := range found {
		list[i] = Device(d)
	}
	return list, nil
}
