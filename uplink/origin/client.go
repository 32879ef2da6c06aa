// Package origin asks an endpoint over HTTP, and no other: requests and the
// token go to the configured origin and those that the configuration trusts,
// over https except on loopback. Every answer is bounded in size and time, and
// what a server says about an error is made safe to show.
//
// It knows no protocol. Of the protocols above it, uplink/whip and
// uplink/upload, it has the names of keys for hints only.
package origin

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// The configuration keys that errors name, beside Config.Key.
const (
	keyToken   = "uplink.token_file"
	keyTrusted = "uplink.trusted_origins"
)

// Config says whom to ask, and as whom.
type Config struct {
	URL            string // of the endpoint: https, or http on loopback
	Key            string // of the configuration, which holds URL; for errors and hints
	Foreign        error  // cause of an error when another protocol than the caller's is spoken there
	Token          Secret // bearer token; none when zero
	TrustedOrigins []string
	UserAgent      string            // "bril" when empty
	Date           func(time.Time)   // is told the time of each answer over TLS; nobody when nil
	Time           func() time.Time  // by which certificates are judged; the machine's when nil
	Confirmed      func() bool       // says whether Time can be right; it is when nil
	RootCAs        *x509.CertPool    // the system's when nil
	Identity       *Identity         // of an enrolled device; nil otherwise
	Transport      http.RoundTripper // one of NewTransport's when nil
}

// Client asks one endpoint. Its methods may be called concurrently.
type Client struct {
	cfg      Config
	endpoint *url.URL
	trust    *trust
}

// New checks the configuration; an error names the key to change. It asks
// nothing of the network.
//
// An entry of TrustedOrigins that is no origin, such as turn:host, is left to
// those who use servers of that kind.
func New(cfg Config) (*Client, error) {
	endpoint, err := Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Key, err)
	}
	if err := checkToken(cfg.Token.Reveal()); err != nil {
		return nil, fmt.Errorf("%s: %w", keyToken, err)
	}
	t, err := newTrust(endpoint, cfg.TrustedOrigins)
	if err != nil {
		return nil, err
	}
	if cfg.Transport == nil {
		cfg.Transport = NewTransport(cfg.RootCAs, cfg.Time)
	}
	if own, ok := cfg.Transport.(*http.Transport); ok {
		cfg.Transport = cfg.Identity.Over(own)
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "bril"
	}
	if cfg.Foreign == nil {
		cfg.Foreign = errors.New("not the endpoint that was meant")
	}
	return &Client{cfg: cfg, endpoint: endpoint, trust: t}, nil
}

// checkToken refuses what cannot be sent in a header. The characters are those
// of RFC 6750, section 2.1, and others that real tokens have.
func checkToken(token string) error {
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return errors.New("the token has a space, a line break or a character outside ASCII in it")
		}
	}
	return nil
}

// Endpoint returns the configured URL. It must not be changed.
func (c *Client) Endpoint() *url.URL { return c.endpoint }

// Check says whether a URL that a server named may be asked, with the token.
// The error names it as what, as in "redirect".
func (c *Client) Check(what string, u *url.URL) error { return c.trust.check(what, u) }

// CloseIdle closes the connections that nobody uses, and so ends their
// goroutines.
func (c *Client) CloseIdle() {
	if t, ok := c.cfg.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
