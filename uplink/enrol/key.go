package enrol

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// KeyStore keeps the private keys of a board, each under a name. Nobody gets to see
// one: a key signs. Files do it here; a TPM can.
type KeyStore interface {
	// Make makes a key. Where there is one of that name, it is that.
	Make(name string) (crypto.Signer, error)
	// Open returns a key, fs.ErrNotExist where there is none of that name.
	Open(name string) (crypto.Signer, error)
	// KeepOnly destroys all keys but the one of that name; of "" all.
	KeepOnly(name string) error
}

// keyFiles keeps keys in key-NAME.pem, PKCS #8.
type keyFiles struct{ *folder }

const (
	keyPrefix = "key-"
	keySuffix = ".pem"
)

func (k keyFiles) Make(name string) (crypto.Signer, error) {
	there, err := k.Open(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return there, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := k.write(keyPrefix+name+keySuffix, text); err != nil {
		return nil, fmt.Errorf("keep the key: %w", err)
	}
	return key, nil
}

// Open refuses a key that others may read: it may be anybody's by now.
func (k keyFiles) Open(name string) (crypto.Signer, error) {
	path := filepath.Join(k.dir, keyPrefix+name+keySuffix)
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open the key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open the key: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("open the key %s: others than its owner may read it (mode %#o)", path, info.Mode().Perm())
	}
	text, err := readBounded(f)
	if err != nil {
		return nil, fmt.Errorf("read the key %s: %w", path, err)
	}
	return parseKey(path, text)
}

// parseKey has no error that repeats anything of the text.
func parseKey(path string, text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("read the key %s: it is damaged", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("read the key %s: it is damaged", path)
	}
	return key, nil
}

func (k keyFiles) KeepOnly(name string) error {
	return k.sweep(func(file string) bool {
		return strings.HasPrefix(file, keyPrefix) && file != keyPrefix+name+keySuffix
	})
}
