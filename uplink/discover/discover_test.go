package discover

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/bril-edge/bril/uplink/origin"
)

const (
	alice = "age1c7zkn4agd6t9ysegxjfe7xzw7vpdfypvfkr4y8n68wce4ckn99sqnz6tt9"
	bob   = "age1pq30sseanykq4qwq73nurypcklpsgttfrxsskj9uk9lqf0kxrgwskyjn7z"
)

// endpoint tells what its test wants, with SELF for its own origin.
type endpoint struct {
	*httptest.Server

	mu      sync.Mutex
	asked   []string
	answer  string
	handler http.HandlerFunc // instead of the answer
}

// set changes the answer.
func (e *endpoint) set(answer string, handler http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer, e.handler = answer, handler
}

// got returns the requests so far.
func (e *endpoint) got() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

func serve(t *testing.T, answer string) *endpoint {
	t.Helper()
	e := &endpoint{answer: answer}
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		e.asked = append(e.asked, r.Method+" "+r.URL.Path)
		answer, handler := e.answer, e.handler
		e.mu.Unlock()
		if r.Header.Get("Authorization") != "" {
			t.Error("the token was sent")
		}
		if handler != nil {
			handler(w, r)
			return
		}
		io.WriteString(w, strings.ReplaceAll(answer, "SELF", "http://"+r.Host))
	}))
	e.Config.ErrorLog = log.New(io.Discard, "", 0)
	e.Start()
	t.Cleanup(e.Close)
	return e
}

func telling(recipient string) string {
	return fmt.Sprintf(`{"schema_version":1,"whip":"SELF/whip/{name}","uploads":"SELF/api/uploads/","recipient":%q}`, recipient)
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return origin.Hint(err)
}

func TestFind(t *testing.T) {
	for _, state := range []string{"", t.TempDir()} {
		e := serve(t, telling(alice))
		found, err := Find(t.Context(), Config{WHIPURL: e.URL + "/whip/demo?key=1", StateDir: state})
		if err != nil || found.Uploads != e.URL+"/api/uploads/" || found.Recipient.String() != alice {
			t.Errorf("found %+v, %v", found, err)
		}
		if got := e.got(); len(got) != 1 || got[0] != "GET /.well-known/bril" {
			t.Errorf("asked %v", got)
		}
	}
}

func TestOnlyLiteralLoopbackIsAsked(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.8.9.10": true, "[::1]": true,
		"localhost": false, "LOCALHOST.": false, "a.localhost": false, "[::ffff:127.0.0.1]": false, "[::1%25lo]": false,
		"128.0.0.1": false, "10.0.0.1": false, "127.1": false, "2130706433": false, "0x7f000001": false, "0.0.0.0": false, "[::]": false,
		"127.0.0.1.example": false, "bril.example": false, "127.0.0.1@bril.example": false,
	} {
		for _, scheme := range []string{"http", "https"} {
			asked := false
			_, err := Find(t.Context(), Config{WHIPURL: scheme + "://" + host + "/whip/demo", Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				asked = true
				return nil, io.EOF
			})})
			if asked != want || err == nil {
				t.Errorf("%s://%s: asked %v, %v", scheme, host, asked, err)
			}
			if !want && scheme == "https" && !strings.Contains(host, "@") && (!errors.Is(err, ErrNotLoopback) || !strings.Contains(hintOf(err), "upload.url and spool.recipient")) {
				t.Errorf("%s: %v, hint %q", host, err, hintOf(err))
			}
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnswersThatAreNone(t *testing.T) {
	other := serve(t, telling(bob))
	redirect := func(status int, to string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.WriteHeader(status)
		}
	}
	for _, test := range []struct {
		name    string
		answer  string
		handler http.HandlerFunc
		text    string
	}{
		{"redirect elsewhere", "", redirect(307, other.URL+"/.well-known/bril"), "a redirect, and none is followed here"},
		{"redirect within", "", redirect(308, "/other"), "a redirect, and none is followed here"},
		{"found elsewhere", "", redirect(302, other.URL+"/.well-known/bril"), "a redirect"},
		{"not found", "", http.NotFound, "404 Not Found"},
		{"page", "<!doctype html>", nil, "not JSON"},
		{"empty", "", nil, "not JSON"},
		{"of another version", `{"schema_version":2}`, nil, "schema_version 2 is not 1"},
		{"uploads elsewhere", strings.Replace(telling(alice), "SELF/api", other.URL+"/api", 1), nil, "uploads go to " + other.URL},
		{"uploads at another name", strings.Replace(telling(alice), "SELF/api", "http://localhost/api", 1), nil, "uploads go to http://localhost"},
		{"neither", `{"schema_version":1,"whip":"x"}`, nil, "takes no photos and clips"},
		{"no uploads", `{"schema_version":1,"recipient":"` + alice + `"}`, nil, "uploads: must start with https://"},
		{"no recipient", telling(""), nil, `recipient "" is not an X25519 recipient`},
		{"SSH key", telling("ssh-ed25519 AAAA"), nil, "is not an X25519 recipient"},
		{"wrong checksum", telling(alice[:len(alice)-1] + "q"), nil, "is not an X25519 recipient"},
		{"identity", telling("AGE-SECRET-KEY-1QQQ"), nil, "is not an X25519 recipient"},
		{"megabytes", strings.Repeat(" ", 1<<20), nil, "answer too large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			e := serve(t, test.answer)
			e.set(test.answer, test.handler)
			_, err := Find(t.Context(), Config{WHIPURL: e.URL + "/whip/demo", StateDir: dir})
			if err == nil || !strings.Contains(err.Error(), test.text) || !strings.HasPrefix(err.Error(), "ask "+e.URL+"/.well-known/bril: ") {
				t.Errorf("got %v, want %q", err, test.text)
			}
			if _, err := os.Stat(filepath.Join(dir, pinName)); err == nil {
				t.Error("something was pinned")
			}
		})
	}
	if len(other.got()) != 0 {
		t.Errorf("the other origin was asked: %v", other.got())
	}
}

