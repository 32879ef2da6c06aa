package whip

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

// hear asks the server for the customer's voice.
func hear(t *testing.T, s *server, c *Client) (*Session, error) {
	t.Helper()
	return c.Hear(t.Context(), s.URL+"/hear/a", offer)
}

func TestHear(t *testing.T) {
	s := serve(t, script{"POST /hear/a": created("Link", `<turn:127.0.0.1:3478>; rel="ice-server"; username="u"; credential="c"`),
		"DELETE /session/1": answers(200, "")})
	c := newClient(t, s)
	session, err := hear(t, s, c)
	if err != nil {
		t.Fatal(err)
	}
	if session.Answer() != answer || session.Counter() != "" || len(session.ICEServers()) != 1 {
		t.Errorf("answer %q, counter-offer %q, %d ICE servers", session.Answer(), session.Counter(), len(session.ICEServers()))
	}
	if err := session.Delete(t.Context()); err != nil {
		t.Error(err)
	}
	post := s.got("POST")[0]
	if post.body != offer || post.header.Get("Content-Type") != typeSDP || post.header.Get("Authorization") != "Bearer "+token {
		t.Errorf("asked by %+v", post)
	}
	if len(s.got("DELETE")) != 1 {
		t.Error("the session was not deleted")
	}
}

func TestCounterOffer(t *testing.T) {
	const theirs = "v=0\r\no=- 3 3 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
	for _, status := range []int{200, 204} {
		s := serve(t, script{
			"POST /hear/a":      answers(406, theirs, "Content-Type", typeSDP, "Location", "/session/1", "ETag", `"one"`),
			"PATCH /session/1":  answers(status, ""),
			"DELETE /session/1": answers(200, ""),
		})
		session, err := hear(t, s, newClient(t, s))
		if err != nil {
			t.Fatal(err)
		}
		if session.Counter() != theirs || session.Answer() != "" {
			t.Errorf("counter-offer %q, answer %q", session.Counter(), session.Answer())
		}
		if err := session.Accept(t.Context(), answer); err != nil {
			t.Error(err)
		}
		if err := session.Delete(t.Context()); err != nil {
			t.Error(err)
		}
		patch := s.got("PATCH")[0]
		if patch.body != answer || patch.header.Get("Content-Type") != typeSDP || patch.header.Get("If-Match") != `"one"` {
			t.Errorf("answered by %+v", patch)
		}
	}
}

func TestNothingToHear(t *testing.T) {
	long := "v=0\r\n" + strings.Repeat("a=x\r\n", origin.MaxErrorBody)
	for _, tc := range []struct {
		name    string
		answer  http.HandlerFunc
		want    error
		wait    time.Duration
		deletes int // sessions that have to be deleted again
	}{
		{"nobody speaks", answers(409, `{"type":"urn:bril:problem:silent","title":"nobody speaks"}`, "Content-Type", "application/problem+json", "Retry-After", "2"), ErrSilent, 2 * time.Second, 0},
		{"waits for ever", answers(409, "", "Retry-After", "99999999"), ErrSilent, origin.MaxRetryAfter, 0},
		{"not these glasses", answers(403, ""), ErrUnauthorized, 0, 0},
		{"over", answers(404, ""), ErrNotFound, 0, 0},
		{"gone", answers(410, ""), ErrNotFound, 0, 0},
		{"too often", answers(429, "", "Retry-After", "7"), ErrBusy, 7 * time.Second, 0},
		{"no WHEP", answers(405, ""), ErrNotWHIP, 0, 0},
		{"another codec", answers(406, "no Opus here"), ErrRefused, 0, 0},
		{"counter-offer without place", answers(406, answer, "Content-Type", typeSDP), errAny, 0, 0},
		{"endless counter-offer", answers(406, long, "Content-Type", typeSDP, "Location", "/session/1"), ErrTooLarge, 0, 0},
		{"answer elsewhere", answers(201, answer, "Content-Type", typeSDP, "Location", "https://elsewhere.example/session/1"), ErrUntrusted, 0, 0},
		{"counter-offer elsewhere", answers(406, answer, "Content-Type", typeSDP, "Location", "https://elsewhere.example/session/1"), ErrUntrusted, 0, 0},
		{"redirect elsewhere", answers(307, "", "Location", "https://elsewhere.example/hear"), ErrUntrusted, 0, 0},
		{"TURN elsewhere", created("Link", `<turn:elsewhere.example>; rel="ice-server"`), ErrUntrusted, 0, 1},
		{"web page", answers(200, "<!doctype html>", "Content-Type", "text/html"), ErrNotWHIP, 0, 0},
		{"200", answers(200, answer, "Content-Type", typeSDP, "Location", "/session/1"), errAny, 0, 1},
		{"empty", answers(201, "", "Content-Type", typeSDP, "Location", "/session/1"), errAny, 0, 1},
		{"garbage", answers(201, "\x00\xff", "Location", "/session/1"), errAny, 0, 1},
		{"endless", answers(201, strings.Repeat("v=0\r\n", 1<<18), "Location", "/session/1"), ErrTooLarge, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, script{"POST /hear/a": tc.answer, "DELETE /session/1": answers(200, "")})
			session, err := hear(t, s, newClient(t, s))
			if session != nil || err == nil || tc.want != errAny && !errors.Is(err, tc.want) {
				t.Errorf("%v, %v", session, err)
			}
			if got := origin.RetryAfter(err); got != tc.wait {
				t.Errorf("to be tried after %v, want %v", got, tc.wait)
			}
			if got := len(s.got("DELETE")); got != tc.deletes {
				t.Errorf("%d sessions deleted, want %d", got, tc.deletes)
			}
		})
	}
}

