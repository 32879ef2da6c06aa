package whip

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// ours is a fragment of this side, theirs the text of a server's.
var ours = Fragment{
	Bundle: []string{"0", "1"}, Media: "audio 9 UDP/TLS/RTP/SAVPF 111", Mid: "0", Ufrag: "EsAw", Pwd: "P2uYro0UCOQ4zxjKXaWCBui1",
	Candidates: []string{"candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host"}, End: true,
}

const theirs = "a=ice-lite\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n" +
	"a=ice-ufrag:289b31b754eaa438\r\na=ice-pwd:0b66f472495ef0ccac7bda653ab6be49ea13114472a5d10a\r\n" +
	"a=candidate:1 1 udp 2130706431 198.51.100.1 39132 typ host\r\na=end-of-candidates\r\n"

func TestTrickleSendsTheTagAsItCame(t *testing.T) {
	for _, tag := range []string{`"one"`, `one`, `*`, `W/"one"`, `"with space, and comma"`, ""} {
		s := serve(t, script{
			"POST /whip/a":     answers(201, answer, "Content-Type", typeSDP, "Location", "/session/1", "ETag", tag),
			"PATCH /session/1": answers(204, ""),
		})
		if tag == "" {
			s.on("POST /whip/a", answers(201, answer, "Content-Type", typeSDP, "Location", "/session/1"))
		}
		if err := publish(t, newClient(t, s)).Trickle(t.Context(), ours); err != nil {
			t.Errorf("tag %q: %v", tag, err)
		}
		patch := s.got("PATCH")
		if len(patch) != 1 || patch[0].header.Get("If-Match") != tag || len(patch[0].header["If-Match"]) > 0 && tag == "" {
			t.Errorf("tag %q: got %v", tag, patch)
		}
	}
}

func TestTrickleAnswers(t *testing.T) {
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		is      error
		again   int // PATCH requests after a second call
	}{
		{"200", answers(200, "a=ice-lite\r\n"), nil, 2},
		{"202", answers(202, ""), nil, 2},
		{"204", answers(204, ""), nil, 2},
		{"400", answers(400, ""), errUnexpected, 2},
		{"401", answers(401, ""), ErrUnauthorized, 2},
		{"404", answers(404, ""), ErrNotFound, 2},
		{"405", answers(405, ""), ErrNoPatch, 1},
		{"409", answers(409, ""), errUnexpected, 2},
		{"412", answers(412, ""), ErrPrecondition, 2},
		{"422", answers(422, ""), ErrNoPatch, 1},
		{"428", answers(428, ""), ErrPrecondition, 2},
		{"500", answers(500, ""), errUnexpected, 2},
		{"501", answers(501, ""), ErrNoPatch, 1},
		{"503", answers(503, ""), ErrBusy, 2},
		{"closed connection", hangUp, nil, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, script{"POST /whip/a": created(), "PATCH /session/1": test.handler, "DELETE /session/1": answers(200, "")})
			session := publish(t, newClient(t, s))
			for range 2 {
				err := session.Trickle(t.Context(), ours)
				if !errors.Is(err, test.is) && test.is != nil || (err == nil) != (test.name[0] == '2') {
					t.Errorf("got %v, want %v", err, test.is)
				}
				if err != nil && !strings.Contains(err.Error(), "trickle to session "+s.URL+"/session/1: ") {
					t.Errorf("%v does not say what was tried", err)
				}
			}
			if n := len(s.got("PATCH")); n != test.again {
				t.Errorf("%d PATCH, want %d", n, test.again)
			}
			if err := session.Delete(t.Context()); err != nil {
				t.Errorf("the session does not go on: %v", err)
			}
		})
	}
}

// RFC 9725, section 4.3.1: a 422 refuses one kind of PATCH, a 405 both.
func TestRefusalOfOneKindOfPatch(t *testing.T) {
	for status, restarts := range map[int]int{422: 1, 405: 0, 501: 0} {
		s := serve(t, script{"POST /whip/a": created(), "PATCH /session/1": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-Match") == "*" {
				answers(200, theirs, "ETag", `"two"`)(w, r)
				return
			}
			answers(status, "")(w, r)
		}})
		session := publish(t, newClient(t, s))
		if err := session.Trickle(t.Context(), ours); !errors.Is(err, ErrNoPatch) {
			t.Errorf("%d: trickle: %v", status, err)
		}
		if _, err := session.RestartICE(t.Context(), ours); (err == nil) != (restarts == 1) {
			t.Errorf("%d: restart: %v", status, err)
		}
		if n := len(s.got("PATCH")); n != 1+restarts {
			t.Errorf("%d: %d PATCH", status, n)
		}
	}
}

