package whip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The configuration keys that errors name.
const (
	keyURL     = "uplink.whip_url"
	keyToken   = "uplink.token_file"
	keyTrusted = "uplink.trusted_origins"
)

// trust decides where the token may go and which servers media may pass: the
// origin of the endpoint and those that the configuration adds.
type trust struct {
	own     string          // origin of the endpoint
	plain   bool            // the endpoint itself is http, so on loopback
	origins map[string]bool // with own
	ice     map[string]bool // host or host:port of STUN and TURN servers
}

// newTrust reads entries of two kinds. An origin (https://host:port) is trusted
// with the token, and its host as a STUN or TURN server on any port. A host,
// host:port or stun:, stuns:, turn: or turns: URI is trusted as such a server only.
func newTrust(endpoint *url.URL, entries []string) (*trust, error) {
	t := &trust{
		own:     origin(endpoint),
		plain:   endpoint.Scheme == "http",
		origins: map[string]bool{origin(endpoint): true},
		ice:     map[string]bool{strings.ToLower(endpoint.Hostname()): true},
	}
	for _, entry := range entries {
		if err := t.add(entry); err != nil {
			return nil, fmt.Errorf("%s: entry %q: %w", keyTrusted, entry, err)
		}
	}
	return t, nil
}

func (t *trust) add(entry string) error {
	if !strings.Contains(entry, "://") {
		uri, err := parseICE("turn:" + trimICEScheme(entry))
		if err != nil {
			return fmt.Errorf("neither an origin like https://host nor a host: %w", err)
		}
		t.ice[uri.hostPort()] = true
		return nil
	}
	u, err := parseEndpoint(entry)
	if err != nil {
		return err
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return fmt.Errorf("an origin has no path or query: write %s", origin(u))
	}
	t.origins[origin(u)] = true
	t.ice[strings.ToLower(u.Hostname())] = true
	return nil
}

// check says whether a URL that a server named may be asked, with the token.
func (t *trust) check(what string, u *url.URL) error {
	if u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%s is %s, not an http address: %w", what, clean(show(u)), ErrUntrusted)
	}
	if u.User != nil {
		return fmt.Errorf("%s at %s carries a user name or password: %w", what, origin(u), ErrUntrusted)
	}
	if u.Scheme == "http" && !t.plain {
		return fmt.Errorf("%s goes from https to http at %s: %w", what, origin(u), ErrUntrusted)
	}
	if t.origins[origin(u)] {
		return nil
	}
	return untrusted(what, origin(u))
}

// checkICE says whether media may go through STUN or TURN servers. The token
// never goes there, but the media and this device's address do. It names all
// that are not trusted at once: some endpoints offer several public ones.
func (t *trust) checkICE(servers ...iceURI) error {
	var elsewhere []string
	for _, s := range servers {
		if !t.ice[s.host] && !t.ice[s.hostPort()] {
			elsewhere = append(elsewhere, s.scheme+":"+bracket(s.host))
		}
	}
	if elsewhere == nil {
		return nil
	}
	slices.Sort(elsewhere)
	return untrusted("ICE server", slices.Compact(elsewhere)...)
}

func untrusted(what string, where ...string) error {
	entries := make([]string, len(where))
	for i, w := range where {
		entries[i] = strconv.Quote(w)
	}
	return hinted{
		fmt.Errorf("%s at %s: %w", what, strings.Join(where, ", "), ErrUntrusted),
		fmt.Sprintf("if you trust it, add %s to %s", strings.Join(entries, ", "), keyTrusted),
	}
}

// parseEndpoint accepts https anywhere and http on loopback.
func parseEndpoint(raw string) (*url.URL, error) {
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

// origin returns scheme, host and port (RFC 6454), without the default port.
func origin(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		return u.Scheme + "://" + bracket(host)
	}
	return u.Scheme + "://" + net.JoinHostPort(host, port)
}

func bracket(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
