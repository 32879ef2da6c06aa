package whip

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestRedirectKeepsMethodAndBody(t *testing.T) {
	for _, status := range []int{307, 308} {
		s := serve(t, script{
			"POST /whip/a":      answers(status, "", "Location", "b?x=1"),
			"POST /whip/b":      answers(status, "", "Location", "/c/d"),
			"POST /c/d":         created("Location", "to be replaced"),
			"PATCH /session/1":  answers(status, "", "Location", "2"),
			"PATCH /session/2":  answers(204, ""),
			"DELETE /session/1": answers(status, "", "Location", "2"),
			"DELETE /session/2": answers(204, ""),
		})
		session := publish(t, newClient(t, s))
		if err := session.Trickle(t.Context(), Fragment{Ufrag: "EsAw"}); err != nil {
			t.Error(err)
		}
		if err := session.Delete(t.Context()); err != nil {
			t.Error(err)
		}
		for method, want := range map[string]int{"POST": 3, "PATCH": 2, "DELETE": 2} {
			got := s.got(method)
			if len(got) != want {
				t.Errorf("%d: %d requests %s, want %d", status, len(got), method, want)
			}
			for _, r := range got {
				if r.body != got[0].body || r.header.Get("Authorization") == "" || r.header.Get("If-Match") != got[0].header.Get("If-Match") {
					t.Errorf("%d: %s %s with %q and %v", status, method, r.path, r.body, r.header)
				}
			}
		}
		if got := s.got("POST"); got[1].query != "x=1" {
			t.Errorf("query %q", got[1].query)
		}
	}
}

func TestRedirectRefused(t *testing.T) {
	other := serve(t, nil)
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    []string
		is      error
		posts   int
	}{
		{"301", answers(301, "", "Location", "/whip/b"), []string{"301 Moved Permanently", "drops the body"}, ErrNotWHIP, 1},
		{"302", answers(302, "", "Location", "/whip/b"), []string{"302 Found"}, ErrNotWHIP, 1},
		{"303", answers(303, "", "Location", "/whip/b"), []string{"303 See Other"}, ErrNotWHIP, 1},
		{"no Location", answers(307, ""), []string{"307 Temporary Redirect: the answer has no Location"}, nil, 1},
		{"not a URL", answers(307, "", "Location", "http://[::1"), []string{"Location is not a URL"}, nil, 1},
		{"to itself", answers(307, "", "Location", "/whip/a"), []string{"in a loop"}, nil, 1},
		{"without end", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/whip/a?"+r.URL.RawQuery+"x")
			w.WriteHeader(307)
		}, []string{"more than 5 times", "/whip/a?…"}, nil, 6},
		{"elsewhere", answers(307, "", "Location", other.URL+"/whip/a?key=1"), []string{"redirect at " + other.URL + ": not a trusted"}, ErrUntrusted, 1},
		{"with a password", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://x:y@"+r.Host+"/whip/b")
			w.WriteHeader(307)
		}, []string{"user name or password"}, ErrUntrusted, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, script{"POST /whip/a": test.handler, "POST /whip/b": created()})
			_, err := newClient(t, s).Publish(t.Context(), offer)
			if err == nil || test.is != nil && !errors.Is(err, test.is) {
				t.Fatalf("got %v", err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %q", err, part)
				}
			}
			if n := len(s.got("POST")); n != test.posts {
				t.Errorf("%d POST, want %d", n, test.posts)
			}
			if test.is == ErrUntrusted && test.name == "elsewhere" && !strings.Contains(Hint(err), `add "`+other.URL+`" to uplink.trusted_origins`) {
				t.Errorf("hint %q", Hint(err))
			}
		})
	}
	if len(other.got("")) != 0 {
		t.Errorf("the other origin was asked: %v", other.got(""))
	}
}

func TestRedirectToTrustedOrigin(t *testing.T) {
	there := serve(t, script{"POST /whip/a": created()})
	here := serve(t, script{"POST /whip/a": answers(307, "", "Location", there.URL+"/whip/a")})
	c := newClient(t, here, func(cfg *Config) { cfg.TrustedOrigins = []string{there.URL} })
	if s := publish(t, c); s.URL() != there.URL+"/session/1" {
		t.Errorf("the session is at %s, not relative to the URL that answered", s.URL())
	}
	if got := there.got("POST"); len(got) != 1 || got[0].header.Get("Authorization") != "Bearer "+token || got[0].body != offer {
		t.Errorf("the trusted origin got %v", got)
	}
}

