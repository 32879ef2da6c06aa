package whip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Bounds on what a server can make this client do.
const (
	defaultTimeout = 10 * time.Second // of a request with its redirects, to the last byte
	deleteTimeout  = 3 * time.Second  // stopping must not hang on a dead network
	dialTimeout    = 5 * time.Second
	idleTimeout    = 5 * time.Second // from the answer to the PATCH
	maxRedirects   = 5
	maxHeader      = 64 << 10  // bytes
	maxBody        = 256 << 10 // bytes, of an SDP answer
	maxErrorBody   = 16 << 10  // bytes read of an error's explanation
)

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// request is one request as the protocol means it; redirects may make it several.
type request struct {
	op          string // for errors, as in "publish to"
	method      string
	url         *url.URL
	contentType string
	accept      string
	ifMatch     string // sent as it is
	body        string
}

// reply is an answer that is not a redirect.
type reply struct {
	url    *url.URL // that answered
	status int
	header http.Header
	body   []byte
}

// do sends a request and follows redirects that keep method and body. Its time
// is bounded as a whole, so that slow bytes or many hops cannot stretch it. When
// an answer began and broke off, it returns the reply so far beside the error.
func (c *Client) do(ctx context.Context, timeout time.Duration, q request) (*reply, error) {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	visited := map[string]bool{}
	for {
		visited[q.url.String()] = true
		r, err := c.once(bounded, q)
		if err != nil {
			return r, q.unanswered(ctx, err, timeout)
		}
		if r.status < 300 || r.status > 399 {
			return r, nil
		}
		next, err := c.redirect(r)
		if err != nil {
			e := q.fail(err)
			e.Status = r.status
			return nil, e
		}
		if visited[next.String()] || len(visited) > maxRedirects {
			return nil, q.fail(fmt.Errorf("redirected in a loop or more than %d times, last to %s", maxRedirects, show(next)))
		}
		q.url = next
	}
}

// redirect returns where a 307 or 308 leads. The others would turn a POST into
// a GET (RFC 9110, section 15.4), so they cannot mean what they say here.
func (c *Client) redirect(r *reply) (*url.URL, error) {
	if r.status != http.StatusTemporaryRedirect && r.status != http.StatusPermanentRedirect {
		return nil, hinted{
			fmt.Errorf("%w: a redirect that drops the body", ErrNotWHIP),
			"only 307 and 308 are followed; is " + keyURL + " the final address?",
		}
	}
	next, err := r.resolve("Location")
	if err != nil {
		return nil, err
	}
	return next, c.trust.check("redirect", next)
}

// resolve reads a header that holds a URL, relative to the one that answered.
func (r *reply) resolve(header string) (*url.URL, error) {
	value := strings.TrimSpace(r.header.Get(header))
	if value == "" {
		return nil, fmt.Errorf("the answer has no %s", header)
	}
	u, err := r.url.Parse(value)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the answer's %s is not a URL", header)
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// once sends one HTTP request. It goes by RoundTrip, because http.Client adds
// redirects of its own and errors that show the query of a URL.
func (c *Client) once(ctx context.Context, q request) (*reply, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, q.url.String(), strings.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	c.setHeaders(req, q)
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	r := &reply{url: q.url, status: res.StatusCode, header: res.Header}
	if r.status >= 300 {
		// An explanation that breaks off is still one.
		r.body, _ = io.ReadAll(io.LimitReader(res.Body, maxErrorBody))
		return r, ctx.Err()
	}
	r.body, err = readBody(res)
	return r, err
}

func (c *Client) setHeaders(req *http.Request, q request) {
	set := func(name, value string) {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	set("User-Agent", c.userAgent)
	set("Content-Type", q.contentType)
	set("Accept", q.accept)
	set("If-Match", q.ifMatch)
	if !c.cfg.Token.IsZero() {
		set("Authorization", "Bearer "+c.cfg.Token.Reveal())
	}
}

func readBody(res *http.Response) ([]byte, error) {
	// None was asked for, and decompressing would undo the bound on the size.
	if coding := res.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return nil, fmt.Errorf("the answer is compressed (%s) unasked", clean(coding))
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("%w: over %d KiB", ErrTooLarge, maxBody>>10)
	}
	return body, nil
}

// newTransport makes a transport that leaves nothing running while live:
// HTTP/1.1 without background frames, idle connections closed within seconds.
func newTransport(cfg Config) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: dial,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            cfg.RootCAs,
			ClientSessionCache: tls.NewLRUClientSessionCache(4), // a reconnect saves a round trip
		},
		TLSHandshakeTimeout:    dialTimeout,
		DisableCompression:     true,
		MaxIdleConns:           2,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              &protocols,
	}
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if host, _, err := net.SplitHostPort(address); err == nil && strings.EqualFold(host, "localhost") {
		// Plain http is allowed to localhost, so localhost has to be here,
		// whatever the resolver says (RFC 6761, section 6.3).
		d.Control = loopbackOnly
	}
	return d.DialContext(ctx, network, address)
}

func loopbackOnly(_, address string, _ syscall.RawConn) error {
	if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().Unmap().IsLoopback() {
		return errors.New("localhost resolves to " + address + ", which is not loopback")
	}
	return nil
}
