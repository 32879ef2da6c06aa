package showroom

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
)

const (
	secretFile   = "access.key" // in the data directory
	secretSize   = 32           // bytes
	keySize      = 24           // bytes of an access key: 192 bits
	cookieName   = "bril"
	cookieExpiry = 12 * time.Hour
)

// Keys makes the conversations' access keys. Each is derived from the name by one
// secret, so that nothing tells a name in use from one that is not. A new secret
// (delete the file) makes all links and codes void.
type Keys struct {
	secret []byte
}

// LoadKeys reads the secret of a data directory; it makes both when they are missing.
func LoadKeys(dir string) (*Keys, error) {
	if err := makeDataDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, secretFile)
	secret, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = createSecret(path); err == nil {
			secret, err = readSecret(path)
		}
	}
	if err != nil {
		return nil, err
	}
	return &Keys{secret: secret}, nil
}

// makeDataDir creates the directory for its owner only, and makes that durable.
func makeDataDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return refuse("check --data", "data directory %s: not a directory", dir)
	} else if err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return refuse("check --data", "make the data directory: %w", err)
	}
	return directory.Sync(filepath.Dir(filepath.Clean(dir)))
}

func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the access secret: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, refuse("chmod 600 "+path, "access secret %s can be read by others", path)
	}
	secret, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the access secret: %w", err)
	}
	if len(secret) != secretSize {
		return nil, refuse("delete it to get a new one; all links change", "access secret %s has %d bytes instead of %d", path, len(secret), secretSize)
	}
	return secret, nil
}

// createSecret makes the file complete before it has its name: of two processes
// that start at once, the second finds the first one's.
func createSecret(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("make the access secret: %w", err)
		}
	}()
	file, err := os.CreateTemp(filepath.Dir(path), secretFile+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	secret := make([]byte, secretSize)
	rand.Read(secret) // never fails, crypto/rand
	if _, err = file.Write(secret); err != nil {
		return err
	}
	if err = file.Sync(); err != nil {
		return err
	}
	if err = os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return directory.Sync(filepath.Dir(path))
}

// Key returns the access key of a conversation, 192 bits in base64url.
func (k *Keys) Key(name string) string { return k.mac("key", name) }

// Link returns the address to give to a customer. The key is in the fragment,
// which browsers send to no server.
func (k *Keys) Link(base, name string) string {
	return strings.TrimSuffix(base, "/") + "/" + name + "#" + k.Key(name)
}

// Seal returns what an access code of an appointment is known by in the records,
// which tell nobody the code without the secret.
func (k *Keys) Seal(code string) string { return k.mac("code", code) }

func (k *Keys) mac(parts ...string) string {
	m := hmac.New(sha256.New, k.secret)
	for _, part := range parts {
		fmt.Fprintf(m, "%d:%s", len(part), part)
	}
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:keySize])
}

func (k *Keys) opens(name, key string) bool {
	return subtle.ConstantTimeCompare([]byte(k.Key(name)), []byte(key)) == 1
}

// cookies are what a page gets for the key: one for each path that it will ask,
// and not the key itself. Each says when it expires and whose it is.
func (k *Keys) cookies(name, device string, now time.Time, secure bool) []*http.Cookie {
	expiry := strconv.FormatInt(now.Add(cookieExpiry).Unix(), 10)
	value := expiry + "." + device + "." + k.mac("cookie", name, expiry, device)
	var list []*http.Cookie
	for _, path := range []string{"/whep/", "/talk/", "/api/sessions/", "/api/conversations/", "/media/"} {
		list = append(list, &http.Cookie{
			Name: cookieName, Value: value, Path: path + name, MaxAge: int(cookieExpiry.Seconds()),
			HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode,
		})
	}
	return list
}

// admits says whether a request may view: by its cookie, or by the key as a bearer
// token, for players that are no browsers.
func (k *Keys) admits(r *http.Request, name string, now time.Time) bool {
	if key, ok := bearer(r); ok && k.opens(name, key) {
		return true
	}
	return k.device(r, name, now) != ""
}

// newDevice names a browser, for the cookies of one conversation.
func newDevice() string { return rand.Text() }

// device returns which browser asks: what its cookie for the conversation says, or
// nothing. It stays when the cookie is renewed, and only this server can sign it.
func (k *Keys) device(r *http.Request, name string, now time.Time) string {
	for _, cookie := range r.CookiesNamed(cookieName) {
		expiry, rest, _ := strings.Cut(cookie.Value, ".")
		device, mac, _ := strings.Cut(rest, ".")
		if subtle.ConstantTimeCompare([]byte(k.mac("cookie", name, expiry, device)), []byte(mac)) != 1 {
			continue
		}
		if at, err := strconv.ParseInt(expiry, 10, 64); err == nil && now.Unix() < at {
			return device
		}
	}
	return ""
}
