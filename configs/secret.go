package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// maxSecret is in bytes: long enough for a JWT with many claims.
const maxSecret = 8 << 10

// Secret is a token or password. Printing, logging or encoding it shows only
// whether there is one; Reveal gives it to the one place that sends it.
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value; empty when there is none.
func (s Secret) Reveal() string { return s.value }

// String returns [secret], or nothing when there is none.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return "[secret]"
}

// GoString keeps %#v from printing the value.
func (s Secret) GoString() string { return s.String() }

// LogValue keeps slog from printing the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps encoders from writing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ReadToken reads the secret that is the one line of the file at path. A file
// that everybody may change is refused: what it holds is anybody's. One that
// others may only read is used, and is what Warnings is about. Its errors are
// ErrInvalid.
func ReadToken(path string) (Secret, error) {
	data, err := readSecret(path)
	if err != nil {
		return Secret{}, unusable{fmt.Errorf("read token %s: %w", path, withoutPath(err))}
	}
	return Secret{string(data)}, nil
}

// unusable is a file named in the configuration that cannot serve: ErrInvalid.
type unusable struct{ error }

func (u unusable) Unwrap() error        { return u.error }
func (u unusable) Is(target error) bool { return target == ErrInvalid }

// Hint says what the file should be.
func (u unusable) Hint() string {
	return "the file holds the token on a line of its own, readable by the daemon's user: chmod 600"
}

func readSecret(path string) ([]byte, error) {
	// O_NONBLOCK: opening a FIFO must not wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := tokenFile(info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return nil, err
	}
	data = bytes.TrimSpace(data)
	return data, tokenText(data)
}

func tokenFile(info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("everybody may change it (mode %#o): chmod 600 it and put a fresh token in", info.Mode().Perm())
	}
	return nil
}

// tokenText wants visible ASCII on one line: the token becomes part of an HTTP
// header (RFC 6750, section 2.1).
func tokenText(token []byte) error {
	switch {
	case len(token) == 0:
		return errors.New("the file is empty")
	case len(token) > maxSecret:
		return fmt.Errorf("more than %d bytes: not a token", maxSecret)
	}
	for _, c := range token {
		switch {
		case c == '\n' || c == '\r':
			return errors.New("more than one line: the file holds the token and nothing else")
		case c <= ' ' || c >= 0x7f:
			return errors.New("spaces or characters that a token cannot have")
		}
	}
	return nil
}
