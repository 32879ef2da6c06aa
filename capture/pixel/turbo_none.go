//go:build !amd64 && !arm64

package pixel

import (
	"errors"

	"github.com/bril-edge/bril/capture"
)

// turbo does not exist where purego cannot call C.
type turbo struct{ name string }

func newTurbo() (*turbo, error) {
	return nil, errors.New("no way to call libturbojpeg on this architecture")
}

func (*turbo) decode(capture.Frame, []byte) error { return errors.ErrUnsupported }

func (*turbo) close() error { return nil }
