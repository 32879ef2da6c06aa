package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds on what a server can make this client do.
const (
	maxRedirects = 5
	maxBody      = 256 << 10 // bytes of an answer

	// MaxErrorBody is how many bytes are read of an error's explanation.
	MaxErrorBody = 16 << 10
)

// Request is one request as the protocol means it; redirects may make it several.
type Request struct {
	Op     string // for errors, as in "publish to"
	Method string
	URL    *url.URL
	Header map[string]string // an empty value is not sent
	Here   bool              // a redirect is an error, also within the origin

	// Body returns the body from its start, once for each hop; none when nil.
	// As with http.RoundTripper, it may be read after the exchange, until it is
	// closed.
	Body   func() io.ReadCloser
	Length int64 // of the body in bytes
}

// Text is a request's body and its length.
func Text(body string) (func() io.ReadCloser, int64) {
	return func() io.ReadCloser { return io.NopCloser(strings.NewReader(body)) }, int64(len(body))
}

// Reply is an answer that is not a redirect.
type Reply struct {
	URL    *url.URL // that answered
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request and follows redirects that keep method and body. Its time
// is bounded as a whole, so that slow bytes or many hops cannot stretch it;
// where timeout is 0 the bound is ctx's. When an answer began and broke off, it
// returns the reply so far beside the error.
func (c *Client) Do(ctx context.Context, timeout time.Duration, q Request) (*Reply, error) {
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if timeout > 0 {
		bounded, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	return c.hops(ctx, timeout, q, func(q Request) (*Reply, error) { return c.once(bounded, q) })
}

// hops sends a request by once, and again wherever a redirect leads.
func (c *Client) hops(ctx context.Context, timeout time.Duration, q Request, once func(Request) (*Reply, error)) (*Reply, error) {
	visited := map[string]bool{}
	for {
		visited[q.URL.String()] = true
		r, err := once(q)
		if err != nil {
			return r, c.unanswered(ctx, q, err, timeout)
		}
		if r.Status < 300 || r.Status > 399 {
			return r, nil
		}
		next, err := c.redirect(q, r)
		if err != nil {
			e := q.Fail(err)
			e.Status = r.Status
			return nil, e
		}
		if visited[next.String()] || len(visited) > maxRedirects {
			return nil, q.Fail(fmt.Errorf("redirected in a loop or more than %d times, last to %s", maxRedirects, Show(next)))
		}
		q.URL = next
	}
}

// redirect returns where a 307 or 308 leads. The others would turn a POST into
// a GET (RFC 9110, section 15.4), so they cannot mean what they say here.
func (c *Client) redirect(q Request, r *Reply) (*url.URL, error) {
	if q.Here {
		return nil, fmt.Errorf("%w: a redirect, and none is followed here", c.cfg.Foreign)
	}
	if r.Status != http.StatusTemporaryRedirect && r.Status != http.StatusPermanentRedirect {
		return nil, WithHint(
			fmt.Errorf("%w: a redirect that drops the body", c.cfg.Foreign),
			"only 307 and 308 are followed; is "+c.cfg.Key+" the final address?",
		)
	}
	next, err := r.Resolve("Location")
	if err != nil {
		return nil, err
	}
	return next, c.trust.check("redirect", next)
}

// Resolve reads a header that holds a URL, relative to the one that answered.
func (r *Reply) Resolve(header string) (*url.URL, error) {
	value := strings.TrimSpace(r.Header.Get(header))
	if value == "" {
		return nil, fmt.Errorf("the answer has no %s", header)
	}
	u, err := r.URL.Parse(value)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the answer's %s is not a URL", header)
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// once sends one HTTP request and reads its answer.
func (c *Client) once(ctx context.Context, q Request) (*Reply, error) {
	r, res, err := c.send(ctx, q)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if r.Status >= 300 {
		r.explain(res)
		return r, ctx.Err()
	}
	r.Body, err = readBody(res)
	return r, err
}

// send sends one HTTP request. It goes by RoundTrip, because http.Client adds
// redirects of its own and errors that show the query of a URL.
func (c *Client) send(ctx context.Context, q Request) (*Reply, *http.Response, error) {
	res, err := c.roundTrip(ctx, q)
	if errors.Is(err, context.Canceled) && ctx.Err() == nil && idempotent(q.Method) {
		// Not this request was cancelled: net/http gave it the connection of one that
		// was answered and cancelled at once.
		res, err = c.roundTrip(ctx, q)
	}
	if err != nil {
		return nil, nil, err
	}
	c.tellDate(res)
	return &Reply{URL: q.URL, Status: res.StatusCode, Header: res.Header}, res, nil
}

func (c *Client) roundTrip(ctx context.Context, q Request) (*http.Response, error) {
	req, err := c.request(ctx, q)
	if err != nil {
		return nil, err
	}
	return c.cfg.Transport.RoundTrip(req)
}

// idempotent says that a request may arrive twice (RFC 9110, section 9.2.2).
func idempotent(method string) bool {
	return method == http.MethodGet || method == http.MethodPut || method == http.MethodDelete
}

// explain reads the body of an error: one that breaks off is still an explanation.
func (r *Reply) explain(res *http.Response) {
	r.Body, _ = io.ReadAll(io.LimitReader(res.Body, MaxErrorBody))
}

// tellDate passes on what only the server can have said. One that is beyond its own
// certificate does not know the time.
func (c *Client) tellDate(res *http.Response) {
	if c.cfg.Date == nil || res.TLS == nil || len(res.TLS.PeerCertificates) == 0 {
		return
	}
	of := res.TLS.PeerCertificates[0]
	at, err := http.ParseTime(res.Header.Get("Date"))
	if err == nil && !at.Before(of.NotBefore) && !at.After(of.NotAfter) {
		c.cfg.Date(at)
	}
}

func (c *Client) request(ctx context.Context, q Request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, q.Method, q.URL.String(), nil)
	if err != nil {
		return nil, err
	}
	if q.Body != nil && q.Length > 0 {
		req.Body, req.ContentLength = q.Body(), q.Length
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	for name, value := range q.Header {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if !c.cfg.Token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token.Reveal())
	}
	return req, nil
}

func readBody(res *http.Response) ([]byte, error) {
	if err := plain(res); err != nil {
		return nil, err
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

// plain refuses compression: none was asked for, and undoing it would undo the
// bound on the size.
func plain(res *http.Response) error {
	if coding := res.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return fmt.Errorf("the answer is compressed (%s) unasked", Clean(coding))
	}
	return nil
}
