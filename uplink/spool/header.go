package spool

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Kind is what an item is.
type Kind string

// The kinds.
const (
	Photo Kind = "photo"
	Clip  Kind = "clip"
)

// Meta describes an item. All of it is encrypted with the item.
type Meta struct {
	Session        string // the conversation's name
	Kind           Kind
	TakenAt        time.Time
	ClockConfirmed bool // whether TakenAt can be believed
	Show           bool // to be shown on the customer's screen at once
	ContentType    string
}

// SchemaVersion is that of item.json and of Header.
const SchemaVersion = 1

// MaxHeader bounds the first line of the encrypted stream, its end included.
const MaxHeader = 4096

// Header is the first line of what media.age holds, as JSON; the file's own
// bytes follow.
type Header struct {
	SchemaVersion int       `json:"schema_version"`
	ID            string    `json:"id"`
	Kind          Kind      `json:"kind"`
	Session       string    `json:"session"`
	TakenAt       time.Time `json:"taken_at"`
	Clock         string    `json:"clock"` // confirmed or unconfirmed
	Show          bool      `json:"show"`
	ContentType   string    `json:"content_type"`
}

// The values of Header.Clock.
const (
	Confirmed   = "confirmed"
	Unconfirmed = "unconfirmed"
)

// ContentType is the MIME type of an item's file; "" of an unknown kind.
func (k Kind) ContentType() string {
	switch k {
	case Photo:
		return "image/jpeg"
	case Clip:
		return "video/mp4"
	}
	return ""
}

func (m Meta) line(id string) ([]byte, error) {
	h := Header{
		SchemaVersion: SchemaVersion,
		ID:            id,
		Kind:          m.Kind,
		Session:       m.Session,
		TakenAt:       m.TakenAt.UTC().Truncate(time.Millisecond),
		Clock:         Unconfirmed,
		Show:          m.Show,
		ContentType:   m.ContentType,
	}
	if m.ClockConfirmed {
		h.Clock = Confirmed
	}
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	line = append(line, '\n')
	_, err = ParseHeader(line)
	return line, err
}

// ParseHeader reads the first line of an item, for who has the key. Fields that it
// does not know are a newer device's, and passed over.
func ParseHeader(line []byte) (Header, error) {
	var h Header
	if len(line) > MaxHeader {
		return h, fmt.Errorf("the item's header has %d bytes, more than %d", len(line), MaxHeader)
	}
	if err := json.Unmarshal(line, &h); err != nil {
		return h, fmt.Errorf("read the item's header: %w", err)
	}
	switch {
	case h.SchemaVersion != SchemaVersion:
		return h, fmt.Errorf("the item's header has version %d instead of %d", h.SchemaVersion, SchemaVersion)
	case !ValidID(h.ID):
		return h, errors.New("the item's header has no valid id")
	case h.Kind.ContentType() == "":
		return h, fmt.Errorf("unknown kind of item %.32q", h.Kind)
	case h.ContentType != h.Kind.ContentType():
		return h, fmt.Errorf("a %s of type %.64q instead of %s", h.Kind, h.ContentType, h.Kind.ContentType())
	case h.Clock != Confirmed && h.Clock != Unconfirmed:
		return h, fmt.Errorf("the item's header says of the clock %.32q", h.Clock)
	}
	return h, nil
}

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// newID is random, 128 bits: it says nothing of when or where.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	return strings.ToLower(idEncoding.EncodeToString(b[:]))
}

var idPattern = regexp.MustCompile(`^[a-z2-7]{26}$`)

// ValidID tells whether id can be an item's.
func ValidID(id string) bool { return idPattern.MatchString(id) }
