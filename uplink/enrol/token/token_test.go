package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	want := Random([32]byte{1, 2, 3})
	text := want.Text()
	if parts := strings.Split(text, "."); len(parts) != 4 || parts[0] != "bril1" || len(parts[1]) != 11 || len(parts[2]) != 22 || len(parts[3]) != 43 {
		t.Errorf("%d characters in %d parts", len(text), len(parts))
	}
	got, err := Parse("  " + text + "\r\n")
	if err != nil || got != want {
		t.Errorf("read back: %v", err)
	}
	if other := Random(want.Pin); other.ID == want.ID || other.Secret == want.Secret {
		t.Error("two tokens are alike")
	}
}

func TestParseRefuses(t *testing.T) {
	text := Random([32]byte{}).Text()
	id, rest, _ := strings.Cut(strings.TrimPrefix(text, "bril1."), ".")
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"empty", "", ErrVersion},
		{"another's", "sk_live_0123456789", ErrVersion},
		{"a version to come", strings.Replace(text, "bril1", "bril2", 1), ErrVersion},
		{"upper case", strings.ToUpper(text), ErrVersion},
		{"the version alone", "bril1", ErrTruncated},
		{"without a pin", text[:strings.LastIndexByte(text, '.')], ErrTruncated},
		{"cut", text[:len(text)-1], ErrTruncated},
		{"cut in the secret", text[:len("bril1.")+20], ErrTruncated},
		{"longer", text + "A", ErrMalformed},
		{"a part more", text + ".A", ErrMalformed},
		{"padded", text + "=", ErrMalformed},
		{"not base64url", "bril1." + strings.Repeat("+", len(id)) + "." + rest, ErrMalformed},
		{"bits behind the end", "bril1." + id[:10] + "B." + rest, ErrMalformed},
		{"a space inside", "bril1. " + id[1:] + "." + rest, ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Parse(test.text)
			if !errors.Is(err, test.want) || got != (Token{}) {
				t.Errorf("%v", err)
			}
			if err != nil && len(test.text) > 20 && strings.Contains(err.Error(), test.text[8:20]) {
				t.Errorf("the error repeats the token: %v", err)
			}
		})
	}
}

// TestHidden prints a token in every way that a program is likely to.
func TestHidden(t *testing.T) {
	token := Random([32]byte{7})
	holder := struct {
		Token  Token
		Tokens []Token
		By     map[string]Token
		At     *Token
	}{token, []Token{token}, map[string]Token{"a": token}, &token}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("enrol", "token", token, "all", holder)
	}
	said, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(said)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		all += fmt.Sprintf(verb+" "+verb, token, holder)
	}
	for _, secret := range []string{token.SecretText(), fmt.Sprintf("%x", token.Secret), fmt.Sprint(token.Secret), strings.Trim(fmt.Sprint(token.Secret), "[]")} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is in\n%s", secret, all)
		}
	}
}

func TestPin(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := func(serial int64, key *ecdsa.PrivateKey) *x509.Certificate {
		template := &x509.Certificate{SerialNumber: big.NewInt(serial)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	token := Random(PinOf(certificate(1, key)))
	if !token.Pins(certificate(2, key)) {
		t.Error("a new certificate of the same key has another pin")
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if token.Pins(certificate(1, other)) {
		t.Error("another key has the same pin")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("bril1.AAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("bril1...")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := Parse(text)
		if err != nil {
			return
		}
		if got := token.Text(); got != strings.TrimSpace(text) {
			t.Errorf("%q was read as %q", text, got)
		}
	})
}

// An ID is typed on command lines, where one that begins with a dash is a flag.
func TestNoFlag(t *testing.T) {
	for range 2000 {
		if id := Random([32]byte{}).IDText(); id[0] == '-' {
			t.Fatalf("ID %s", id)
		}
	}
}
