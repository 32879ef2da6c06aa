package media

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bril-edge/bril/uplink/spool"
)

const schemaVersion = 1

// Kind is what an item is.
type Kind = spool.Kind

// The kinds.
const (
	Photo = spool.Photo
	Clip  = spool.Clip
)

// extension ends the name of an item's file.
func extension(k Kind) string {
	if k == Clip {
		return ".mp4"
	}
	return ".jpg"
}

// refusal is what is wrong with an item itself, so that no second try helps.
type refusal struct{ reason string }

func (r *refusal) Error() string { return r.reason }

func refuse(format string, a ...any) error { return &refusal{fmt.Sprintf(format, a...)} }

// readHeader takes the first line of what was encrypted off r, and holds it against
// the upload's ID. Session and ID become a path.
func readHeader(r *bufio.Reader, id string, validName func(string) bool) (spool.Header, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > spool.MaxHeader {
			return spool.Header{}, refuse("the item's header is longer than %d bytes", spool.MaxHeader)
		}
		if err == nil {
			break
		}
		if errors.Is(err, io.EOF) {
			return spool.Header{}, refuse("the item has no header line")
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return spool.Header{}, err
		}
	}
	h, err := spool.ParseHeader(line)
	switch {
	case err != nil:
		return h, refuse("%v", err)
	case h.ID != id:
		return h, refuse("the item's header is of another item")
	case !validName(h.Session):
		return h, refuse("%.80q cannot be the name of a conversation", h.Session)
	}
	return h, nil
}

const (
	tolerance = time.Hour // that a device's clock may be ahead of ours
	firstYear = 2026      // in which there were devices
)

// plausible says whether an item can have been taken when its device says.
func plausible(h spool.Header, received time.Time) bool {
	return h.Clock == spool.Confirmed && h.TakenAt.Before(received.Add(tolerance)) && h.TakenAt.Year() >= firstYear
}
