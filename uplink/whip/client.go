// Package whip is the signalling of a WHIP publisher (RFC 9725), and of a WHEP
// player (draft-ietf-wish-whep-03) at the same endpoint, which differs in how it
// begins: it posts an offer, brings back the answer, trickles candidates, restarts
// ICE and deletes the session. It knows HTTP and nothing of WebRTC beyond SDP as
// text, and it sends the token and asks for sessions only at the configured origin
// and those the configuration trusts.
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

	"github.com/bril-edge/bril/uplink/origin"
)

// Config says where to publish and as whom.
type Config struct {
	URL            string            // of the endpoint: https, or http on loopback
	Token          Secret            // bearer token; none when zero
	TrustedOrigins []string          // beside URL's own: https://host[:port], or host or turn:host for ICE servers only
	StateDir       string            // where URLs of open sessions are kept for deletion after a crash; "" keeps none
	UserAgent      string            // "bril" when empty
	Timeout        time.Duration     // of one request with its redirects; 10 s when 0
	Date           func(time.Time)   // as in origin.Config
	Time           func() time.Time  // likewise
	Confirmed      func() bool       // likewise
	RootCAs        *x509.CertPool    // the system's when nil
	Identity       *origin.Identity  // of an enrolled device; nil otherwise
	Transport      http.RoundTripper // for tests; an HTTP/1.1 transport of its own when nil
	Log            *slog.Logger      // discards when nil
}

// The configuration key that errors name, and bounds on what a server can make
// this client do.
const (
	keyURL         = "uplink.whip_url"
	defaultTimeout = 10 * time.Second // of a request with its redirects, to the last byte
	deleteTimeout  = 3 * time.Second  // stopping must not hang on a dead network
	maxSDP         = 256 << 10        // bytes
)

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// Client publishes to one endpoint. Its methods may be called concurrently.
type Client struct {
	http    *origin.Client
	trust   trust
	timeout time.Duration
	log     *slog.Logger
	kept    *kept
}

// New checks the configuration and reads which sessions a crash left behind.
// It asks nothing of the network. An error names the key to change.
func New(cfg Config) (*Client, error) {
	asker, err := origin.New(origin.Config{URL: cfg.URL, Key: keyURL, Foreign: ErrNotWHIP, Token: cfg.Token,
		TrustedOrigins: cfg.TrustedOrigins, UserAgent: cfg.UserAgent,
		Date: cfg.Date, Time: cfg.Time, Confirmed: cfg.Confirmed, RootCAs: cfg.RootCAs, Identity: cfg.Identity, Transport: cfg.Transport})
	if err != nil {
		return nil, err
	}
	t, err := newTrust(asker.Endpoint(), cfg.TrustedOrigins)
	if err != nil {
		return nil, err
	}
	c := &Client{http: asker, trust: t, timeout: cfg.Timeout, log: cfg.Log}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.kept = openKept(cfg.StateDir, c.log)
	return c, nil
}

// Close closes idle connections and waits until the kept URLs are on disk. It
// ends no session. A second call does the same and nothing more.
func (c *Client) Close() error {
	c.http.CloseIdle()
	c.kept.wait()
	return nil
}

// Publish posts an offer and returns the session that the endpoint made of it.
// When the answer cannot be used, the session is deleted again. Only a POST
// whose answer never came can leave one behind; it ends when consent expires
// (RFC 7675).
func (c *Client) Publish(ctx context.Context, offer string) (*Session, error) {
	q := request("publish to", http.MethodPost, c.http.Endpoint(), offer, map[string]string{"Content-Type": typeSDP, "Accept": typeSDP})
	if !isSDP(offer) {
		return nil, q.Fail(errors.New("the offer is not SDP: it does not start with v=0"))
	}
	r, err := c.http.Do(ctx, c.timeout, q)
	if err == nil && r.Status > 299 {
		return nil, c.refused(q, r)
	}
	return c.take(ctx, q, r, err)
}

