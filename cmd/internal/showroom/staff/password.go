package staff

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Params are what argon2id costs. Zero fields mean the default, which is above
// what RFC 9106 section 4 recommends second, for the memory it says: a server
// that serves conversations has no 2 GiB for a password.
type Params struct {
	Memory  uint32 // KiB; default 64 MiB
	Passes  uint32 // default 3
	Threads uint8  // default 1: a login must not take both cores of a small server
}

const (
	defaultMemory  = 64 << 10 // KiB
	defaultPasses  = 3
	defaultThreads = 1

	saltSize = 16 // bytes, RFC 9106 section 3.1
	hashSize = 32

	// What a stored hash may ask for, so that a damaged one costs an error and not
	// the server's memory.
	maxMemory  = 1 << 20 // KiB
	maxPasses  = 64
	maxThreads = 16
)

func (p Params) withDefaults() Params {
	return Params{cmp.Or(p.Memory, defaultMemory), cmp.Or(p.Passes, defaultPasses), cmp.Or(p.Threads, defaultThreads)}
}

// Passwords have so many characters. There is no rule about which: NIST SP
// 800-63B section 3.1.1.2 tells why.
const (
	minPassword = 12   // characters
	maxPassword = 1024 // bytes
)

// CheckPassword says what is wrong with a new password.
func CheckPassword(password string) error {
	switch {
	case !utf8.ValidString(password) || strings.ContainsAny(password, "\x00\r\n"):
		return errors.New("a password is one line of UTF-8")
	case utf8.RuneCountInString(password) < minPassword:
		return fmt.Errorf("a password has at least %d characters", minPassword)
	case len(password) > maxPassword:
		return fmt.Errorf("a password has at most %d bytes", maxPassword)
	}
	return nil
}

// hash returns the password's hash with what it was made with, as
// $argon2id$v=19$m=65536,t=3,p=1$SALT$HASH.
func (p Params) hash(password string) string {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails, crypto/rand
	return p.encode(salt, p.key(password, salt))
}

// nobodys is the hash of no password that is known. It is another one each time: it
// is a key, too, see device.go.
func (p Params) nobodys() string {
	salt, key := make([]byte, saltSize), make([]byte, hashSize)
	rand.Read(salt) // never fails, crypto/rand
	rand.Read(key)
	return p.encode(salt, key)
}

func (p Params) key(password string, salt []byte) []byte {
	return argon2.IDKey([]byte(password), salt, p.Passes, p.Memory, p.Threads, hashSize)
}

func (p Params) encode(salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Passes, p.Threads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// verify says whether the password is the one that was hashed, and whether it was
// hashed with other parameters than p.
func (p Params) verify(password, stored string) (right, outdated bool, err error) {
	used, salt, key, err := parseHash(stored)
	if err != nil {
		return false, false, err
	}
	right = subtle.ConstantTimeCompare(used.key(password, salt), key) == 1
	return right, used != p, nil
}

var errHash = errors.New("not an argon2id hash of this program")

// parseHash reads what encode wrote, and nothing else.
func parseHash(stored string) (p Params, salt, key []byte, err error) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 {
		return p, nil, nil, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.Memory, &p.Passes, &p.Threads); err != nil {
		return p, nil, nil, errHash
	}
	if p.Memory < 8 || p.Memory > maxMemory || p.Passes == 0 || p.Passes > maxPasses || p.Threads == 0 || p.Threads > maxThreads {
		return p, nil, nil, errHash
	}
	b64 := base64.RawStdEncoding.Strict()
	salt, saltErr := b64.DecodeString(parts[4])
	key, keyErr := b64.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(salt) != saltSize || len(key) != hashSize || p.encode(salt, key) != stored {
		return p, nil, nil, errHash
	}
	return p, salt, key, nil
}
