package calls

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bril-edge/bril/uplink/origin"
)

func TestAnswerAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		code := 204
		s := &server{serve: func(int, *http.Request, *io.PipeWriter) *http.Response { return status(code) }}
		c, err := New(Config{URL: "https://cloud.example/api/glasses/anna/events", Token: origin.NewSecret("s3cret"), Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		must := func(err, want error) {
			t.Helper()
			if !errors.Is(err, want) || (err != nil) != (want != nil) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		must(c.Answer(t.Context(), conversation, true), nil)
		must(c.Answer(t.Context(), conversation, false), nil)
		must(c.End(t.Context(), conversation), nil)
		for i, want := range []string{
			`/api/glasses/anna/answer {"answer":"accept",` + quoted + `}`,
			`/api/glasses/anna/answer {"answer":"decline",` + quoted + `}`,
			`/api/glasses/anna/end {` + quoted + `}`,
		} {
			q := s.requests[i]
			if got := q.URL.Path + " " + s.bodies[i]; got != want || q.Method != "POST" || q.Header.Get("Authorization") != "Bearer s3cret" {
				t.Errorf("%s %s, want %s", q.Method, got, want)
			}
		}
		for status, want := range map[int]error{409: ErrGone, 410: ErrGone, 401: ErrUnauthorized, 404: ErrAbsent, 503: ErrBusy, 500: errUnexpected} {
			code = status
			must(c.Answer(t.Context(), conversation, true), want)
		}
		code = 409
		must(c.End(t.Context(), conversation), nil)
	})
}

func TestNew(t *testing.T) {
	for url, want := range map[string]string{
		"":                           "calls.events_url",
		"http://cloud.example/e":     "use https",
		"https://me:pw@cloud.test/e": "calls.events_url",
	} {
		if _, err := New(Config{URL: url}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: %v, want %q", url, err, want)
		}
	}
}
