package devices

import (
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/uplink/enrol/token"
)

// The bounds of a token.
const (
	DefaultValid = 10 * time.Minute
	MaxValid     = 24 * time.Hour
	maxLabel     = 64 // characters
	maxSerial    = 64
)

// Wanted is a token to be made.
type Wanted struct {
	Name   string        `json:"name"`
	Label  string        `json:"label,omitempty"`
	Serial string        `json:"serial,omitempty"` // "" for any board
	Valid  time.Duration `json:"valid,omitempty"`  // default DefaultValid, at most MaxValid
}

// Check says what is wrong with it. Whether the name is one of glasses, validName
// says.
func (w Wanted) Check(validName func(string) bool) error {
	switch {
	case !validName(w.Name):
		return fmt.Errorf("%w: %q; it has 1 to 64 letters, digits, - and _, and is none that the server uses itself", ErrName, w.Name)
	case len([]rune(w.Label)) > maxLabel || strings.ContainsFunc(w.Label, unicode.IsControl):
		return fmt.Errorf("a label has at most %d characters on one line", maxLabel)
	case len(w.Serial) > maxSerial || strings.ContainsFunc(w.Serial, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("a serial number has at most %d visible characters of ASCII", maxSerial)
	case w.Valid < 0 || w.Valid > MaxValid:
		return fmt.Errorf("a token is valid for at most %v, not for %v", MaxValid, w.Valid)
	}
	return nil
}

// Made is a token that was made. Text is told once: the records have its hash only.
type Made struct {
	ID       string    `json:"id"`
	Text     string    `json:"token"`
	Name     string    `json:"name"`
	Label    string    `json:"label,omitempty"`
	Serial   string    `json:"serial,omitempty"`
	Expires  time.Time `json:"expires"`
	Replaces string    `json:"replaces,omitempty"` // the device that has the name, and loses it
}

// ListedToken is one of a list.
type ListedToken struct {
	ID      string    `json:"id"`
	State   string    `json:"state"` // open, used or expired
	Name    string    `json:"name"`
	Label   string    `json:"label,omitempty"`
	Serial  string    `json:"serial,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Device  string    `json:"device,omitempty"` // that used it
}

// ListedDevice is one of a list.
type ListedDevice struct {
	ID       string    `json:"id"`
	State    string    `json:"state"` // enrolled, expired or revoked
	Name     string    `json:"name"`
	Label    string    `json:"label,omitempty"`
	Serial   string    `json:"serial,omitempty"`
	Model    string    `json:"model,omitempty"`
	Version  string    `json:"version,omitempty"`
	Enrolled time.Time `json:"enrolled"`
	Renewed  time.Time `json:"renewed"`
	NotAfter time.Time `json:"not_after"`
	Revoked  time.Time `json:"revoked,omitzero"`
}

// Admin keeps tokens and devices, for who runs the server.
type Admin struct {
	db      *records.DB
	pin     func() ([32]byte, error)
	clock   func() time.Time
	log     *slog.Logger
	revoked func(id, name string) // nil where nothing runs
}

// NewAdmin returns an admin without a server, of a data directory whose records are
// open.
func NewAdmin(db *records.DB, data string) Admin {
	return Admin{db: db, pin: func() ([32]byte, error) { return readPin(data) }, clock: time.Now, log: slog.New(slog.DiscardHandler)}
}

// Admin returns an admin of a server that shows a certificate with that pin.
func (r *Registry) Admin(pin func() ([32]byte, error)) Admin {
	return Admin{db: r.cfg.Records, pin: pin, clock: r.cfg.Clock, log: r.cfg.Log, revoked: r.cfg.Revoked}
}

// KeepPin remembers the pin of the certificate that the server shows.
func KeepPin(data string, leaf *x509.Certificate) error {
	pin := token.PinOf(leaf)
	return directory.Write(filepath.Join(data, authorityDir, pinFile), []byte(hex.EncodeToString(pin[:])+"\n"))
}

// ErrNoPin says that no server has shown a certificate yet.
var ErrNoPin = errors.New("the server has never run with TLS: a token names its key")

func readPin(data string) (pin [32]byte, err error) {
	text, err := os.ReadFile(filepath.Join(data, authorityDir, pinFile))
	if errors.Is(err, fs.ErrNotExist) {
		return pin, ErrNoPin
	}
	if err != nil {
		return pin, fmt.Errorf("read the server's pin: %w", err)
	}
	if n, err := hex.Decode(pin[:], []byte(strings.TrimSpace(string(text)))); err != nil || n != len(pin) {
		return pin, errors.New("read the server's pin: it is damaged; start the server once")
	}
	return pin, nil
}

// NewToken makes a token; ErrNoPin. The caller has checked what is wanted.
func (a Admin) NewToken(ctx context.Context, w Wanted) (Made, error) {
	pin, err := a.pin()
	if err != nil {
		return Made{}, err
	}
	t := token.Random(pin)
	valid := w.Valid
	if valid == 0 {
		valid = DefaultValid
	}
	made := Made{ID: t.IDText(), Text: t.Text(), Name: w.Name, Label: w.Label, Serial: w.Serial, Expires: a.clock().Add(valid).UTC().Truncate(time.Second)}
	held, err := a.db.DeviceNamed(ctx, w.Name)
	if err == nil {
		made.Replaces = held.ID
	} else if !errors.Is(err, records.ErrNotFound) {
		return Made{}, err
	}
	err = a.db.AddEnrolmentToken(ctx, records.EnrolmentToken{ID: made.ID, Name: w.Name, Label: w.Label, Serial: w.Serial, Expires: made.Expires}, t.SecretText())
	if err != nil {
		return Made{}, err
	}
	a.log.Info("a token was made", "token", made.ID, "name", made.Name, "expires", made.Expires)
	return made, nil
}

// Tokens returns all that are not long over, the oldest first.
func (a Admin) Tokens(ctx context.Context) ([]ListedToken, error) {
	all, err := a.db.EnrolmentTokens(ctx)
	list := []ListedToken{}
	for _, t := range all {
		state := "open"
		switch {
		case !t.Used.IsZero():
			state = "used"
		case !a.clock().Before(t.Expires):
			state = "expired"
		}
		list = append(list, ListedToken{t.ID, state, t.Name, t.Label, t.Serial, t.Created.UTC(), t.Expires.UTC(), t.Device})
	}
	return list, err
}

// DropToken makes a token void; ErrUnknown.
func (a Admin) DropToken(ctx context.Context, id string) error {
	if err := a.db.DropEnrolmentToken(ctx, id); err != nil {
		return named(id, err)
	}
	a.log.Info("a token was made void", "token", id)
	return nil
}

// Devices returns all by name.
func (a Admin) Devices(ctx context.Context) ([]ListedDevice, error) {
	all, err := a.db.Devices(ctx)
	list := []ListedDevice{}
	for _, v := range all {
		list = append(list, a.listed(v))
	}
	return list, err
}

func (a Admin) listed(v records.Device) ListedDevice {
	state := "enrolled"
	switch {
	case !v.Revoked.IsZero():
		state = "revoked"
	case a.clock().After(v.NotAfter):
		state = "expired"
	}
	l := ListedDevice{v.ID, state, v.Name, v.Label, v.Serial, v.Model, v.Version, v.Enrolled.UTC(), v.Renewed.UTC(), v.NotAfter.UTC(), v.Revoked}
	if !v.Revoked.IsZero() {
		l.Revoked = v.Revoked.UTC()
	}
	return l
}

// Revoke revokes the device of an ID or a name, for good; ErrUnknown, ErrRevoked.
func (a Admin) Revoke(ctx context.Context, who string) (ListedDevice, error) {
	v, err := a.db.RevokeDevice(ctx, who)
	if err != nil {
		return ListedDevice{}, named(who, err)
	}
	a.log.Info("a device was revoked", "device", v.ID, "name", v.Name)
	if a.revoked != nil {
		a.revoked(v.ID, v.Name)
	}
	return a.listed(v), nil
}

func named(who string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", who, known(err))
}