var errAny = errors.New("any")

// The address comes from the network: the token does not go wherever it says.
func TestHearNowhereElse(t *testing.T) {
	s := serve(t, nil)
	c := newClient(t, s)
	for _, address := range []string{"https://elsewhere.example/hear", "http://127.0.0.1:1/hear", "/hear", "ftp://" + s.Listener.Addr().String(), "http://u:p@" + s.Listener.Addr().String() + "/", "::", ""} {
		if session, err := c.Hear(t.Context(), address, offer); session != nil || err == nil {
			t.Errorf("%s: %v, %v", address, session, err)
		}
	}
	if got := s.got(""); len(got) > 0 {
		t.Errorf("asked: %+v", got)
	}
}

func TestHearFollowsRedirects(t *testing.T) {
	s := serve(t, script{"POST /hear/a": answers(307, "", "Location", "/there"), "POST /there": created()})
	session, err := hear(t, s, newClient(t, s))
	if err != nil || session.URL() != s.URL+"/session/1" {
		t.Errorf("%v, %v", session, err)
	}
}

func TestAcceptRefused(t *testing.T) {
	s := serve(t, script{
		"POST /hear/a":     answers(406, answer, "Content-Type", typeSDP, "Location", "/session/1"),
		"PATCH /session/1": answers(422, ""),
	})
	session, err := hear(t, s, newClient(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Accept(t.Context(), answer); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

func TestTheLinkToHear(t *testing.T) {
	s := serve(t, script{"POST /whip/a": created("Link", `</hear/a>; rel="urn:bril:talkback"`, "Link", `<https://elsewhere.example/>; rel="urn:bril:other"`)})
	session := publish(t, newClient(t, s))
	if link, err := session.Link("urn:bril:talkback"); err != nil || link != s.URL+"/hear/a" {
		t.Errorf("%q, %v", link, err)
	}
	if link, err := session.Link("urn:bril:none"); err != nil || link != "" {
		t.Errorf("%q, %v", link, err)
	}
	if link, err := session.Link("urn:bril:other"); !errors.Is(err, ErrUntrusted) || link != "" {
		t.Errorf("%q, %v", link, err)
	}
}

// In silence the endpoint is asked all the time, and by one connection.
func TestSilenceByOneConnection(t *testing.T) {
	from := map[string]bool{}
	s := serve(t, script{"POST /hear/a": func(w http.ResponseWriter, r *http.Request) {
		from[r.RemoteAddr] = true
		answers(409, "nobody speaks")(w, r)
	}})
	c := newClient(t, s)
	for range 3 {
		if _, err := hear(t, s, c); !errors.Is(err, ErrSilent) {
			t.Fatal(err)
		}
	}
	if len(from) != 1 {
		t.Errorf("%d connections", len(from))
	}
}