func TestRecipientIsPinned(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, pinName)
	e := serve(t, telling(alice))
	cfg := Config{WHIPURL: e.URL + "/whip/demo", StateDir: dir}
	for range 2 {
		if _, err := Find(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	before, _ := os.ReadFile(path)
	e.set(telling(bob), nil)
	found, err := Find(t.Context(), cfg)
	if !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), path) || !strings.Contains(hintOf(err), "remove "+path) || found.Recipient != nil {
		t.Errorf("another recipient: %+v, %v, hint %q", found, err, hintOf(err))
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Errorf("the pin was changed to %s", after)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if found, err := Find(t.Context(), cfg); err != nil || found.Recipient.String() != bob {
		t.Errorf("after the pin was removed: %+v, %v", found, err)
	}
}

// The endpoint may be away when the agent starts.
func TestPinnedCountsWhileTheEndpointIsAway(t *testing.T) {
	dir := t.TempDir()
	e := serve(t, telling(alice))
	cfg := Config{WHIPURL: e.URL + "/whip/demo", StateDir: dir}
	want, err := Find(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.set("", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if found, err := Find(t.Context(), cfg); err != nil || found.Uploads != want.Uploads || found.Recipient.String() != alice {
		t.Errorf("away: %+v, %v", found, err)
	}
	e.set("", http.NotFound)
	if _, err := Find(t.Context(), cfg); !errors.Is(err, ErrNotBril) {
		t.Errorf("another server: %v", err)
	}
	cfg.WHIPURL = strings.Replace(cfg.WHIPURL, "127.0.0.1", "127.0.0.99", 1)
	e.Close()
	if found, err := Find(t.Context(), cfg); err == nil {
		t.Errorf("away, and pinned of another origin: %+v", found)
	}
}

// The same endpoint at another port has the same key, and is not a new one.
func TestUploadsMayMove(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		e := serve(t, telling(alice))
		found, err := Find(t.Context(), Config{WHIPURL: e.URL + "/whip/demo", StateDir: dir})
		if err != nil || !strings.HasPrefix(found.Uploads, e.URL) {
			t.Errorf("%+v, %v", found, err)
		}
		if kept, err := readPin(dir); err != nil || kept.Uploads != found.Uploads {
			t.Errorf("pinned %+v, %v", kept, err)
		}
	}
}

func TestPinThatCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "cut": `{"schema_version":1,"upl`, "other": `{"schema_version":1,"uploads":"http://127.0.0.1/","recipient":"age1"}`} {
		dir := t.TempDir()
		path := filepath.Join(dir, pinName)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		e := serve(t, telling(alice))
		_, err := Find(t.Context(), Config{WHIPURL: e.URL + "/whip/demo", StateDir: dir})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(hintOf(err), "remove "+path) || len(e.got()) != 0 {
			t.Errorf("%s: %v, hint %q", name, err, hintOf(err))
		}
	}
}

func TestPinThatCannotBeWritten(t *testing.T) {
	e := serve(t, telling(alice))
	found, err := Find(t.Context(), Config{WHIPURL: e.URL + "/whip/demo", StateDir: filepath.Join(t.TempDir(), "missing")})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "pin the endpoint's recipient") || found.Recipient != nil {
		t.Errorf("%+v, %v", found, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(strings.ReplaceAll(telling(alice), "SELF", "http://127.0.0.1:8080")))
	f.Add([]byte(`{"schema_version":1,"uploads":"http://127.0.0.1:8080@a.example/"}`))
	at, err := url.Parse("http://127.0.0.1:8080/whip/demo")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		found, err := parse(body, at)
		if err != nil {
			return
		}
		u, err := url.Parse(found.Uploads)
		if err != nil || u.Host != at.Host || u.Scheme != at.Scheme || u.User != nil {
			t.Fatalf("uploads go to %s", found.Uploads)
		}
		if _, err := age.ParseX25519Recipient(found.Recipient.String()); err != nil {
			t.Fatal(err)
		}
	})
}
