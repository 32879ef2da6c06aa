package media

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/bril-edge/bril/cmd/internal/showroom/media/remux"
)

// makeClip makes an ordinary MP4 of a fragmented one.
func (s *Store) makeClip(from, to string, cut bool) (err error) {
	if err := s.at("write clip"); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	stat, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	// What comes from a stranger is parsed here: a panic is this clip's end, not the
	// server's.
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("make a clip: panic", "panic", p, "stack", string(debug.Stack()))
			err = refuse("the clip cannot be read")
		}
	}()
	w := bufio.NewWriterSize(out, 256<<10)
	if err := remux.Clip(w, in, stat.Size(), cut); err != nil {
		return orOurs(err, "the clip cannot be stored: %v")
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the clip: %w", err)
	}
	return out.Close()
}
