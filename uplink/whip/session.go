package whip

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/bril-edge/bril/uplink/origin"
)

// Session is one accepted offer. Its methods may be called concurrently.
type Session struct {
	client  *Client
	url     *url.URL
	base    *url.URL // that answered the offer; links are relative to it
	answer  string
	counter string // the endpoint's own offer, in place of an answer
	ice     []ICEServer
	links   []link

	mu        sync.Mutex
	etag      string // as the server sent it, quotes and all
	restarts  int    // ICE restarts asked for
	noTrickle bool   // the server said that it takes none
	noRestart bool

	deleting sync.Mutex
	deleted  bool
}

// Answer returns the SDP answer.
func (s *Session) Answer() string { return s.answer }

// ICEServers returns the STUN and TURN servers that the 201 named.
func (s *Session) ICEServers() []ICEServer { return s.ice }

// URL returns where the session is, for people: without its query.
func (s *Session) URL() string { return origin.Show(s.url) }

// link returns the absolute URL of the 201's first link of relation type rel, as
// in urn:bril:session, or nil when there is none. It is an error when the link
// leads to an origin that is not trusted.
func (s *Session) link(rel string) (*url.URL, error) {
	for _, l := range s.links {
		if !l.is(rel) {
			continue
		}
		q := origin.Request{Op: "follow link of session", URL: s.url}
		u, err := s.base.Parse(l.target)
		if err != nil || u.Host == "" {
			return nil, q.Fail(fmt.Errorf("link %q is not a URL", rel))
		}
		if err := s.client.http.Check("link "+rel, u); err != nil {
			return nil, q.Fail(err)
		}
		return u, nil
	}
	return nil, nil
}

// Fetch gets what is behind a link of the 201, at most 256 KiB, with the token.
// It returns nil when there is no such link.
func (s *Session) Fetch(ctx context.Context, rel string) ([]byte, error) {
	u, err := s.link(rel)
	if u == nil || err != nil {
		return nil, err
	}
	defer s.client.http.CloseIdle()
	q := request("read", http.MethodGet, u, "", nil)
	r, err := s.client.http.Do(ctx, s.client.timeout, q)
	if err != nil {
		return nil, err
	}
	if r.Status != http.StatusOK {
		return nil, s.client.refused(q, r)
	}
	return r.Body, nil
}

// Put replaces what is behind a link of the 201 by JSON, with the token. Where
// there is no such link it does nothing.
func (s *Session) Put(ctx context.Context, rel, json string) error {
	u, err := s.link(rel)
	if u == nil || err != nil {
		return err
	}
	defer s.client.http.CloseIdle()
	q := request("write", http.MethodPut, u, json, map[string]string{"Content-Type": "application/json"})
	r, err := s.client.http.Do(ctx, s.client.timeout, q)
	if err != nil {
		return err
	}
	if r.Status > 299 {
		return s.client.refused(q, r)
	}
	return nil
}

// Trickle sends candidates that were gathered after the offer, all in one PATCH
// (RFC 9725, section 4.3.2). An error is worth a line in the log and nothing
// more: ICE may succeed without. ErrNoPatch means that the server takes none;
// later calls then return it without asking.
func (s *Session) Trickle(ctx context.Context, f Fragment) error {
	// The last request while the session is being set up: what follows must
	// not keep a connection, and its goroutines, open.
	defer s.client.http.CloseIdle()
	s.mu.Lock()
	etag, unsupported := s.etag, s.noTrickle
	s.mu.Unlock()
	q := s.patch("trickle to session", etag, f)
	if unsupported {
		return q.Fail(ErrNoPatch)
	}
	r, err := s.client.http.Do(ctx, s.client.timeout, q)
	if err != nil {
		return err
	}
	if r.Status > 299 {
		s.learn(r.Status, &s.noTrickle)
		return s.client.refused(q, r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// A restart that went out meanwhile brings the newer tag.
	if tag := r.Header.Get("ETag"); tag != "" && s.etag == etag {
		s.etag = tag
	}
	return nil
}

// RestartICE sends new credentials and candidates and returns the server's (RFC
// 9725, section 4.3.3). The answer is the whole of the server's candidates: the
// old ones are void. When another restart was asked for meanwhile, it returns
// ErrSuperseded, since only the last counts. After an error the session goes on
// as it was.
func (s *Session) RestartICE(ctx context.Context, f Fragment) (Fragment, error) {
	defer s.client.http.CloseIdle()
	s.mu.Lock()
	s.restarts++
	generation, unsupported := s.restarts, s.noRestart
	s.mu.Unlock()
	// The RFC's figures print the star in quotes; its text asks for the
	// field-value * of RFC 9110, section 13.1.1, which has none.
	q := s.patch("restart ICE of session", "*", f)
	if unsupported {
		return Fragment{}, q.Fail(ErrNoPatch)
	}
	r, err := s.client.http.Do(ctx, s.client.timeout, q)
	if err != nil {
		return Fragment{}, err
	}
	if r.Status > 299 {
		s.learn(r.Status, &s.noRestart)
		return Fragment{}, s.client.refused(q, r)
	}
	return s.restarted(q, r, generation)
}

func (s *Session) restarted(q origin.Request, r *origin.Reply, generation int) (Fragment, error) {
	if r.Status != http.StatusOK {
		e := q.Fail(errors.New("the answer brings no ICE credentials: 200 with an SDP fragment is needed"))
		e.Status = r.Status
		return Fragment{}, e
	}
	f, err := ParseFragment(string(r.Body))
	if err == nil && (f.Ufrag == "" || f.Pwd == "") {
		err = errors.New("no ice-ufrag and ice-pwd in it")
	}
	if err != nil {
		return Fragment{}, q.Fail(fmt.Errorf("read the server's fragment: %w", err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if generation != s.restarts {
		return Fragment{}, q.Fail(ErrSuperseded)
	}
	if tag := r.Header.Get("ETag"); tag != "" {
		s.etag = tag
	}
	return f, nil
}

func (s *Session) patch(op, etag string, f Fragment) origin.Request {
	return request(op, http.MethodPatch, s.url, f.String(),
		map[string]string{"Content-Type": typeFragment, "Accept": typeFragment, "If-Match": etag})
}

// learn remembers what the session will never take: a 422 refuses one kind of
// PATCH, 405 and 501 both.
func (s *Session) learn(status int, kind *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch status {
	case http.StatusUnprocessableEntity:
		*kind = true
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		s.noTrickle, s.noRestart = true, true
	}
}

// Delete ends the session at the endpoint; it takes 3 s at most, so ctx may be
// one that outlives a shutdown. A session that is gone already is no error, and
// after a first try further calls do nothing. One that could not be reached is
// left to DeleteStale, of this run or the next.
func (s *Session) Delete(ctx context.Context) error {
	s.deleting.Lock()
	defer s.deleting.Unlock()
	if s.deleted {
		return nil
	}
	s.deleted = true
	err := s.client.delete(ctx, s.url)
	var e *Error
	if errors.As(err, &e) && (e.Status == 0 || e.Status >= 500) {
		s.client.kept.setStale(s.url)
		return err
	}
	s.client.kept.remove(s.url)
	return err
}
