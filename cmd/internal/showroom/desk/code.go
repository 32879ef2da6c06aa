package desk

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"net/netip"
	"strings"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// alphabet is Crockford's: without I, L, O and U.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const codeLength = 8 // characters, of 5 bits each

// codeOf returns the access code of an appointment, 40 bits, which follows from its
// token: whoever manages the appointment can be told it again, and neither needs
// to be stored.
func codeOf(token string) string {
	sum := sha256.Sum256([]byte("access code of " + token))
	return base32.NewEncoding(alphabet).EncodeToString(sum[:codeLength*5/8])
}

// linkOf returns what the link to join has beside the code: 128 bits that follow
// from the appointment's token and lead nowhere back to it. The records know an
// appointment by it, so that the token manages, and what follows from it only joins.
func linkOf(token string) string {
	sum := sha256.Sum256([]byte("link to join by " + token))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// ShowCode writes a code for people, as XXXX-XXXX.
func ShowCode(code string) string { return code[:codeLength/2] + "-" + code[codeLength/2:] }

// ReadCode reads what a person typed: in any case, with or without hyphens and
// spaces, O for 0, I and L for 1. It is false for what cannot be a code.
func ReadCode(typed string) (code string, ok bool) {
	if len(typed) > 4*codeLength {
		return "", false
	}
	code = strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(typed))
	if len(code) != codeLength || strings.Trim(code, alphabet) != "" {
		return "", false
	}
	return code, true
}

// Join opens the conversation of a code. The first time in the appointment's
// window makes it; after that it is the same one until it is over. Errors are
// the code's, *EarlyError and *TooManyError.
func (d *Desk) Join(ctx context.Context, code string, from netip.Addr) (Conversation, error) {
	if err := d.mayTry(from); err != nil {
		return Conversation{}, err
	}
	read, ok := ReadCode(code)
	if !ok {
		d.wrong(from)
		return Conversation{}, ErrUnknownCode
	}
	c, err := d.enter(ctx, d.cfg.Records.AppointmentByCode, d.cfg.Seal(read))
	if errors.Is(err, ErrUnknownCode) {
		d.wrong(from)
	}
	return c, err
}

// JoinByLink is Join for who follows the link in a mail. What that has cannot be
// guessed, so nothing is counted: whoever uses up the tries of all with wrong codes
// keeps out nobody who has the mail. Errors are those of Join.
func (d *Desk) JoinByLink(ctx context.Context, link string) (Conversation, error) {
	return d.enter(ctx, d.cfg.Records.AppointmentByToken, link)
}

func (d *Desk) enter(ctx context.Context, find func(ctx context.Context, secret string) (records.Appointment, error), secret string) (Conversation, error) {
	d.joining.Lock()
	defer d.joining.Unlock()
	a, err := find(ctx, secret)
	if errors.Is(err, records.ErrNotFound) {
		return Conversation{}, ErrUnknownCode
	}
	if err != nil {
		return Conversation{}, err
	}
	cid, err := d.admit(ctx, a)
	if err != nil {
		return Conversation{}, err
	}
	return d.Lookup(ctx, cid)
}

// admit returns the conversation of an appointment, or says why there is none.
func (d *Desk) admit(ctx context.Context, a records.Appointment) (cid string, err error) {
	opens, closes := window(a)
	now := d.now()
	switch {
	case a.State == records.Cancelled:
		return "", ErrCancelledCode
	case a.State == records.Done, a.State == records.Missed && now.Before(closes): // its conversation is over
		return "", ErrUsedCode
	case a.State == records.Missed:
		return "", ErrExpiredCode
	}
	if a.Conversation != "" && d.isOpen(a.Conversation) {
		return a.Conversation, nil
	}
	if a.Conversation != "" {
		r, err := d.cfg.Records.Conversation(ctx, a.Conversation)
		if err == nil && !r.Ended.IsZero() {
			return "", ErrUsedCode
		}
		if err != nil && !errors.Is(err, records.ErrNotFound) {
			return "", err
		}
	}
	if now.Before(opens) {
		return "", &EarlyError{OpensAt: opens}
	}
	if !now.Before(closes) {
		return "", ErrExpiredCode
	}
	return d.open(ctx, a)
}

// open makes the conversation of an appointment. A crash between the two leaves an
// appointment whose conversation is not there, and it gets that one then.
func (d *Desk) open(ctx context.Context, a records.Appointment) (string, error) {
	opens, closes := window(a)
	c := d.newCall(d.room(a.Showroom), validLocale(a.Locale), State{Phase: Booked, Kind: KindBooked, Opens: opens, Closes: closes})
	var err error
	if c.id, err = d.cfg.Records.SetAppointmentConversation(ctx, a.ID, c.id); err != nil {
		return "", err
	}
	c.appointment, c.customer, c.name = a.ID, a.Customer, a.Name
	c.start, c.end, c.preferred, c.unsaved = a.Start, a.End, a.Glasses, true
	d.mu.Lock()
	d.calls[c.id] = c
	d.mu.Unlock()
	rouse(d.wake)
	d.keep(ctx)
	return c.id, nil
}
