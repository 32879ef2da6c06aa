// Package token is the word by which a board without any identity is enrolled: who
// it is for, a secret that is good once, and the key of the endpoint that may hear it.
//
//	bril1.ID.SECRET.PIN
//
// It reads, makes and hides tokens; it knows no network and no file.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Version begins a token's text.
const Version = "bril1"

const hidden = "bril1.(hidden)"

// Token is one. Whatever prints it hides the secret; Text tells it.
type Token struct {
	ID     [8]byte           // names it at the endpoint
	Secret [16]byte          // 128 random bits
	Pin    [sha256.Size]byte // of the endpoint's public key, see PinOf
}

// PinOf returns the pin of a certificate: SHA-256 of its SubjectPublicKeyInfo, as in
// RFC 7469, section 2.4. A certificate that is made anew of the same key keeps it.
func PinOf(certificate *x509.Certificate) [sha256.Size]byte {
	return sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
}

// Random makes a token for an endpoint with that pin.
func Random(pin [sha256.Size]byte) Token {
	t := Token{Pin: pin}
	for ok := false; !ok; ok = !strings.HasPrefix(t.IDText(), "-") { // it is typed, and would look like a flag
		rand.Read(t.ID[:]) // never fails
	}
	rand.Read(t.Secret[:]) // likewise
	return t
}

// encoding is base64url without padding (RFC 4648, section 5), of one text for each value.
var encoding = base64.RawURLEncoding.Strict()

// What is wrong with a text that Parse refuses, found by errors.Is.
var (
	ErrVersion   = errors.New("it does not begin with " + Version + ". and so is none of Bril's")
	ErrTruncated = errors.New("a part of it is missing")
	ErrMalformed = errors.New("it has a character too many or a wrong one")
)

// Parse reads a token; white space around it is passed over. No error repeats
// anything of the text.
func Parse(text string) (Token, error) {
	parts := strings.Split(strings.TrimSpace(text), ".")
	var t Token
	if parts[0] != Version {
		return t, fmt.Errorf("read the token: %w", ErrVersion)
	}
	fields := []struct {
		name string
		to   []byte
	}{{"ID", t.ID[:]}, {"secret", t.Secret[:]}, {"pin", t.Pin[:]}}
	for i, f := range fields {
		if i+1 >= len(parts) {
			return Token{}, fmt.Errorf("read the token: %w: it ends before its %s", ErrTruncated, f.name)
		}
		if err := decode(f.to, parts[i+1]); err != nil {
			return Token{}, fmt.Errorf("read the token: its %s: %w", f.name, err)
		}
	}
	if len(parts) > len(fields)+1 {
		return Token{}, fmt.Errorf("read the token: %w: something follows its pin", ErrMalformed)
	}
	return t, nil
}

func decode(to []byte, text string) error {
	switch want := encoding.EncodedLen(len(to)); {
	case len(text) < want:
		return ErrTruncated
	case len(text) > want:
		return ErrMalformed
	}
	if n, err := encoding.Decode(to, []byte(text)); err != nil || n != len(to) {
		return ErrMalformed
	}
	return nil
}

// IDText returns the ID as it stands in the text.
func (t Token) IDText() string { return encoding.EncodeToString(t.ID[:]) }

// SecretText returns the secret as it stands in the text, for the endpoint's ears.
func (t Token) SecretText() string { return encoding.EncodeToString(t.Secret[:]) }

// Text returns the token itself, which is to be shown once and stored nowhere.
func (t Token) Text() string {
	return strings.Join([]string{Version, t.IDText(), t.SecretText(), encoding.EncodeToString(t.Pin[:])}, ".")
}

// Pins says whether the token is for the endpoint of that certificate.
func (t Token) Pins(certificate *x509.Certificate) bool {
	pin := PinOf(certificate)
	return subtle.ConstantTimeCompare(pin[:], t.Pin[:]) == 1
}

// String hides the token.
func (Token) String() string { return hidden }

// GoString hides the token.
func (Token) GoString() string { return hidden }

// Format hides the token, whatever the verb.
func (Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, hidden) }

// LogValue hides the token.
func (Token) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the token.
func (Token) MarshalText() ([]byte, error) { return []byte(hidden), nil }
