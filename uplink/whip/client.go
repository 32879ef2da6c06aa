// Package whip is the signalling of a WHIP publisher (RFC 9725): it posts an
// offer, brings back the answer, trickles candidates, restarts ICE and deletes
// the session. It knows HTTP and nothing of WebRTC beyond SDP as text, and it
// sends the token and asks for sessions only at the configured origin and those
// the configuration trusts.
package whip

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says where to publish and as whom.
type Config struct {
	URL            string            // of the endpoint: https, or http on loopback
	Token          Secret            // bearer token; none when zero
	TrustedOrigins []string          // beside URL's own: https://host[:port], or host or turn:host for ICE servers only
	StateDir       string            // where URLs of open sessions are kept for deletion after a crash; "" keeps none
	UserAgent      string            // "bril" when empty
	Timeout        time.Duration     // of one request with its redirects; 10 s when 0
	RootCAs        *x509.CertPool    // the system's when nil
	Transport      http.RoundTripper // for tests; an HTTP/1.1 transport of its own when nil
	Log            *slog.Logger      // discards when nil
}

// Client publishes to one endpoint. Its methods may be called concurrently.
type Client struct {
	cfg       Config
	endpoint  *url.URL
	trust     *trust
	transport http.RoundTripper
	userAgent string
	timeout   time.Duration
	log       *slog.Logger
	kept      *kept
}

// New checks the configuration and reads which sessions a crash left behind.
// It asks nothing of the network. An error names the key to change.
func New(cfg Config) (*Client, error) {
	endpoint, err := parseEndpoint(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyURL, err)
	}
	if err := checkToken(cfg.Token.Reveal()); err != nil {
		return nil, fmt.Errorf("%s: %w", keyToken, err)
	}
	t, err := newTrust(endpoint, cfg.TrustedOrigins)
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, endpoint: endpoint, trust: t, transport: cfg.Transport,
		userAgent: cfg.UserAgent, timeout: cfg.Timeout, log: cfg.Log}
	c.setDefaults()
	c.kept = openKept(cfg.StateDir, c.log)
	return c, nil
}

func (c *Client) setDefaults() {
	if c.transport == nil {
		c.transport = newTransport(c.cfg)
	}
	if c.userAgent == "" {
		c.userAgent = "bril"
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
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

// Close closes idle connections and waits until the kept URLs are on disk. It
// ends no session. A second call does the same and nothing more.
func (c *Client) Close() error {
	c.closeIdle()
	c.kept.wait()
	return nil
}

func (c *Client) closeIdle() {
	if t, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Publish posts an offer and returns the session that the endpoint made of it.
// When the answer cannot be used, the session is deleted again. Only a POST
// whose answer never came can leave one behind; it ends when consent expires
// (RFC 7675).
func (c *Client) Publish(ctx context.Context, offer string) (*Session, error) {
	q := request{op: "publish to", method: http.MethodPost, url: c.endpoint,
		contentType: typeSDP, accept: typeSDP, body: offer}
	if !isSDP(offer) {
		return nil, q.fail(errors.New("the offer is not SDP: it does not start with v=0"))
	}
	r, err := c.do(ctx, c.timeout, q)
	if err == nil && r.status > 299 {
		return nil, c.refused(q, r)
	}
	var s *Session
	if err == nil {
		s, err = c.session(q, r)
	}
	if err != nil {
		c.abandon(ctx, r)
		return nil, err
	}
	c.kept.add(s.url)
	return s, nil
}

// session makes a session of a 2xx answer to the offer.
func (c *Client) session(q request, r *reply) (*Session, error) {
	q.url = r.url
	if r.status != http.StatusCreated {
		if r.isHTML() {
			return nil, c.refused(q, r)
		}
		e := q.fail(fmt.Errorf("%w, which is 201 Created (section 4.2)", errUnexpected))
		e.Status = r.status
		return nil, e
	}
	location, err := r.resolve("Location")
	if err != nil {
		return nil, q.fail(err)
	}
	if err := c.trust.check("session", location); err != nil {
		return nil, q.fail(err)
	}
	if err := c.checkAnswer(r); err != nil {
		return nil, q.fail(err)
	}
	s := &Session{client: c, url: location, answer: string(r.body), etag: r.header.Get("ETag"), base: r.url, links: c.links(r)}
	if s.ice, err = c.iceServers(s.links); err != nil {
		return nil, q.fail(err)
	}
	return s, nil
}

// checkAnswer tolerates a wrong content type when the body is plainly SDP.
func (c *Client) checkAnswer(r *reply) error {
	kind := r.header.Get("Content-Type")
	if r.isHTML() {
		return hinted{fmt.Errorf("%w: it answers a web page", ErrNotWHIP), "is this a WHIP endpoint? check " + keyURL}
	}
	if len(r.body) == 0 {
		return errors.New("the 201 carries no SDP answer")
	}
	if !isSDP(string(r.body)) {
		return fmt.Errorf("the answer is not SDP: it does not start with v=0 (content type %q)", clean(kind))
	}
	if parsed, _, _ := mime.ParseMediaType(kind); parsed != typeSDP {
		c.log.Warn("the endpoint answers SDP under another content type", "url", show(r.url), "type", clean(kind))
	}
	return nil
}

func isSDP(text string) bool {
	return strings.HasPrefix(text, "v=0\r") || strings.HasPrefix(text, "v=0\n")
}

func (c *Client) links(r *reply) []link {
	links, err := parseLinks(r.header.Values("Link"))
	if err != nil {
		c.log.Warn("part of the answer's links is left out", "url", show(r.url), "error", err)
	}
	return links
}

// abandon deletes the session behind an answer that cannot be used, so that it
// does not block the next try. It outlives ctx by at most deleteTimeout.
func (c *Client) abandon(ctx context.Context, r *reply) {
	if r == nil || r.status > 299 {
		return
	}
	location, err := r.resolve("Location")
	if err != nil || c.trust.check("session", location) != nil {
		return
	}
	if err := c.delete(context.WithoutCancel(ctx), location); err != nil {
		c.log.Warn("session of an unusable answer may live on", "error", err)
	}
}

// delete ends a session. One that is gone already is as good.
func (c *Client) delete(ctx context.Context, session *url.URL) error {
	defer c.closeIdle()
	q := request{op: "delete session", method: http.MethodDelete, url: session}
	r, err := c.do(ctx, min(c.timeout, deleteTimeout), q)
	if err != nil {
		return err
	}
	if r.status <= 299 || r.status == http.StatusNotFound || r.status == http.StatusGone {
		return nil
	}
	return c.refused(q, r)
}

// DeleteStale deletes, once each, the sessions that a crash or a failed Delete
// left behind, and forgets them. Run it in the background when a Publish has
// returned, whether it succeeded or not: then a session that the endpoint gave
// the same URL again is known, and left alone.
//
// Only sessions at trusted origins that are not older than a day are asked for.
func (c *Client) DeleteStale(ctx context.Context) error {
	var failed error
	for {
		session, ctx, done := c.kept.nextStale(ctx)
		if session == nil {
			return failed
		}
		err := c.deleteKept(ctx, session)
		done()
		if err == nil {
			c.log.Info("deleted the session that an earlier run left", "url", show(session))
		}
		failed = errors.Join(failed, err)
	}
}

// deleteKept asks again whether the origin is trusted: the configuration may
// have changed since the session was opened.
func (c *Client) deleteKept(ctx context.Context, session *url.URL) error {
	if err := c.trust.check("kept session", session); err != nil {
		return request{op: "delete session", url: session}.fail(err)
	}
	return c.delete(ctx, session)
}
