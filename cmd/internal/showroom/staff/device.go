package staff

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// A browser that has logged in gets a second cookie, which is sent to the login
// only and opens nothing. Guesses that come with it are counted by themselves, so
// that whoever guesses from elsewhere cannot keep the account's owner out. Its key
// is the stored password's hash: a new password makes it void.
const (
	deviceCookie = "staff_known"
	deviceExpiry = 180 * 24 * time.Hour
	loginPath    = "/api/staff/login"
)

// device returns what the request's browser is counted by, if it has logged in as
// the name before.
func device(r *http.Request, name, stored string) string {
	for _, cookie := range r.CookiesNamed(deviceCookie) {
		nonce, mac, _ := strings.Cut(cookie.Value, ".")
		if hmac.Equal([]byte(deviceMAC(name, stored, nonce)), []byte(mac)) {
			return name + " " + nonce
		}
	}
	return ""
}

func deviceMAC(name, stored, nonce string) string {
	m := hmac.New(sha256.New, []byte(stored))
	m.Write([]byte("known device\x00" + name + "\x00" + nonce))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func newDeviceCookie(name, stored string, secure bool) *http.Cookie {
	nonce := rand.Text()
	return &http.Cookie{
		Name: deviceCookie, Value: nonce + "." + deviceMAC(name, stored, nonce), Path: loginPath, MaxAge: int(deviceExpiry.Seconds()),
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode,
	}
}
