// Package redact is the second net under secrets: it finds by their looks those in
// text that comes from elsewhere, as an error of a library or a line of the kernel.
// The first net are types that do not print what they hold (configs.Secret,
// origin.Secret, token.Token): this one is for what never had such a type.
//
// It would rather take out a word too many than leave one in.
package redact

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Mark stands for what was taken out. It needs no escape in JSON, YAML or a URL.
const Mark = "(redacted)"

// Text returns text without what looks like a secret, an e-mail address or the part
// of an address that may hold one.
func Text(text string) string {
	lower := strings.ToLower(text)
	for _, r := range rules() {
		if slices.ContainsFunc(r.hints, func(hint string) bool { return strings.Contains(lower, hint) }) {
			text = r.apply(text)
		}
	}
	return text
}

// rule takes out one kind of thing. A text with none of the hints, which are in lower
// case, is left alone: most lines of a log have nothing of any.
type rule struct {
	hints []string
	apply func(string) string
}

// rules are made when the first text comes, not at the start of each command.
var rules = sync.OnceValue(func() []rule {
	return []rule{
		{[]string{"private key-----"}, pemKeys()},
		{[]string{"authorization"}, replace(`(?i)((?:proxy-)?authorization["']?\s*[:=]\s*\\?["'\[]?)[^\r\n"'\]\\]+`, "${1}"+Mark)},
		{[]string{"cookie"}, replace(`(?i)((?:set-)?cookie2?["']?\s*[:=]\s*\\?["'\[]?)[^\r\n"'\]\\]+`, "${1}"+Mark)},
		{[]string{"bearer"}, replace(`(?i)\b(bearer\s+)[^\s"'\\,;\]]+`, "${1}"+Mark)},
		{[]string{"basic"}, replace(`(?i)\b(basic\s+)[a-z0-9+/_-]{6,}=*`, "${1}"+Mark)},
		{[]string{"bril1"}, replace(`(?i)\bbril1(?:\.|:|%2e|%3a)[^\s"'\\<>]+`, Mark)}, // of enrolment, and of the QR code, which holds a Wi-Fi password
		{[]string{"wifi:"}, replace(`(?i)\bwifi:[^\r\n"'\\]+`, Mark)},                 // the usual QR code of a network
		{[]string{"age-"}, replace(`(?i)\bage-(?:secret-key|plugin)-[a-z0-9-]+`, Mark)},
		{[]string{"ey"}, replace(`\bey[JI][A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*`, Mark)}, // JWT, RFC 7519
		{[]string{"ice-"}, replace(`(?i)\b(ice-(?:pwd|ufrag)["']?[:=]\s*["']?)[^\s"'\\]+`, "${1}"+Mark)},
		{[]string{"//"}, addresses()},
		{[]string{"?", "&", ";"}, parameters()},
		{[]string{"pass", "pwd", "secret", "token", "key", "psk", "credential", "session", "signature"}, named()},
		{[]string{"@"}, emails(`@`)},
		{[]string{"%40"}, emails(`%40`)},
	}
})

func replace(pattern, by string) func(string) string {
	expression := regexp.MustCompile(pattern)
	return func(text string) string { return expression.ReplaceAllString(text, by) }
}

// pemKeys also takes one whose lines were escaped, and one that is cut off.
func pemKeys() func(string) string {
	return replace(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`, Mark)
}

// addresses leaves of a URL what names a place: no user, no query, no fragment. It
// does not parse it: what cannot be parsed may hold a secret all the same.
func addresses() func(string) string {
	expression := regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*:)?//[^\s"'<>\\` + "`" + `]+`)
	return func(text string) string { return expression.ReplaceAllStringFunc(text, address) }
}

func address(url string) string {
	scheme, rest, _ := strings.Cut(url, "//")
	cut := len(rest)
	if at := strings.IndexAny(rest, "?#"); at >= 0 {
		cut = at
	}
	place, after := rest[:cut], rest[cut:]
	authority, path, found := strings.Cut(place, "/")
	if found {
		path = "/" + path
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = Mark + authority[at:]
	} else if at := strings.LastIndexByte(path, '@'); at >= 0 && strings.Contains(authority, ":") && !port(authority) {
		authority, path = Mark, path[at:] // a password with a slash in it
	}
	if after != "" && !strings.Contains(after, Mark) {
		// What ends the sentence that the address stands in is not part of it.
		end := strings.TrimRight(after, ".,;:)]}")
		tail := after[len(end):]
		if len(end) > 1 {
			after = end[:1] + Mark + tail
		}
	}
	return scheme + "//" + authority + path + after
}

// port says that what follows the colon of a host is its port.
func port(authority string) bool {
	_, after, _ := strings.Cut(authority, ":")
	return strings.HasPrefix(authority, "[") || strings.Trim(after, "0123456789") == ""
}

// secretWords are in the names of what is secret.
const secretWords = `pass(?:wor[dt]|phrase|wd)?|pwd|secret|token|api[_-]?key|private[_-]?key|psk|wep[_-]?key\d?|credentials?|session[_-]?id|signature`

// parameters takes the value of a parameter in part of an address, or of a form.
func parameters() func(string) string {
	return replace(`(?i)([?&;](?:[a-z0-9._-]*(?:`+secretWords+`)|key|code|auth|sig|k|t)=)[^&\s"'\\<>#]+`, "${1}"+Mark)
}

// named takes the value of what is called a secret: name=value, "name":"value" of
// JSON and name: value of a line of YAML. The name of a file is no secret:
// token_file and its like stay.
func named() func(string) string {
	const name = `(?:[a-z0-9._-]*(?:` + secretWords + `))`
	assigned := replace(`(?i)(\b`+name+`\s?=\s?)(?:\\"[^"\\]*\\"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"',;&]+)`, "${1}"+Mark)
	escaped := replace(`(?i)(\\"`+name+`\\"\s*:\s*\\")[^"\\]*`, "${1}"+Mark)
	quoted := replace(`(?i)(["']`+name+`["']\s*:\s*)(?:"(?:[^"\\]|\\.)*"|'[^']*'|-?[0-9][0-9.]*)`, `${1}"`+Mark+`"`)
	lines := replace(`(?im)^(\s*(?:-\s+)?`+name+`\s*:[ \t]+)\S.*$`, "${1}"+Mark)
	spoken := replace(`(?i)\b((?:password|passphrase|psk)\s*(?::|is)\s+)\S+`, "${1}"+Mark)
	return func(text string) string { return spoken(lines(assigned(quoted(escaped(text))))) }
}

// emails leaves units of systemd (getty@tty1.service) alone.
func emails(at string) func(string) string {
	expression := regexp.MustCompile(`(?i)[a-z0-9._+-]+` + at + `([a-z0-9-]+\.)+[a-z]{2,}`)
	return func(text string) string {
		return expression.ReplaceAllStringFunc(text, func(found string) string {
			switch found[strings.LastIndexByte(found, '.'):] {
			case ".service", ".socket", ".timer", ".target", ".mount", ".device", ".slice":
				return found
			}
			return Mark
		})
	}
}
