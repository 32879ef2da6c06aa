package whip

import (
	"strings"
	"testing"
)

func TestSession(t *testing.T) {
	s := serve(t, script{
		"POST /whip/a":      created(),
		"PATCH /session/1":  answers(204, ""),
		"DELETE /session/1": answers(200, ""),
	})
	session := publish(t, newClient(t, s))
	if session.Answer() != answer || session.URL() != s.URL+"/session/1" {
		t.Errorf("session %s with answer %q", session.URL(), session.Answer())
	}
	f := Fragment{Media: "audio 9 UDP/TLS/RTP/SAVPF 111", Mid: "0", Ufrag: "EsAw", Pwd: strings.Repeat("p", 22), End: true}
	if err := session.Trickle(t.Context(), f); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := session.Delete(t.Context()); err != nil {
			t.Error(err)
		}
	}
	post, patch, del := s.got("POST"), s.got("PATCH"), s.got("DELETE")
	if len(post) != 1 || len(patch) != 1 || len(del) != 1 {
		t.Fatalf("%d POST, %d PATCH and %d DELETE, want one of each", len(post), len(patch), len(del))
	}
	if post[0].body != offer || post[0].header.Get("Content-Type") != "application/sdp" {
		t.Errorf("POST of %q as %s", post[0].body, post[0].header.Get("Content-Type"))
	}
	if h := patch[0].header; h.Get("If-Match") != `"one"` || h.Get("Content-Type") != "application/trickle-ice-sdpfrag" || patch[0].body != f.String() {
		t.Errorf("PATCH of %q with %v", patch[0].body, h)
	}
	for _, r := range []seen{post[0], patch[0], del[0]} {
		if r.header.Get("Authorization") != "Bearer "+token || r.header.Get("Accept-Encoding") != "" || r.header.Get("User-Agent") != "bril" {
			t.Errorf("%s with header %v", r.method, r.header)
		}
	}
}
