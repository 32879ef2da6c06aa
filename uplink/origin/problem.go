package origin

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const maxSaid = 200 // runes shown of each text of a server

// MaxRetryAfter is what a longer Retry-After counts as.
const MaxRetryAfter = 5 * time.Minute

// Problem is what a server says about an error: problem details (RFC 9457), or
// what servers send in their place. The texts are cleaned of control and format
// characters and cut.
type Problem struct {
	Type   string // URI that names the kind of problem
	Title  string
	Detail string
}

// String returns title and detail.
func (p Problem) String() string {
	switch {
	case p.Title == "" || p.Title == p.Detail:
		return p.Detail
	case p.Detail == "":
		return p.Title
	}
	return p.Title + ": " + p.Detail
}

// problem reads the body of an error. The token is taken out, as a server may
// echo what it got.
func (r *Reply) problem(token Secret) Problem {
	p := r.rawProblem()
	for _, text := range []*string{&p.Type, &p.Title, &p.Detail} {
		if !token.IsZero() {
			*text = strings.ReplaceAll(*text, token.Reveal(), token.String())
		}
		*text = Clean(*text)
	}
	return p
}

// rawProblem tries JSON whatever the content type says: one server in the field
// sends its errors as JSON under the type that the request accepts.
func (r *Reply) rawProblem() Problem {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "text/plain" {
		return Problem{Detail: string(r.Body)}
	}
	var said struct{ Type, Title, Detail, Message, Error string }
	// A field of the wrong type leaves the others filled, and what is not JSON
	// leaves all of them empty.
	_ = json.Unmarshal(r.Body, &said)
	for _, text := range []string{said.Message, said.Error} { // not RFC 9457, but common
		if said.Detail == "" {
			said.Detail = text
		}
	}
	return Problem{Type: said.Type, Title: said.Title, Detail: said.Detail}
}

// Clean makes a foreign text safe for one line of a terminal or a log.
func Clean(text string) string {
	printable := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	runes := []rune(strings.Join(strings.Fields(printable), " "))
	if len(runes) > maxSaid {
		return string(runes[:maxSaid]) + "…"
	}
	return string(runes)
}

// IsHTML says that the answer is a web page. It also looks at the body: some
// servers send pages without saying so.
func (r *Reply) IsHTML() bool {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "text/html" || kind == "application/xhtml+xml" {
		return true
	}
	start := strings.ToLower(strings.TrimSpace(string(r.Body[:min(len(r.Body), 64)])))
	return strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html")
}

// retryAfter reads a Retry-After of either form (RFC 9110, section 10.2.3).
// What cannot be read is no wish.
func retryAfter(value string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), MaxRetryAfter)
}
