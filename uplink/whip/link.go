package whip

import (
	"errors"
	"slices"
	"strings"
)

const maxLinks = 64

// link is one link of a Link header (RFC 8288).
type link struct {
	target string
	params map[string]string // names in lower case; the first of a name counts
}

// is says whether rel is one of the link's relation types.
func (l link) is(rel string) bool {
	return slices.ContainsFunc(strings.Fields(l.params["rel"]), func(r string) bool {
		return strings.EqualFold(r, rel)
	})
}

var errLink = errors.New("malformed Link header")

// parseLinks reads Link headers. At a malformed place it drops the rest of that
// header and returns what it has with errLink.
func parseLinks(headers []string) ([]link, error) {
	var links []link
	var malformed error
	for _, header := range headers {
		for rest := skip(header); rest != ""; rest = skip(rest) {
			l, tail, ok := parseLink(rest)
			if !ok || len(links) == maxLinks {
				malformed = errLink
				break
			}
			links = append(links, l)
			rest = tail
		}
	}
	return links, malformed
}

// skip drops the white space and commas between the links of a list.
func skip(s string) string { return strings.TrimLeft(s, " \t,") }

func parseLink(s string) (l link, rest string, ok bool) {
	target, rest, found := strings.Cut(strings.TrimPrefix(s, "<"), ">")
	if !found || !strings.HasPrefix(s, "<") {
		return link{}, "", false
	}
	l = link{target: strings.TrimSpace(target), params: map[string]string{}}
	for {
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" || rest[0] == ',' {
			return l, rest, true
		}
		if rest[0] != ';' {
			return link{}, "", false
		}
		var name, value string
		if name, value, rest, ok = parseParam(strings.TrimLeft(rest[1:], " \t")); !ok {
			return link{}, "", false
		}
		if _, seen := l.params[name]; !seen && name != "" {
			l.params[name] = value
		}
	}
}

// parseParam reads name, name=token or name="quoted". An empty one, as in
// ";;", is allowed by RFC 8288's own parser (appendix B.3).
func parseParam(s string) (name, value, rest string, ok bool) {
	end := strings.IndexAny(s, "=;,")
	if end < 0 {
		return strings.ToLower(strings.TrimSpace(s)), "", "", true
	}
	name = strings.ToLower(strings.TrimSpace(s[:end]))
	if s[end] != '=' {
		return name, "", s[end:], true
	}
	s = strings.TrimLeft(s[end+1:], " \t")
	if strings.HasPrefix(s, `"`) {
		value, rest, ok = parseQuoted(s[1:])
		return name, value, rest, ok
	}
	end = strings.IndexAny(s, ";,")
	if end < 0 {
		end = len(s)
	}
	return name, strings.TrimSpace(s[:end]), s[end:], true
}

// parseQuoted reads up to the closing quote (quoted-string, RFC 9110, section 5.6.4).
func parseQuoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