func request(op, method string, u *url.URL, body string, header map[string]string) origin.Request {
	q := origin.Request{Op: op, Method: method, URL: u, Header: header}
	q.Body, q.Length = origin.Text(body)
	return q
}

// session makes a session of a 2xx answer to the offer.
func (c *Client) session(q origin.Request, r *origin.Reply) (*Session, error) {
	q.URL = r.URL
	if r.Status != http.StatusCreated {
		if r.IsHTML() {
			return nil, c.refused(q, r)
		}
		e := q.Fail(fmt.Errorf("%w, which is 201 Created (section 4.2)", errUnexpected))
		e.Status = r.Status
		return nil, e
	}
	location, err := r.Resolve("Location")
	if err != nil {
		return nil, q.Fail(err)
	}
	if err := c.http.Check("session", location); err != nil {
		return nil, q.Fail(err)
	}
	if err := c.checkAnswer(r); err != nil {
		return nil, q.Fail(err)
	}
	s := &Session{client: c, url: location, answer: string(r.Body), etag: r.Header.Get("ETag"), base: r.URL, links: c.links(r)}
	if s.ice, err = c.iceServers(s.links); err != nil {
		return nil, q.Fail(err)
	}
	return s, nil
}

// checkAnswer tolerates a wrong content type when the body is plainly SDP.
func (c *Client) checkAnswer(r *origin.Reply) error {
	kind := r.Header.Get("Content-Type")
	if r.IsHTML() {
		return origin.WithHint(fmt.Errorf("%w: it answers a web page", ErrNotWHIP), "is this a WHIP endpoint? check "+keyURL)
	}
	if len(r.Body) == 0 {
		return errors.New("the 201 carries no SDP answer")
	}
	if !isSDP(string(r.Body)) {
		return fmt.Errorf("the answer is not SDP: it does not start with v=0 (content type %q)", origin.Clean(kind))
	}
	if parsed, _, _ := mime.ParseMediaType(kind); parsed != typeSDP {
		c.log.Warn("the endpoint answers SDP under another content type", "url", origin.Show(r.URL), "type", origin.Clean(kind))
	}
	return nil
}

func isSDP(text string) bool {
	return strings.HasPrefix(text, "v=0\r") || strings.HasPrefix(text, "v=0\n")
}

func (c *Client) links(r *origin.Reply) []link {
	links, err := parseLinks(r.Header.Values("Link"))
	if err != nil {
		c.log.Warn("part of the answer's links is left out", "url", origin.Show(r.URL), "error", err)
	}
	return links
}

// abandon deletes the session behind an answer that cannot be used, so that it
// does not block the next try. It outlives ctx by at most deleteTimeout.
func (c *Client) abandon(ctx context.Context, r *origin.Reply) {
	if r == nil || r.Status > 299 {
		return
	}
	location, err := r.Resolve("Location")
	if err != nil || c.http.Check("session", location) != nil {
		return
	}
	if err := c.delete(context.WithoutCancel(ctx), location); err != nil {
		c.log.Warn("session of an unusable answer may live on", "error", err)
	}
}

// delete ends a session. One that is gone already is as good.
func (c *Client) delete(ctx context.Context, session *url.URL) error {
	defer c.http.CloseIdle()
	q := request("delete session", http.MethodDelete, session, "", nil)
	r, err := c.http.Do(ctx, min(c.timeout, deleteTimeout), q)
	if err != nil {
		return err
	}
	if r.Status <= 299 || r.Status == http.StatusNotFound || r.Status == http.StatusGone {
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
			c.log.Info("deleted the session that an earlier run left", "url", origin.Show(session))
		}
		failed = errors.Join(failed, err)
	}
}

// deleteKept asks again whether the origin is trusted: the configuration may
// have changed since the session was opened.
func (c *Client) deleteKept(ctx context.Context, session *url.URL) error {
	if err := c.http.Check("kept session", session); err != nil {
		return origin.Request{Op: "delete session", URL: session}.Fail(err)
	}
	return c.delete(ctx, session)
}
