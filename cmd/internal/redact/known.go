package redact

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// shortest is in bytes: a shorter text stands in others by chance.
const shortest = 6

// Known takes out texts that are known to be secret, wherever they stand and however
// they are encoded: as they are, in base64, hex, base32 or for a URL. The zero value
// knows none.
type Known struct {
	secrets []string
	forms   []string // the longest first, so that none is cut by a part of it
}

// Add makes texts known; each line of one counts by itself, too. Too short ones are
// passed over.
func (k *Known) Add(secrets ...string) {
	for _, secret := range secrets {
		for _, part := range append(strings.Split(secret, "\n"), secret) {
			if part = strings.TrimSpace(part); len(part) >= shortest && !strings.HasPrefix(part, "-----") {
				k.secrets = append(k.secrets, part)
				k.forms = append(k.forms, Forms(part)...)
			}
		}
	}
	slices.SortFunc(k.forms, func(a, b string) int { return len(b) - len(a) })
	k.forms = slices.Compact(k.forms)
}

// Text returns text without them.
func (k *Known) Text(text string) string {
	for _, form := range k.forms {
		text = strings.ReplaceAll(text, form, Mark)
	}
	return text
}

// Holds says whether a text has one of them in it.
func (k *Known) Holds(text string) bool {
	return slices.ContainsFunc(k.forms, func(form string) bool { return strings.Contains(text, form) })
}

// Forms returns how a secret may look: itself, in hex, and what it becomes in base64
// and base32 wherever it begins in what is encoded, without the ends, which depend on
// what stands beside it.
func Forms(secret string) []string {
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret),
		hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret)))}
	for shift := range 3 {
		data := append(make([]byte, shift), secret...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, inner(encoding.EncodeToString(data), shift, 6, len(secret)))
		}
	}
	for shift := range 5 {
		data := append(make([]byte, shift), secret...)
		forms = append(forms, inner(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(data), shift, 5, len(secret)))
	}
	slices.Sort(forms)
	return slices.DeleteFunc(slices.Compact(forms), func(form string) bool { return len(form) < shortest })
}

// inner leaves those characters that are made of nothing but the secret.
func inner(encoded string, shift, bits, length int) string {
	from := (shift*8 + bits - 1) / bits
	to := (shift + length) * 8 / bits
	return encoded[from:to]
}
