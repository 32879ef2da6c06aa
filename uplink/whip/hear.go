package whip

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/bril-edge/bril/uplink/origin"
)

// ErrSilent says that there is nothing to hear yet: nobody speaks.
var ErrSilent = errors.New("nobody speaks yet")

// Hear posts an offer to receive to address, which a link of a session named, and
// returns the session that came of it (draft-ietf-wish-whep-03, section 4). Address
// has to be at a trusted origin.
//
// An endpoint that would rather offer itself answers 406 with its own offer
// (section 4.3): the session's Counter then holds it, and waits for an Accept.
func (c *Client) Hear(ctx context.Context, address, offer string) (*Session, error) {
	q := origin.Request{Op: "listen to", URL: &url.URL{Path: "?"}}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, q.Fail(errors.New("the address is not a URL"))
	}
	q = request(q.Op, http.MethodPost, u, offer, map[string]string{"Content-Type": typeSDP, "Accept": typeSDP})
	if !isSDP(offer) {
		return nil, q.Fail(errors.New("the offer is not SDP: it does not start with v=0"))
	}
	if err := c.http.Check("address", u); err != nil {
		return nil, q.Fail(err)
	}
	r, err := c.http.Do(ctx, c.timeout, q)
	if err == nil && r.Status == http.StatusConflict {
		return nil, c.unheard(q, r) // it is asked again soon: a handshake each time would cost more than the question
	}
	defer c.http.CloseIdle()
	if err == nil && r.Status == http.StatusNotAcceptable && isSDP(string(r.Body)) {
		return c.countered(ctx, q, r)
	}
	if err == nil && r.Status > 299 {
		return nil, c.unheard(q, r)
	}
	return c.take(ctx, q, r, err)
}

// take makes a session of an answer, or ends the session of one that is of no use.
func (c *Client) take(ctx context.Context, q origin.Request, r *origin.Reply, err error) (*Session, error) {
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

// countered makes a session of a 406 that carries an offer.
func (c *Client) countered(ctx context.Context, q origin.Request, r *origin.Reply) (*Session, error) {
	if len(r.Body) >= origin.MaxErrorBody {
		return nil, q.Fail(fmt.Errorf("counter-offer: %w", ErrTooLarge))
	}
	created := *r
	created.Status = http.StatusCreated
	s, err := c.take(ctx, q, &created, nil)
	if err != nil {
		return nil, err
	}
	s.counter, s.answer = s.answer, ""
	return s, nil
}

// Counter returns the endpoint's own offer, which waits for Accept, or "".
func (s *Session) Counter() string { return s.counter }

// Accept answers the endpoint's own offer.
func (s *Session) Accept(ctx context.Context, answer string) error {
	defer s.client.http.CloseIdle()
	s.mu.Lock()
	etag := s.etag
	s.mu.Unlock()
	q := request("answer session", http.MethodPatch, s.url, answer,
		map[string]string{"Content-Type": typeSDP, "If-Match": etag})
	r, err := s.client.http.Do(ctx, s.client.timeout, q)
	if err != nil {
		return err
	}
	if r.Status > 299 {
		return s.client.unheard(q, r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if tag := r.Header.Get("ETag"); tag != "" {
		s.etag = tag
	}
	return nil
}

// Link returns the URL behind the 201's first link of relation type rel, or ""
// where there is none. It is an error when that is not at a trusted origin.
func (s *Session) Link(rel string) (string, error) {
	u, err := s.link(rel)
	if u == nil || err != nil {
		return "", err
	}
	return u.String(), nil
}

// unheard explains why there is nothing to hear. The address came from the
// endpoint, so that no key of the configuration can be wrong.
func (c *Client) unheard(q origin.Request, r *origin.Reply) *Error {
	hint, verdict := "", errUnexpected
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		hint, verdict = c.http.TokenHint(), ErrUnauthorized
	case http.StatusConflict:
		verdict = ErrSilent
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		verdict = ErrBusy
	case http.StatusNotFound, http.StatusGone:
		verdict = ErrNotFound
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		verdict = ErrNotWHIP
	case http.StatusNotAcceptable, http.StatusUnsupportedMediaType, http.StatusBadRequest, http.StatusUnprocessableEntity:
		verdict = ErrRefused
	}
	return c.http.Refused(q, r, hint, verdict)
}
