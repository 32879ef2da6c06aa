package ticket

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/bril-edge/bril/uplink/enrol/token"
)

// key is always the same, so that a corpus of signed texts stays one.
func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(keys ...ed25519.PrivateKey) (list []ed25519.PublicKey) {
	for _, k := range keys {
		list = append(list, k.Public().(ed25519.PublicKey))
	}
	return list
}

func server(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func sample(t testing.TB) Ticket {
	return Ticket{
		WiFi:   WiFi{SSID: "Showroom Antwerpen", Security: WPA2, Password: "correct horse battery"},
		NTP:    "ntp.example",
		Server: server(t, "https://showroom.example:8443"),
		Token:  token.Token{ID: [8]byte{1, 2, 3}, Secret: [16]byte{0xaa, 0xbb}, Pin: [32]byte{7}},
	}
}

func TestReadBack(t *testing.T) {
	for name, change := range map[string]func(*Ticket){
		"as it is":         func(*Ticket) {},
		"open":             func(k *Ticket) { k.WiFi = WiFi{SSID: "guest", Security: Open} },
		"WPA3":             func(k *Ticket) { k.WiFi.Security, k.WiFi.Password = WPA3, "x" },
		"a wire":           func(k *Ticket) { k.WiFi = WiFi{} },
		"no NTP":           func(k *Ticket) { k.NTP = "" },
		"not ASCII":        func(k *Ticket) { k.WiFi.SSID, k.WiFi.Password = "Café 北京", "pässwörd" },
		"spaces and tilde": func(k *Ticket) { k.WiFi.SSID, k.WiFi.Password = " ~ ", " ~~~~~~ " },
		"a key of WPA2": func(k *Ticket) {
			k.WiFi.SSID, k.WiFi.Password, k.NTP, k.Server = "a", strings.Repeat("0a", 32), "", server(t, "https://b.example")
		},
		"an address": func(k *Ticket) { k.Server, k.NTP = server(t, "https://[::1]:8443"), "192.0.2.1" },
		"a path":     func(k *Ticket) { k.Server, k.NTP = server(t, "https://example.com/bril"), "" },
		"zeros":      func(k *Ticket) { k.Token = token.Token{} },
	} {
		t.Run(name, func(t *testing.T) {
			want := sample(t)
			change(&want)
			text, err := want.Sign(key(1))
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > MaxText || strings.Trim(text, alphabet) != "" {
				t.Errorf("%d characters: %s", len(text), text)
			}
			got, err := Read(text, public(key(2), key(1)))
			if err != nil {
				t.Fatal(err)
			}
			if got.WiFi != want.WiFi || got.NTP != want.NTP || got.Token != want.Token || got.Server.String() != want.Server.String() {
				t.Errorf("another one was read: %v, %v", got, want)
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	for name, change := range map[string]func(*Ticket){
		"no server":              func(k *Ticket) { k.Server = nil },
		"http":                   func(k *Ticket) { k.Server = server(t, "http://showroom.example") },
		"a user":                 func(k *Ticket) { k.Server = server(t, "https://me@showroom.example") },
		"a query":                func(k *Ticket) { k.Server = server(t, "https://showroom.example?x=1") },
		"short password":         func(k *Ticket) { k.WiFi.Password = "1234567" },
		"no password":            func(k *Ticket) { k.WiFi.Password = "" },
		"a password when open":   func(k *Ticket) { k.WiFi.Security = Open },
		"no name":                func(k *Ticket) { k.WiFi.SSID = "" },
		"a long name":            func(k *Ticket) { k.WiFi.SSID = strings.Repeat("x", 33) },
		"an unknown security":    func(k *Ticket) { k.WiFi.Security = "wep" },
		"a zero in the name":     func(k *Ticket) { k.WiFi.SSID = "a\x00b" },
		"a line in a password":   func(k *Ticket) { k.WiFi.Password = "12345678\n" },
		"a space in NTP":         func(k *Ticket) { k.NTP = "a b" },
		"not UTF-8":              func(k *Ticket) { k.WiFi.SSID = "\xff" },
		"more than a code takes": func(k *Ticket) { k.WiFi.Password = strings.Repeat("x", 63) },
	} {
		t.Run(name, func(t *testing.T) {
			k := sample(t)
			change(&k)
			if text, err := k.Sign(key(1)); err == nil {
				t.Errorf("it was written: %s", text)
			} else if p := k.WiFi.Password; len(p) > 3 && strings.Contains(err.Error(), p) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

// TestFits keeps what the documentation says of how much a code holds.
func TestFits(t *testing.T) {
	of := func(n int) error {
		k := sample(t)
		k.WiFi = WiFi{SSID: strings.Repeat("s", 32), Security: WPA3, Password: strings.Repeat("p", n-32-len("b.example"))}
		k.NTP, k.Server = "", server(t, "https://b.example")
		_, err := k.Sign(key(1))
		return err
	}
	if err := of(87); err != nil {
		t.Error(err)
	}
	var hinted interface{ Hint() string }
	if err := of(88); !errors.As(err, &hinted) || hinted.Hint() == "" {
		t.Errorf("one more: %v", err)
	}
}

// TestTampered changes each character of a text.
func TestTampered(t *testing.T) {
	text, err := sample(t).Sign(key(1))
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		for _, c := range []byte("0Z:") {
			other := []byte(text)
			if other[i] == c {
				continue
			}
			other[i] = c
			if k, err := Read(string(other), public(key(1))); err == nil {
				t.Fatalf("character %d changed to %c: %v", i, c, k)
			}
		}
	}
	for i := range text {
		if _, err := Read(text[:i], public(key(1))); err == nil {
			t.Fatalf("cut at %d", i)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	text, err := sample(t).Sign(key(1))
	if err != nil {
		t.Fatal(err)
	}
	again := func(change func(body []byte) []byte) string {
		body := change(sample(t).body())
		return Prefix + encode45(append(body, ed25519.Sign(key(1), signed(body))...))
	}
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"nothing":          {"", ErrForeign},
		"a web address":    {"https://example.com", ErrForeign},
		"a Wi-Fi code":     {"WIFI:T:WPA;S:x;P:y;;", ErrForeign},
		"lower case":       {strings.ToLower(text), ErrForeign},
		"prefix alone":     {Prefix, ErrMalformed},
		"longer":           {text + strings.Repeat("0", MaxText), ErrMalformed},
		"another's key":    {resign(t, key(3)), ErrSignature},
		"a later version":  {again(func(b []byte) []byte { b[0] |= 8; return b }), ErrMalformed},
		"open, a password": {again(func(b []byte) []byte { b[0] = 1; return b }), ErrMalformed},
		"no texts":         {again(func(b []byte) []byte { return b[:head] }), ErrMalformed},
		"cut":              {again(func(b []byte) []byte { return b[:head-1] }), ErrMalformed},
		"zero before":      {again(func(b []byte) []byte { return slices.Insert(b, head, 0) }), ErrMalformed},
		"ASCII as UTF-8": {again(func(b []byte) []byte {
			b[0] |= utf8Bit
			return append(b[:head], "Showroom Antwerpen\x00correct horse battery\x00\x00a.example"...)
		}), ErrMalformed},
		"a bad address": {again(func(b []byte) []byte {
			b[0] |= utf8Bit
			return append(b[:head], "Café\x00correct horse battery\x00\x00a%zz"...)
		}), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(test.text, public(key(1)))
			if !errors.Is(err, test.want) || got.Server != nil || got.Token != (token.Token{}) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := Read(text, nil); !errors.Is(err, ErrSignature) {
		t.Errorf("without a key: %v", err)
	}
}

func resign(t *testing.T, k ed25519.PrivateKey) string {
	text, err := sample(t).Sign(k)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestHidden prints a ticket in every way that a program is likely to.
func TestHidden(t *testing.T) {
	k := sample(t)
	holder := struct {
		Ticket Ticket
		At     *Ticket
		WiFi   WiFi
		All    []WiFi
	}{k, &k, k.WiFi, []WiFi{k.WiFi}}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "ticket", k, "wifi", k.WiFi, "all", holder)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "ticket", k, "wifi", k.WiFi, "all", holder)
	said, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(said)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		all += fmt.Sprintf(verb+verb, k, holder)
	}
	for _, secret := range []string{k.WiFi.Password, fmt.Sprintf("%x", k.WiFi.Password), k.Token.SecretText()} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is in %s", secret, all)
		}
	}
}

func TestBase45(t *testing.T) {
	for text, want := range map[string]string{"AB": "BB8", "Hello!!": "%69 VD92EX0", "base-45": "UJCLQE7W581", "ietf!": "QED8WEX0"} { // RFC 9285, 4.3
		if got := encode45([]byte(text)); got != want {
			t.Errorf("%s: %s", text, got)
		}
		if got, ok := decode45(want); !ok || string(got) != text {
			t.Errorf("%s: %q", want, got)
		}
	}
	for _, bad := range []string{"A", "GGW", "a00", "::", "0000"} {
		if got, ok := decode45(bad); ok {
			t.Errorf("%s: %x", bad, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, change := range []func(*Ticket){
		func(*Ticket) {},
		func(k *Ticket) { k.WiFi = WiFi{} },
		func(k *Ticket) { k.WiFi.SSID = "Café" },
	} {
		k := sample(f)
		change(&k)
		text, err := k.Sign(key(1))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, []byte{})
		f.Add("", k.body())
	}
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		_, _ = Read(text, public(key(1)))
		// And what is behind the signature.
		text = Prefix + encode45(append(body, ed25519.Sign(key(1), signed(body))...))
		k, err := Read(text, public(key(1)))
		if err != nil {
			return
		}
		if again, err := k.Sign(key(1)); err != nil || again != text {
			t.Errorf("%v is written as another text: %v", k, err)
		}
	})
}
