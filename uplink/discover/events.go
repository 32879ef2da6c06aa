package discover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/bril-edge/bril/uplink/origin"
)

// ErrNoEvents says that the endpoint has answered, and tells of no calls.
var ErrNoEvents = errors.New("tells of no calls")

// Events asks the endpoint where it tells of calls, at its own origin; {name} in it
// stands for the name of the glasses. Nothing is pinned: it is the WHIP URL's endpoint
// that is believed, as when it is called. The error is ErrNoEvents for one that is of
// another kind.
func Events(ctx context.Context, cfg Config) (string, error) {
	whip, err := origin.Parse(cfg.WHIPURL)
	if err != nil {
		return "", fmt.Errorf("%s: %w", keyURL, err)
	}
	if !literal(whip.Hostname()) {
		return "", fmt.Errorf("look for calls at %s: %w", origin.Of(whip), ErrNotLoopback)
	}
	q, r, err := get(ctx, cfg, whip)
	if err != nil {
		if away(err) {
			return "", err
		}
		return "", fmt.Errorf("%w: %w", ErrNoEvents, err)
	}
	var said struct {
		SchemaVersion int    `json:"schema_version"`
		Events        string `json:"events"`
	}
	if json.Unmarshal(r.Body, &said) != nil || said.SchemaVersion != version || said.Events == "" {
		return "", q.Fail(ErrNoEvents)
	}
	events, err := origin.Parse(said.Events)
	if err != nil || origin.Of(events) != origin.Of(whip) {
		return "", q.Fail(fmt.Errorf("%w: events at %q, which is another origin", ErrNoEvents, origin.Clean(said.Events)))
	}
	return said.Events, nil
}

// get asks for what an endpoint tells of itself.
func get(ctx context.Context, cfg Config, whip *url.URL) (origin.Request, *origin.Reply, error) {
	here := &url.URL{Scheme: whip.Scheme, Host: whip.Host, Path: path}
	q := origin.Request{Op: "ask", Method: http.MethodGet, URL: here, Header: map[string]string{"Accept": "application/json"}, Here: true}
	c, err := origin.New(origin.Config{URL: here.String(), Key: keyURL, Foreign: ErrNotBril, UserAgent: cfg.UserAgent,
		Time: cfg.Time, Confirmed: cfg.Confirmed, Identity: cfg.Identity, Transport: cfg.Transport})
	if err != nil {
		return q, nil, err
	}
	defer c.CloseIdle()
	r, err := c.Do(ctx, timeout, q)
	if err == nil && r.Status != http.StatusOK {
		err = c.Refused(q, r, hint, ErrNotBril)
	}
	return q, r, err
}