func TestRestartICE(t *testing.T) {
	s := serve(t, script{
		"POST /whip/a":     created(),
		"PATCH /session/1": answers(200, theirs, "ETag", `"two"`, "Content-Type", typeFragment),
	})
	session := publish(t, newClient(t, s))
	f, err := session.RestartICE(t.Context(), ours)
	if err != nil || f.Ufrag != "289b31b754eaa438" || len(f.Candidates) != 1 || !f.End || f.Mid != "0" {
		t.Fatalf("got %+v, %v", f, err)
	}
	if err := session.Trickle(t.Context(), ours); err != nil {
		t.Error(err)
	}
	patch := s.got("PATCH")
	if patch[0].header.Get("If-Match") != "*" || patch[0].body != ours.String() {
		t.Errorf("restarted with %v", patch[0])
	}
	if patch[1].header.Get("If-Match") != `"two"` {
		t.Errorf("trickled with %v after the restart", patch[1].header)
	}
}

func TestRestartICERefused(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		is      error
		text    string
	}{
		{"204", answers(204, ""), nil, "204 No Content: the answer brings no ICE credentials"},
		{"201", answers(201, theirs), nil, "201 Created"},
		{"200 with nothing", answers(200, ""), nil, "no ice-ufrag and ice-pwd"},
		{"200 with a page", answers(200, "<html>"), nil, "not an SDP line"},
		{"200 with a bad candidate", answers(200, theirs+"a=candidate:nonsense\r\n"), nil, "malformed candidate"},
		{"400", answers(400, ""), errUnexpected, "400"},
		{"405", answers(405, ""), ErrNoPatch, "405"},
		{"412", answers(412, ""), ErrPrecondition, "412"},
		{"422", answers(422, ""), ErrNoPatch, "422"},
		{"500", answers(500, ""), errUnexpected, "500"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, script{"POST /whip/a": created(), "PATCH /session/1": test.handler, "DELETE /session/1": answers(200, "")})
			session := publish(t, newClient(t, s))
			f, err := session.RestartICE(t.Context(), ours)
			if err == nil || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %+v, %v", f, err)
			}
			s.on("PATCH /session/1", answers(204, ""))
			if err := session.Trickle(t.Context(), ours); err != nil && !errors.Is(err, ErrNoPatch) {
				t.Errorf("the session does not go on: %v", err)
			}
			for _, r := range s.got("PATCH")[1:] {
				if r.header.Get("If-Match") != `"one"` {
					t.Errorf("the failed restart changed the tag to %v", r.header)
				}
			}
		})
	}
}

// Only the reply to the last of several restarts counts, whichever comes first.
func TestRestartICESuperseded(t *testing.T) {
	first, release := make(chan struct{}), make(chan struct{})
	s := serve(t, script{"POST /whip/a": created()})
	s.on("PATCH /session/1", func(w http.ResponseWriter, r *http.Request) {
		if len(s.got("PATCH")) == 1 {
			close(first)
			<-release
			answers(200, theirs, "ETag", `"late"`)(w, r)
			return
		}
		answers(200, theirs, "ETag", `"two"`)(w, r)
	})
	session := publish(t, newClient(t, s))
	late := make(chan error)
	go func() {
		_, err := session.RestartICE(t.Context(), ours)
		late <- err
	}()
	<-first
	if _, err := session.RestartICE(t.Context(), ours); err != nil {
		t.Errorf("the last: %v", err)
	}
	close(release)
	if err := <-late; !errors.Is(err, ErrSuperseded) {
		t.Errorf("the first: %v", err)
	}
	if err := session.Trickle(t.Context(), ours); err != nil {
		t.Error(err)
	}
	if patch := s.got("PATCH"); patch[2].header.Get("If-Match") != `"two"` {
		t.Errorf("the tag is that of the superseded reply: %v", patch[2].header)
	}
}

func TestDeleteAnswers(t *testing.T) {
	for status, want := range map[int]error{200: nil, 202: nil, 204: nil, 404: nil, 410: nil, 401: ErrUnauthorized, 405: ErrNotWHIP, 500: errUnexpected} {
		s := serve(t, script{"POST /whip/a": created(), "DELETE /session/1": answers(status, "")})
		if err := publish(t, newClient(t, s)).Delete(t.Context()); !errors.Is(err, want) {
			t.Errorf("%d: got %v, want %v", status, err, want)
		}
	}
}

func TestSessionIsSafeForConcurrentUse(t *testing.T) {
	s := serve(t, script{"POST /whip/a": created("Link", "</x>; rel=x"), "GET /x": answers(200, ""), "DELETE /session/1": answers(200, "")})
	s.on("PATCH /session/1", answers(200, theirs, "ETag", `"two"`))
	session := publish(t, newClient(t, s, func(cfg *Config) { cfg.StateDir = t.TempDir() }))
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() { _ = session.Trickle(t.Context(), ours) })
		calls.Go(func() { _, _ = session.RestartICE(t.Context(), ours) })
		calls.Go(func() { _, _ = session.Fetch(t.Context(), "x") })
		calls.Go(func() { _ = session.Delete(t.Context()) })
	}
	calls.Wait()
	if n := len(s.got("DELETE")); n != 1 {
		t.Errorf("%d DELETE", n)
	}
}
