//go:build !amd64 && !arm64

package pixel

import (
	"errors"

	"github.com/bril-edge/bril/capture"
)

var errNoTurbo = errors.New("no way to call libturbojpeg on this architecture")

// turbo does not exist where purego cannot call C.
type turbo struct{ name string }

func newTurbo() (*turbo, error) { return nil, errNoTurbo }

func (*turbo) decode(capture.Frame, []byte) error { return errors.ErrUnsupported }

func (*turbo) luma(capture.Plane, int, int, []byte) error { return errors.ErrUnsupported }

func (*turbo) close() error { return nil }

// turboEncoder does not exist either.
type turboEncoder struct{ name string }

func newTurboEncoder() (*turboEncoder, error) { return nil, errNoTurbo }

func (*turboEncoder) encode(*capture.Frame, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func (*turboEncoder) close() error { return nil }
