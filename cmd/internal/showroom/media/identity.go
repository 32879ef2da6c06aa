package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
)

// identityFile is in the data directory. Without it nothing that is still on a
// device, or on its way, can be read.
const identityFile = "age.key"

// LoadIdentity reads the identity of a data directory, and makes it when it is
// missing.
func LoadIdentity(dir string) (*age.X25519Identity, error) {
	path := filepath.Join(dir, identityFile)
	identity, err := readIdentity(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = createIdentity(path); err == nil {
			identity, err = readIdentity(path)
		}
	}
	return identity, err
}

// IdentityError is a file that is no identity, or that others can read.
type IdentityError struct {
	Problem error
	hint    string
}

func (e *IdentityError) Error() string { return e.Problem.Error() }

func (e *IdentityError) Unwrap() error { return e.Problem }

// Hint says what to do about it.
func (e *IdentityError) Hint() string { return e.hint }

func readIdentity(path string) (*age.X25519Identity, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the age identity: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, &IdentityError{fmt.Errorf("age identity %s can be read by others", path), "chmod 600 " + path}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the age identity: %w", err)
	}
	identities, err := age.ParseIdentities(strings.NewReader(string(text)))
	if err == nil && len(identities) == 1 {
		if x, ok := identities[0].(*age.X25519Identity); ok {
			return x, nil
		}
	}
	return nil, &IdentityError{fmt.Errorf("age identity %s: not one X25519 key", path), "restore it from a backup: devices encrypt to it"}
}

// createIdentity makes the file complete before it has its name, and never takes
// the place of one that is there.
func createIdentity(path string) error {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return fmt.Errorf("make the age identity: %w", err)
	}
	text := fmt.Sprintf("# public key: %s\n%s\n", identity.Recipient(), identity)
	temp, err := writeTemp(filepath.Dir(path), identityFile+".*", []byte(text))
	if err != nil {
		return fmt.Errorf("make the age identity: %w", err)
	}
	defer os.Remove(temp)
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the age identity: %w", err)
	}
	return directory.Sync(filepath.Dir(path))
}
