// Package calls is the glasses' side of an endpoint's conversations: it follows the
// endpoint's stream of events (text/event-stream), and answers and ends calls. It
// decides nothing about them.
//
// An endpoint need not have any of this, as plain WHIP servers have not: it is then
// asked ever more seldom, and that is no error. The token goes to trusted origins
// only, as uplink/origin has it. Nothing that a server sends is believed beyond its
// size: lines, events and their rate are bounded, and so is silence.
package calls

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
	"github.com/bril-edge/bril/uplink/whip"
)

const (
	// silence is how long a stream may say nothing, not even that it is alive, until it
	// counts as dead. Endpoints say so every 15 s.
	silence = 40 * time.Second
	// openTime is from the request to the stream's header, askTime for all of another
	// request.
	openTime = 10 * time.Second
	askTime  = 5 * time.Second
	// held is how long a stream must have stood for its loss to be an outage, after
	// which it is opened again at once.
	held = 5 * time.Second
	// An endpoint that has no such stream is asked again after absentFirst, and after
	// twice the time each time up to absentLast.
	absentFirst = 5 * time.Second
	absentLast  = 10 * time.Minute
)

// Config says whom to follow, and as whom.
type Config struct {
	URL            string // of the stream: https, or http on loopback
	Token          origin.Secret
	TrustedOrigins []string
	UserAgent      string           // "bril" when empty
	Date           func(time.Time)  // as origin.Config has it
	Time           func() time.Time // likewise
	Confirmed      func() bool      // likewise
	RootCAs        *x509.CertPool
	Identity       *origin.Identity // of an enrolled device; nil otherwise
	Log            *slog.Logger     // nil discards

	Transport http.RoundTripper // for tests; one of origin's when nil
}

// Client follows one stream. Run is called once; the other methods may be called
// from several goroutines, beside it too.
type Client struct {
	http *origin.Client
	log  *slog.Logger
	wake chan struct{} // holds one value once there is a reason to try at once

	mu     sync.Mutex
	status Status
}

// State is how it is with the stream.
type State string

// The states.
const (
	Off        State = "off"        // Run does not run
	Connecting State = "connecting" // it is being opened
	Connected  State = "connected"  // the endpoint has told how things stand
	Waiting    State = "waiting"    // it was lost or refused, and is tried again
	Absent     State = "absent"     // the endpoint has none
)

// Status is how it is with the stream.
type Status struct {
	State State
	Err   error     // why it waits; also of Absent
	Since time.Time // of the first error in a row
	Count int       // errors in a row
	Retry time.Time // when it is tried again
}

// New checks the configuration; an error names the key to change. It asks nothing
// of the network.
func New(cfg Config) (*Client, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	http, err := origin.New(origin.Config{
		URL: cfg.URL, Key: keyURL, Foreign: ErrNotEvents, Token: cfg.Token, TrustedOrigins: cfg.TrustedOrigins,
		UserAgent: cfg.UserAgent, Date: cfg.Date, Time: cfg.Time, Confirmed: cfg.Confirmed, RootCAs: cfg.RootCAs, Identity: cfg.Identity, Transport: cfg.Transport,
	})
	if err != nil {
		return nil, err
	}
	return &Client{http: http, log: cfg.Log, wake: make(chan struct{}, 1), status: Status{State: Off}}, nil
}

// Named puts the name of these glasses, which is the last part of the path of their
// WHIP URL, in the place of {name}.
func Named(events, whipURL string) string {
	parsed, err := url.Parse(whipURL)
	if err != nil {
		return events
	}
	path := strings.TrimRight(parsed.EscapedPath(), "/")
	return strings.ReplaceAll(events, "{name}", path[strings.LastIndexByte(path, '/')+1:])
}

// Status returns how it is with the stream, at once.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Wake has a stream that waits tried at once, as after a change of the network.
func (c *Client) Wake() {
	select {
	case c.wake <- struct{}{}:
	default: // it knows
	}
}

// Answer accepts a call, or declines it. ErrGone says that it does not ring here any
// longer.
func (c *Client) Answer(ctx context.Context, conversation string, accept bool) error {
	answer := "decline"
	if accept {
		answer = "accept"
	}
	return c.post(ctx, answer+" call at", "answer", map[string]string{"conversation": conversation, "answer": answer})
}

// End ends a conversation for both sides. One that is over already is no error.
func (c *Client) End(ctx context.Context, conversation string) error {
	err := c.post(ctx, "end conversation at", "end", map[string]string{"conversation": conversation})
	if is(err, ErrGone) {
		return nil
	}
	return err
}

// post sends JSON to what lies beside the stream.
func (c *Client) post(ctx context.Context, op, beside string, body map[string]string) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("%s the endpoint: %w", op, err)
	}
	defer c.http.CloseIdle()
	q := origin.Request{
		Op: op, Method: http.MethodPost, URL: c.http.Endpoint().JoinPath("..", beside),
		Header: map[string]string{"Content-Type": "application/json"},
	}
	q.Body, q.Length = origin.Text(string(text))
	r, err := c.http.Do(ctx, askTime, q)
	if err != nil {
		return err
	}
	if r.Status > 299 {
		return c.refused(q, r, ErrGone)
	}
	return nil
}

// ValidID tells whether id can be a conversation's.
func ValidID(id string) bool { return idPattern.MatchString(id) }

var idPattern = regexp.MustCompile(`^[a-z2-7]{26}$`)

// backoff is whip.Backoff, with what only a person can change told to it.
type backoff struct {
	whip.Backoff
	absent time.Duration
}

// next returns the wait after a try that failed with err, down after the outage
// began.
func (b *backoff) next(down time.Duration, err error) time.Duration {
	if is(err, ErrAbsent) {
		b.absent = min(max(2*b.absent, absentFirst), absentLast)
		return max(b.absent, origin.RetryAfter(err))
	}
	b.absent = 0
	if is(err, ErrUnauthorized, ErrTaken, ErrNotEvents, ErrFlood, ErrTooLarge) {
		err = fmt.Errorf("%w: %w", whip.ErrRefused, err)
	}
	return b.Next(down, err)
}
