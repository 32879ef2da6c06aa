package desk

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// The bounds of what a customer fills in, in bytes.
const (
	maxName  = 100
	maxPhone = 32
)

var locales = []string{"nl", "de", "en"}

// validLocale takes another for English.
func validLocale(locale string) string {
	if slices.Contains(locales, locale) {
		return locale
	}
	return "en"
}

// customer checks the fields of a request.
func (r Request) customer() (records.Customer, error) {
	c := records.Customer{Name: strings.TrimSpace(r.Name), Email: strings.TrimSpace(r.Email), Phone: strings.TrimSpace(r.Phone), Locale: r.Locale}
	return c, errors.Join(checkName(c.Name), checkEmail(c.Email), checkPhone(c.Phone), checkLocale(c.Locale))
}

func checkName(name string) error {
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return &FieldError{Field: "name", Detail: "a name has 1 to 100 bytes, all of them printable"}
	}
	return nil
}

// checkEmail takes what the mail queue does: what it refused later would be an
// appointment without a code, or a wish that is never fulfilled.
func checkEmail(email string) error {
	if _, err := mail.ParseAddress(email); err != nil {
		return &FieldError{Field: "email", Detail: "this is not an e-mail address"}
	}
	return nil
}

func checkPhone(phone string) error {
	if len(phone) > maxPhone || strings.ContainsFunc(phone, func(r rune) bool { return !strings.ContainsRune("0123456789+-/(). ", r) }) {
		return &FieldError{Field: "phone", Detail: "a telephone number has digits and + - / ( ) only"}
	}
	return nil
}

func checkLocale(locale string) error {
	if !slices.Contains(locales, locale) {
		return &FieldError{Field: "locale", Detail: "it is nl, de or en"}
	}
	return nil
}
