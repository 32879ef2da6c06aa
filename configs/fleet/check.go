package fleet

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Why a bundle that is signed is not for this board, or not now.
var (
	ErrAudience = errors.New("for others")
	ErrOld      = errors.New("older than what this board has seen")
	ErrReplayed = errors.New("another bundle had this serial")
	ErrExpired  = errors.New("expired")
	ErrNotYet   = errors.New("not valid yet")
)

// Includes says whether a board belongs to an audience.
func (a Audience) Includes(m Member) bool {
	if a.Fleet != m.Fleet || len(a.Devices) > 0 && !slices.Contains(a.Devices, m.Device) {
		return false
	}
	for key, value := range a.Labels {
		if m.Labels[key] != value {
			return false
		}
	}
	return true
}

// Check says whether a bundle is for a board, in time and newer than all that it has
// seen. Time is now, as far as the board knows it: of one whose clock is not confirmed,
// only the past is certain, and ErrNotYet may turn out to be wrong.
func (b Bundle) Check(now time.Time, m Member, floor uint64) error {
	switch {
	case !b.Audience.Includes(m):
		return Refusal{"audience", fmt.Errorf("bundle %d is %w: %v, and this board is %v", b.Serial, ErrAudience, b.Audience, m), "a board that is online hears of a new label at once, another one when it comes: showroom fleet status"}
	case b.Serial < floor:
		return Refusal{"serial", fmt.Errorf("bundle %d is %w: %d", b.Serial, ErrOld, floor), "showroom fleet rollback signs old content under a new serial"}
	case b.Serial == floor:
		return Refusal{"serial", fmt.Errorf("bundle %d: %w", b.Serial, ErrReplayed), "sign it under a higher serial"}
	case !now.Before(b.Expires):
		return Refusal{"expires", fmt.Errorf("bundle %d %w at %s", b.Serial, ErrExpired, b.Expires.Format(time.RFC3339)), "sign it again, under a higher serial"}
	case now.Before(b.NotBefore):
		return Refusal{"not_before", fmt.Errorf("bundle %d is %w, but from %s", b.Serial, ErrNotYet, b.NotBefore.Format(time.RFC3339)), "it is looked at again then"}
	}
	return nil
}

// String is as people write it: fleet bril, showroom=ghent, 3 devices.
func (a Audience) String() string {
	text := "fleet " + a.Fleet
	for _, key := range slices.Sorted(maps.Keys(a.Labels)) {
		text += ", " + key + "=" + a.Labels[key]
	}
	if n := len(a.Devices); n == 1 {
		text += ", device " + a.Devices[0]
	} else if n > 1 {
		text += fmt.Sprintf(", %d devices", n)
	}
	return text
}

// String is as that of an Audience.
func (m Member) String() string {
	a := Audience{Fleet: m.Fleet, Labels: m.Labels}
	if m.Device != "" {
		a.Devices = []string{m.Device}
	}
	return a.String()
}

// Refusal is why a bundle is not taken, with what of it that is about.
type Refusal struct {
	Of   string // a field of the bundle, or a part of the board
	Err  error
	Text string // what to do; may be empty
}

func (r Refusal) Error() string { return r.Err.Error() }

func (r Refusal) Unwrap() error { return r.Err }

// Element is what the refusal is about.
func (r Refusal) Element() string { return r.Of }

// Hint is what to do about it.
func (r Refusal) Hint() string { return r.Text }

// Element returns what an error is about: what it says itself, else other.
func Element(err error, other string) string {
	var about interface{ Element() string }
	if errors.As(err, &about) && about.Element() != "" {
		return about.Element()
	}
	return other
}

// Hint returns what to do about an error; "" when it does not say.
func Hint(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}