func TestLocation(t *testing.T) {
	other := serve(t, nil)
	for _, test := range []struct {
		location string
		want     string // path and query of the DELETE
		err      string
	}{
		{"/session/1", "/session/1", ""},
		{"b/1", "/whip/b/1", ""},
		{"../session/1", "/session/1", ""},
		{"?id=1", "/whip/a?id=1", ""},
		{"/session?id=1&secret=2", "/session?id=1&secret=2", ""},
		{"SELF/session/1", "/session/1", ""},
		{"/session/1#here", "/session/1", ""},
		{"//SELFHOST/session/1", "/session/1", ""},
		{"", "", "the answer has no Location"},
		{"http://[", "", "Location is not a URL"},
		{"mailto:a@b.example", "", "Location is not a URL"},
		{other.URL + "/session/1", "", "session at " + other.URL + ": not a trusted origin"},
	} {
		t.Run(test.location, func(t *testing.T) {
			s := serve(t, nil)
			self, _ := url.Parse(s.URL)
			location := strings.NewReplacer("SELFHOST", self.Host, "SELF", s.URL).Replace(test.location)
			s.on("POST /whip/a", answers(201, answer, "Content-Type", typeSDP, "Location", location))
			session, err := newClient(t, s).Publish(t.Context(), offer)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := session.Delete(t.Context()); err != nil {
				t.Error(err)
			}
			if strings.Contains(session.URL(), "secret") {
				t.Errorf("shown as %s", session.URL())
			}
			del := s.got("DELETE")
			if len(del) != 1 || strings.TrimSuffix(del[0].path+"?"+del[0].query, "?") != test.want {
				t.Errorf("deleted %v, want %s", del, test.want)
			}
		})
	}
	if len(other.got("")) != 0 {
		t.Errorf("the other origin was asked: %v", other.got(""))
	}
}

func TestLinksOfTheSession(t *testing.T) {
	const rel = "urn:bril:session"
	s := serve(t, script{
		"POST /whip/a": created("Link", `</session/1/events?key=1>; rel="other `+rel+`"`,
			"Link", `<https://elsewhere.example/>; rel=far`, "Link", `<:>; rel=broken`),
		"GET /session/1/events": answers(200, `{"viewers":2}`),
	})
	session := publish(t, newClient(t, s))
	if body, err := session.Fetch(t.Context(), "none"); err != nil || body != nil {
		t.Errorf("a link that is not there: %q, %v", body, err)
	}
	if _, err := session.Fetch(t.Context(), "far"); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "https") {
		t.Errorf("a link elsewhere: %v", err)
	}
	if _, err := session.Fetch(t.Context(), "broken"); err == nil {
		t.Error("a broken link is no error")
	}
	body, err := session.Fetch(t.Context(), rel)
	if err != nil || string(body) != `{"viewers":2}` {
		t.Errorf("fetched %q, %v", body, err)
	}
	for rel, want := range map[string]string{rel: "/session/1/events", "far": "", "broken": "", "none": ""} {
		if path := session.LinkPath(rel); path != want {
			t.Errorf("link %s leads to %q, want %q", rel, path, want)
		}
	}
	if get := s.got("GET"); len(get) != 1 || get[0].header.Get("Authorization") != "Bearer "+token {
		t.Errorf("asked with %v", get)
	}
	if body, err := session.Fetch(t.Context(), "none"); body != nil || err != nil {
		t.Errorf("fetched what is not there: %q, %v", body, err)
	}
	if _, err := session.Fetch(t.Context(), "far"); !errors.Is(err, ErrUntrusted) {
		t.Errorf("fetched elsewhere: %v", err)
	}
}

func TestFetchGone(t *testing.T) {
	s := serve(t, script{"POST /whip/a": created("Link", "</gone>; rel=x")})
	if _, err := publish(t, newClient(t, s)).Fetch(t.Context(), "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestPut(t *testing.T) {
	s := serve(t, script{"POST /whip/a": created("Link", "</state>; rel=x"), "PUT /state": answers(204, "")})
	session := publish(t, newClient(t, s))
	for _, rel := range []string{"x", "none"} {
		if err := session.Put(t.Context(), rel, `{"state":"paused"}`); err != nil {
			t.Errorf("%s: %v", rel, err)
		}
	}
	got := s.got("PUT")
	if len(got) != 1 || got[0].body != `{"state":"paused"}` || got[0].header.Get("Content-Type") != "application/json" ||
		got[0].header.Get("Authorization") == "" {
		t.Errorf("got %+v", got)
	}
}

func TestNoTokenNoHeader(t *testing.T) {
	s := serve(t, script{"POST /whip/a": created(), "DELETE /session/1": answers(200, "")})
	c := newClient(t, s, func(cfg *Config) { cfg.Token = Secret{}; cfg.UserAgent = "bril/1.2" })
	if err := publish(t, c).Delete(t.Context()); err != nil {
		t.Error(err)
	}
	for _, r := range s.got("") {
		if _, found := r.header["Authorization"]; found || r.header.Get("User-Agent") != "bril/1.2" {
			t.Errorf("%s with %v", r.method, r.header)
		}
	}
}
