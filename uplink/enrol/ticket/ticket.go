// Package ticket is what a QR code carries to a board that has nothing yet: the Wi-Fi,
// where the time comes from, the server and the token that enrols it, signed with the
// brand's provisioning key. It writes and reads the text; it draws no code, looks
// through no camera, and does not know whether a token is still good: that the server
// says.
//
// The text has at most 300 characters, all of them of the alphanumeric mode of QR codes
// (ISO/IEC 18004, 7.3.4), which takes 5.5 bits for each where bytes take 8:
//
//	BRIL1:BASE45(BODY SIGNATURE)
//
// BASE45 is RFC 9285. SIGNATURE is Ed25519 (64 bytes) over "BRIL1:" and BODY, which is
//
//	1 byte   flags: security of the Wi-Fi in bits 0 and 1 (0 no Wi-Fi, 1 open,
//	         2 WPA2, 3 WPA3), bit 2 when the texts are UTF-8; the others are 0
//	8 bytes  token: ID
//	16 bytes token: secret
//	32 bytes token: pin
//	rest     texts: SSID, password, NTP server and the server's address without its
//	         "https://", with a separator between them
//
// Texts of printable ASCII are packed: the separator counts as 0 and the characters
// from space to ~ as 1 to 95, and the texts are the digits of one number to the base
// 96, behind a 1, big-endian. All four together may have 87 characters. Others are
// written in UTF-8, with a zero byte as separator; some 70 bytes of those fit.
package ticket

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bril-edge/bril/uplink/enrol/token"
)

// Prefix begins the text of a ticket.
const Prefix = "BRIL1:"

// MaxText is the longest text, in characters.
const MaxText = 300

const https = "https://"

// What is wrong with a text that Read refuses, found by errors.Is.
var (
	ErrForeign   = errors.New("it does not begin with " + Prefix + " and so is none of Bril's")
	ErrMalformed = errors.New("it is damaged")
	ErrSignature = errors.New("it is not signed with the brand's provisioning key")
)

// Security is how a Wi-Fi network is protected.
type Security string

// The securities. Those with a certificate for each user are not supported.
const (
	Open Security = "open"
	WPA2 Security = "wpa2" // personal: a password for all
	WPA3 Security = "wpa3" // likewise, by SAE
)

// securities are in the order of the flags.
func securities() []Security { return []Security{"", Open, WPA2, WPA3} }

// WiFi is a network. What prints it hides the password.
type WiFi struct {
	SSID     string // "" is none: the board has a wire
	Security Security
	Password string // "" when it is open
}

// Ticket is what a code holds. What prints it hides the password and the token.
type Ticket struct {
	WiFi   WiFi
	NTP    string   // host name or address; "" is whatever the board uses
	Server *url.URL // https
	Token  token.Token
}

// Sign returns the text of the ticket.
func (t Ticket) Sign(key ed25519.PrivateKey) (string, error) {
	if err := t.check(); err != nil {
		return "", fmt.Errorf("write the ticket: %w", err)
	}
	body := t.body()
	text := Prefix + encode45(append(body, ed25519.Sign(key, signed(body))...))
	if len(text) > MaxText {
		return "", tooLong{len(text)}
	}
	return text, nil
}

func signed(body []byte) []byte { return append([]byte(Prefix), body...) }

type tooLong struct{ length int }

func (e tooLong) Error() string {
	return fmt.Sprintf("write the ticket: it would have %d characters, %d fit", e.length, MaxText)
}

func (tooLong) Hint() string {
	return "network name, password, NTP server and server together have to be shorter: 87 characters of ASCII fit"
}

// Read reads a text that one of the keys has signed. Nothing of it is looked at before
// its signature has been. No error repeats anything of the text.
func Read(text string, keys []ed25519.PublicKey) (Ticket, error) {
	t, err := read(text, keys)
	if err != nil {
		return Ticket{}, fmt.Errorf("read the ticket: %w", err)
	}
	return t, nil
}

func read(text string, keys []ed25519.PublicKey) (Ticket, error) {
	code, ours := strings.CutPrefix(text, Prefix)
	if !ours {
		return Ticket{}, ErrForeign
	}
	if len(text) > MaxText {
		return Ticket{}, fmt.Errorf("%w: it has %d characters, and %d are the most", ErrMalformed, len(text), MaxText)
	}
	data, ok := decode45(code)
	if !ok || len(data) <= ed25519.SignatureSize {
		return Ticket{}, ErrMalformed
	}
	body, signature := data[:len(data)-ed25519.SignatureSize], data[len(data)-ed25519.SignatureSize:]
	for _, key := range keys {
		if ed25519.Verify(key, signed(body), signature) {
			return parse(body)
		}
	}
	return Ticket{}, ErrSignature
}

// check says what no board could use.
func (t Ticket) check() error {
	if err := t.WiFi.Check(); err != nil {
		return err
	}
	s := t.Server
	if s == nil || s.Scheme != "https" || s.Host == "" || s.User != nil || s.RawQuery != "" || s.Fragment != "" {
		return errors.New("the server needs an address like https://showroom.example")
	}
	for name, text := range map[string]string{"NTP server": t.NTP, "server's address": s.String()} {
		if strings.ContainsFunc(text, notPlain) {
			return fmt.Errorf("the %s has a character that it may not have", name)
		}
	}
	return nil
}

func notPlain(r rune) bool { return r <= ' ' || r > '~' }

// Check says why there can be no such network.
func (w WiFi) Check() error {
	switch {
	case w == WiFi{}:
		return nil
	case w.SSID == "" || len(w.SSID) > 32 || !printable(w.SSID):
		return errors.New("the name of the Wi-Fi is 1 to 32 bytes of text")
	case !printable(w.Password):
		return errors.New("the password of the Wi-Fi has a character that it may not have")
	}
	switch w.Security {
	case Open:
		if w.Password != "" {
			return errors.New("an open Wi-Fi has no password")
		}
	case WPA2: // IEEE 802.11-2020, J.4.1; 64 digits are the key itself
		if n := len(w.Password); (n < 8 || n > 63) && !isKey(w.Password) {
			return errors.New("a password of WPA2 has 8 to 63 characters")
		}
	case WPA3:
		if n := len(w.Password); n < 1 || n > 63 {
			return errors.New("a password of WPA3 has 1 to 63 characters")
		}
	default:
		return fmt.Errorf("the security of a Wi-Fi is open, wpa2 or wpa3, not %q", string(w.Security))
	}
	return nil
}

func isKey(s string) bool {
	return len(s) == 64 && strings.Trim(strings.ToLower(s), "0123456789abcdef") == ""
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// String hides what is secret.
func (w WiFi) String() string {
	if w.SSID == "" {
		return "no Wi-Fi"
	}
	return fmt.Sprintf("Wi-Fi %q (%s)", w.SSID, w.Security)
}

// Format hides the password, whatever the verb.
func (w WiFi) Format(f fmt.State, _ rune) { fmt.Fprint(f, w.String()) }

// LogValue hides the password.
func (w WiFi) LogValue() slog.Value { return slog.StringValue(w.String()) }

// MarshalText hides the password.
func (w WiFi) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// String hides what is secret.
func (t Ticket) String() string { return fmt.Sprintf("ticket for %s by %s", t.Server, t.WiFi.String()) }

// Format hides the password and the token, whatever the verb.
func (t Ticket) Format(f fmt.State, _ rune) { fmt.Fprint(f, t.String()) }

// LogValue hides the password and the token.
func (t Ticket) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText hides the password and the token.
func (t Ticket) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
