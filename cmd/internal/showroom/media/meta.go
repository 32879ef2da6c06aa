package media

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const schemaVersion = 1

// idLength is of an ID: 128 bits as base32 in lower case.
const idLength = 26

// ValidID says whether a string can be an item's ID, and thus a file's name.
func ValidID(id string) bool {
	return len(id) == idLength && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '2' || r > '7')
	})
}

// Kind is what an item is.
type Kind string

// The kinds, as they are written.
const (
	Photo Kind = "photo"
	Clip  Kind = "clip"
)

func (k Kind) contentType() string {
	if k == Clip {
		return "video/mp4"
	}
	return "image/jpeg"
}

func (k Kind) extension() string {
	if k == Clip {
		return ".mp4"
	}
	return ".jpg"
}

// meta is the first line of what was encrypted.
type meta struct {
	SchemaVersion int       `json:"schema_version"`
	ID            string    `json:"id"`
	Kind          Kind      `json:"kind"`
	Session       string    `json:"session"`
	TakenAt       time.Time `json:"taken_at"`
	Clock         string    `json:"clock"`
	Show          bool      `json:"show"`
	ContentType   string    `json:"content_type"`
}

// maxMeta is the longest metadata line, in bytes.
const maxMeta = 4 << 10

// refusal is what is wrong with an item itself, so that no second try helps.
type refusal struct{ reason string }

func (r *refusal) Error() string { return r.reason }

func refuse(format string, a ...any) error { return &refusal{fmt.Sprintf(format, a...)} }

// readMeta takes the metadata line off r. Fields that it does not know are a
// newer device's, and passed over.
func readMeta(r *bufio.Reader) (meta, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxMeta {
			return meta{}, refuse("the metadata line is longer than %d bytes", maxMeta)
		}
		if err == nil {
			break
		}
		if errors.Is(err, io.EOF) {
			return meta{}, refuse("there is no metadata line")
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return meta{}, err
		}
	}
	var m meta
	if err := json.Unmarshal(bytes.TrimSuffix(line, []byte("\n")), &m); err != nil {
		return meta{}, refuse("the metadata line is not the JSON expected: %v", err)
	}
	return m, nil
}

// check holds the metadata against the upload's ID. Session and ID become a path.
func (m meta) check(id string, validName func(string) bool) error {
	switch {
	case m.SchemaVersion != schemaVersion:
		return refuse("metadata of schema version %d, known is %d", m.SchemaVersion, schemaVersion)
	case m.ID != id:
		return refuse("the metadata is of another item")
	case m.Kind != Photo && m.Kind != Clip:
		return refuse("an item is a photo or a clip, not %.20q", string(m.Kind))
	case m.ContentType != m.Kind.contentType():
		return refuse("a %s is %s, not %.40q", m.Kind, m.Kind.contentType(), m.ContentType)
	case !validName(m.Session):
		return refuse("%.80q cannot be the name of a conversation", m.Session)
	case m.Clock != "confirmed" && m.Clock != "unconfirmed":
		return refuse("a clock is confirmed or unconfirmed, not %.20q", m.Clock)
	}
	return nil
}

const (
	tolerance = time.Hour // that a device's clock may be ahead of ours
	firstYear = 2026      // in which there were devices
)

// plausible says whether an item can have been taken when its device says.
func (m meta) plausible(received time.Time) bool {
	return m.Clock == "confirmed" && m.TakenAt.Before(received.Add(tolerance)) && m.TakenAt.Year() >= firstYear
}
