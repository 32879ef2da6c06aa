package mail

import (
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	maxAddress = 254 // bytes, of RFC 5321, 4.5.3.1.3, without the brackets
	maxLocal   = 64  // bytes before the @, 4.5.3.1.1
	maxName    = 60  // runes
	maxProblem = 300 // runes of a server's words
)

// The expressions are made when a mail needs them: a command that sends none starts
// sooner.

// localPart is dot-atom of RFC 5322, 3.2.3.
var localPart = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+/=?^_{|}~` + "`" + `-]+(\.[A-Za-z0-9!#$%&'*+/=?^_{|}~` + "`" + `-]+)*$`)
})

// domainName has at least two labels and ends with letters, or with punycode.
var domainName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(xn--[a-z0-9-]{1,59}|[a-z]{2,63})$`)
})

// ParseAddress returns the address as mail is sent to it, with the domain in its
// ASCII form, or ErrAddress with the reason. It takes what registers and mail
// servers do, and none of the quoted forms in which other things hide.
func ParseAddress(address string) (string, error) {
	address = strings.TrimSpace(address)
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "", fmt.Errorf("%w: it has no @", ErrAddress)
	}
	local := address[:at]
	if len(local) > maxLocal || !localPart().MatchString(local) {
		return "", fmt.Errorf("%w: what is before the @", ErrAddress)
	}
	domain, err := idna.Lookup.ToASCII(address[at+1:])
	if err == nil { // of a few characters it makes what it does not take itself
		_, err = idna.Lookup.ToASCII(domain)
	}
	if err != nil || !domainName().MatchString(domain) {
		return "", fmt.Errorf("%w: what follows the @", ErrAddress)
	}
	if address = local + "@" + domain; len(address) > maxAddress {
		return "", fmt.Errorf("%w: it is longer than %d characters", ErrAddress, maxAddress)
	}
	return address, nil
}

// parseFrom reads the sender, who may have a name.
func parseFrom(from string) (*mail.Address, error) {
	const hint = `give an address, as "Showroom Utrecht <showroom@example.com>"`
	sender, err := mail.ParseAddress(from)
	if err != nil {
		return nil, refuse(hint, "sender %.80q: %w", from, err)
	}
	if sender.Address, err = ParseAddress(sender.Address); err != nil {
		return nil, refuse(hint, "sender %.80q: %w", from, err)
	}
	sender.Name = displayName(sender.Name)
	return sender, nil
}

// line makes a text one line, of at most so many runes, that shows what it holds:
// no control and format characters, with which a line ends or runs backwards, and
// no encoded words (RFC 2047), which a reader would make something else of.
func line(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError, unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs):
			return -1
		}
		return r
	}, s)
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "=?", "= ?")
	if r := []rune(s); len(r) > most {
		s = strings.TrimSpace(string(r[:most]))
	}
	return s
}

// displayName is a name as it stands before an address. net/mail encodes one with a
// backslash so that it reads it back as none (RFC 2047, 5, (3), allows no backslash).
func displayName(name string) string { return line(strings.ReplaceAll(name, `\`, ""), maxName) }

var anyAddress = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[^\s<>()"',;:]*@[^\s<>()"',;:]*`)
})

// anonymous is what a server said of a mail, without the address that it said it of.
func anonymous(words, address string) string {
	words = anyAddress().ReplaceAllString(line(words, 4*maxProblem), "[address]")
	local, domain, _ := strings.Cut(address, "@")
	for _, part := range []string{local, domain} {
		if part == "" {
			continue
		}
		whole := regexp.MustCompile(`(?i)(^|[^\pL\pN])` + regexp.QuoteMeta(part) + `($|[^\pL\pN])`)
		for whole.MatchString(words) { // two in a row share the character between them
			words = whole.ReplaceAllString(words, "${1}[address]${2}")
			if strings.EqualFold(part, "address") {
				break
			}
		}
	}
	return line(words, maxProblem)
}
