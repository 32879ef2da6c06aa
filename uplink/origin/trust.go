package origin

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ErrUntrusted is a URL at an origin that the configuration does not trust.
var ErrUntrusted = errors.New("not a trusted origin")

// trust decides where the token may go: to the origin of the endpoint and those
// that the configuration adds.
type trust struct {
	plain   bool            // the endpoint itself is http, so on loopback
	origins map[string]bool // with the endpoint's own
}

func newTrust(endpoint *url.URL, entries []string) (*trust, error) {
	t := &trust{plain: endpoint.Scheme == "http", origins: map[string]bool{Of(endpoint): true}}
	for _, entry := range entries {
		if !IsEntry(entry) {
			continue
		}
		u, err := ParseEntry(entry)
		if err != nil {
			return nil, err
		}
		t.origins[Of(u)] = true
	}
	return t, nil
}

// IsEntry says that an entry of the trusted origins is meant as an origin,
// https://host[:port], and not as a host.
func IsEntry(entry string) bool { return strings.Contains(entry, "://") }

// ParseEntry reads an origin that the configuration trusts.
func ParseEntry(entry string) (*url.URL, error) {
	u, err := Parse(entry)
	if err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
		err = fmt.Errorf("an origin has no path or query: write %s", Of(u))
	}
	if err != nil {
		return nil, EntryError(entry, err)
	}
	return u, nil
}

// EntryError says what is wrong with an entry of the trusted origins.
func EntryError(entry string, err error) error {
	return fmt.Errorf("%s: entry %q: %w", keyTrusted, entry, err)
}

func (t *trust) check(what string, u *url.URL) error {
	if u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%s is %s, not an http address: %w", what, Clean(Show(u)), ErrUntrusted)
	}
	if u.User != nil {
		return fmt.Errorf("%s at %s carries a user name or password: %w", what, Of(u), ErrUntrusted)
	}
	if u.Scheme == "http" && !t.plain {
		return fmt.Errorf("%s goes from https to http at %s: %w", what, Of(u), ErrUntrusted)
	}
	if t.origins[Of(u)] {
		return nil
	}
	return Untrusted(what, Of(u))
}

// Untrusted is the error for one or more places that the configuration does not
// trust. Its hint names the entries to add.
func Untrusted(what string, where ...string) error {
	entries := make([]string, len(where))
	for i, w := range where {
		entries[i] = strconv.Quote(w)
	}
	return WithHint(
		fmt.Errorf("%s at %s: %w", what, strings.Join(where, ", "), ErrUntrusted),
		fmt.Sprintf("if you trust it, add %s to %s", strings.Join(entries, ", "), keyTrusted),
	)
}

// Parse accepts https anywhere and http on loopback.
func Parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		var e *url.Error // its text would show the query
		if errors.As(err, &e) {
			err = e.Err
		}
		return nil, err
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("must start with https:// (or http:// on loopback)")
	case u.Hostname() == "":
		return nil, errors.New("has no host")
	case u.User != nil:
		return nil, fmt.Errorf("has a user name or password in it: put a token into %s", keyToken)
	case u.Fragment != "":
		return nil, errors.New("has a fragment (#), which is never sent")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("http to %s would show token and session to the network: use https", u.Hostname())
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("port %s is not 1 to 65535", port)
		}
	}
	return u, nil
}

// isLoopback is true for literal loopback addresses and for localhost, which
// the dialer then holds to loopback.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// Of returns scheme, host and port (RFC 6454), without the default port.
func Of(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		return u.Scheme + "://" + Bracket(host)
	}
	return u.Scheme + "://" + net.JoinHostPort(host, port)
}

// Bracket puts an IPv6 address into brackets, as a URL needs it.
func Bracket(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// Show returns a URL for people and logs: a query may carry a stream key.
func Show(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if u.RawQuery != "" {
		return shown.String() + "?…"
	}
	return shown.String()
}
