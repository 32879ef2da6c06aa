package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/uplink/spool"
)

func TestRefused(t *testing.T) {
	problem := []string{"Content-Type", "application/problem+json"}
	for _, test := range []struct {
		name   string
		script answer
		why    string
	}{
		{"receipt", answer{"GET", status(422, `{"state":"refused","reason":"not encrypted to\u001b this endpoint"}`)}, "not encrypted to this endpoint"},
		{"receipt without a reason", answer{"GET", status(422, "")}, "422 Unprocessable Entity: refused"},
		{"create", answer{"POST", status(413, `{"detail":"at most 64 MiB"}`, problem...)}, "at most 64 MiB"},
		{"patch", answer{"PATCH", status(422, `{"title":"no"}`, problem...)}, "no"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEndpoint(test.script)
			inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
				o.put("bad", 10)
				good := o.put("good", 10)
				synctest.Wait()
				if _, refused := o.shown("bad"); !strings.HasSuffix(refused, test.why) {
					t.Errorf("refused for %q, want %q", refused, test.why)
				}
				if err := e.has(good); err != nil || u.Status().Err != nil {
					t.Errorf("the other one: %v; status %+v", err, u.Status())
				}
			})
		})
	}
}

// An item that always fails does not hold up the others, whatever it fails by.
func TestFailingItemStepsBehind(t *testing.T) {
	for _, code := range []int{400, 409, 423, 500} {
		e := newEndpoint(answer{"*", func(e *endpoint, w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/bad") {
				w.WriteHeader(code)
				return
			}
			e.serve(w, r)
		}})
		inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
			o.put("bad", 10)
			items := []spool.Entry{o.put("a", 10), o.put("b", 20), o.put("c", 30)}
			time.Sleep(firstWait)
			synctest.Wait()
			for _, item := range items {
				if err := e.has(item); err != nil {
					t.Errorf("%d: %v", code, err)
				}
			}
			time.Sleep(time.Hour)
			most := map[int]int{400: 40, 500: 40, 409: 40 * (1 + maxCorrections), 423: 3600 / 4}[code]
			if n := e.seen("HEAD"); n > most {
				t.Errorf("%d: asked %d times in an hour", code, n)
			}
			if problem, _ := o.shown("bad"); problem == "" {
				t.Errorf("%d: nothing is shown", code)
			}
		})
	}
}

// An endpoint that is away for days is asked at most once in 2.5 minutes, and
// at once when the uploader is woken.
func TestAwayForDays(t *testing.T) {
	e := newEndpoint()
	var away atomic.Bool
	away.Store(true)
	e.script = []answer{{"*", func(e *endpoint, w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
		e.serve(w, r)
	}}}
	inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
		for _, id := range []string{"a", "b", "c"} {
			o.put(id, 100)
		}
		time.Sleep(24 * time.Hour)
		if n := e.seen("GET"); n < 24*12 || n > 24*24+20 {
			t.Errorf("asked %d times in a day", n)
		}
		if s := u.Status(); s.State != Waiting || s.Err == nil || s.Retry.Before(time.Now()) {
			t.Errorf("status %+v", s)
		}
		away.Store(false)
		u.Wake()
		synctest.Wait()
		if len(o.done()) != 3 || u.Status().State != Idle {
			t.Errorf("acknowledged %v, status %+v", o.done(), u.Status())
		}
	})
}

func TestWakeDuringATryLeavesOutTheWait(t *testing.T) {
	e := newEndpoint(answer{"GET", hang})
	inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
		o.put("item", 10)
		synctest.Wait()
		if s := u.Status(); s.State != Sending || s.Item != "item" || s.Bytes != 10 {
			t.Errorf("status %+v", s)
		}
		u.Wake()
		u.Wake()
		time.Sleep(askTimeout)
		synctest.Wait()
		if len(o.done()) != 1 {
			t.Error("the try after the failed one has waited")
		}
	})
}

// A lost acknowledgement costs a question, not a second upload.
func TestAlreadyStored(t *testing.T) {
	e := newEndpoint()
	inBubble(t, e, func(t *testing.T, _ *Uploader, o *outbox) {
		e.mu.Lock()
		e.stored["item"] = content("item", 100)
		e.mu.Unlock()
		o.put("item", 100)
		synctest.Wait()
		if len(o.done()) != 1 || e.seen("POST")+e.seen("PATCH")+e.seen("HEAD") != 0 {
			t.Errorf("acknowledged %v after %v", o.done(), e.requests)
		}
	})
}

// The endpoint works for minutes on what it got: it is asked less and less
// often, nothing is sent again and nothing is a problem.
func TestProcessing(t *testing.T) {
	e := newEndpoint(slices.Repeat([]answer{{"GET", status(202, `{"state":"processing"}`)}}, 6)...)
	inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
		o.put("item", 100)
		e.mu.Lock()
		e.stored["item"] = content("item", 100)
		e.mu.Unlock()
		start := time.Now()
		for len(o.done()) == 0 {
			if s := u.Status(); s.Err != nil {
				t.Fatalf("status %+v", s)
			}
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if took := time.Since(start); took < 31*time.Second || took > 64*time.Second {
			t.Errorf("six questions took %v", took)
		}
		if e.seen("PATCH") != 0 {
			t.Error("it was sent again")
		}
	})
}

// A cut connection goes on at the offset that HEAD tells, and before others.
func TestResumes(t *testing.T) {
	e := newEndpoint()
	cuts := 5
	e.script = []answer{{"*", func(e *endpoint, w http.ResponseWriter, r *http.Request) {
		// Every second piece.
		if r.Method == "PATCH" && r.Header.Get("Upload-Offset") != "0" && cuts > 0 && e.seen("PATCH")%2 == 0 {
			cuts--
			cut(e, w, r)
		}
		e.serve(w, r)
	}}}
	inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
		large, small := o.put("large", 7*pieceSize), o.put("small", 10)
		time.Sleep(6 * time.Second) // each cut is the first failure after progress
		for _, item := range []spool.Entry{large, small} {
			if err := e.has(item); err != nil {
				t.Error(err)
			}
		}
		if got := o.done(); !slices.Equal(got, []string{"large", "small"}) {
			t.Errorf("acknowledged %v", got)
		}
		if cuts != 0 || e.seen("POST") != 2 {
			t.Errorf("%d cuts are left, %d created", cuts, e.seen("POST"))
		}
	})
}

// A link that never carries a whole piece is progress all the same.
func TestResumesWithinAPiece(t *testing.T) {
	e := newEndpoint(slices.Repeat([]answer{{"PATCH", cut}}, 20)...)
	inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
		item := o.put("item", pieceSize)
		time.Sleep(25 * time.Second)
		if err := e.has(item); err != nil {
			t.Error(err)
		}
	})
}

// The offset goes back between two pieces, as after a crash of the endpoint
// that lost what it had confirmed: begun anew.
func TestBackwards(t *testing.T) {
	e := newEndpoint()
	back := true
	e.script = []answer{{"*", func(e *endpoint, w http.ResponseWriter, r *http.Request) {
		if r.Method == "PATCH" && r.Header.Get("Upload-Offset") != "0" && back {
			back = false
			w.Header().Set("Tus-Resumable", "1.0.0")
			w.Header().Set("Upload-Offset", "17")
			w.WriteHeader(204)
			return
		}
		e.serve(w, r)
	}}}
	inBubble(t, e, func(t *testing.T, _ *Uploader, o *outbox) {
		item := o.put("item", 3*pieceSize)
		synctest.Wait()
		if err := e.has(item); err != nil {
			t.Error(err)
		}
		if e.seen("DELETE") != 1 || e.seen("POST") != 2 {
			t.Errorf("requests %v", e.requests)
		}
	})
}

// Below the limit, and a new limit counts within a second.
func TestLimit(t *testing.T) {
	var limit atomic.Int64
	limit.Store(100_000)
	e := newEndpoint()
	var got atomic.Int64
	e.body = func(p []byte) { got.Add(int64(len(p))) }
	inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
		item := o.put("item", 3*pieceSize)
		measure := func(want int64) {
			t.Helper()
			time.Sleep(time.Second) // for the change
			before := got.Load()
			time.Sleep(2 * time.Second)
			if rate := (got.Load() - before) / 2; rate > want*11/10 || rate < want*8/10 {
				t.Errorf("%d bytes a second below a limit of %d", rate, want)
			}
		}
		measure(100_000)
		limit.Store(5_000)
		measure(5_000)
		limit.Store(100) // slower than a stall, were it one
		time.Sleep(2 * stallTimeout)
		measure(100)
		limit.Store(300_000)
		measure(300_000)
		limit.Store(0)
		time.Sleep(time.Second)
		synctest.Wait()
		if err := e.has(item); err != nil {
			t.Error(err)
		}
	}, func(cfg *Config) { cfg.Limit = limit.Load })
}

// What is to be shown does not wait for the end of a clip, which goes on where it
// was.
func TestAnotherItemFirst(t *testing.T) {
	e := newEndpoint()
	inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
		clip := o.put("clip", 4<<20)
		time.Sleep(5 * time.Second)
		photo := o.put("photo", 60_000)
		o.mu.Lock()
		o.items[1].first = true
		o.mu.Unlock()
		time.Sleep(2500 * time.Millisecond) // a piece of a second, and 0.6 s for the photo
		synctest.Wait()
		if err := e.has(photo); err != nil {
			t.Error(err)
		}
		if s := u.Status(); s.Err != nil || s.Item != "clip" {
			t.Errorf("status %+v", s)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := e.has(clip); err != nil || e.seen("POST") != 2 {
			t.Errorf("%v, created %d times", err, e.seen("POST"))
		}
		if _, sent := o.shown("clip"); sent != "" {
			t.Errorf("refused: %s", sent)
		}
	}, func(cfg *Config) { cfg.Limit = func() int64 { return 100_000 } })
}

// A receipt that comes a moment after the last byte is waited for, before others
// are sent.
func TestReceiptIsAwaited(t *testing.T) {
	e := newEndpoint(append([]answer{{"GET", status(404, "")}}, slices.Repeat([]answer{{"GET", status(202, `{"state":"processing"}`)}}, 4)...)...)
	inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
		first := o.put("first", 100)
		o.put("second", 100)
		time.Sleep(time.Second)
		synctest.Wait()
		if done := o.done(); len(done) != 2 || done[0] != first.ID {
			t.Errorf("acknowledged %q", done)
		}
	})
}

// Faults of this machine are shown, wait longer and longer, and lose nothing.
func TestLocalFaults(t *testing.T) {
	fault := errors.New("input/output error")
	for _, test := range []struct {
		name   string
		damage func(*outbox)
		mend   func(*outbox)
		text   string
	}{
		{"unreadable", func(o *outbox) {
			o.read = func(r *bytes.Reader) io.ReadSeeker { return failing{r, fault} }
		}, func(o *outbox) { o.read = nil }, "read item for upload " + base + "item: input/output error"},
		{"cut short", func(o *outbox) {
			o.read = func(r *bytes.Reader) io.ReadSeeker { return io.NewSectionReader(r, 0, 100) }
		}, func(o *outbox) { o.read = nil }, "item: unexpected EOF"},
		{"read-only", func(o *outbox) { o.broken = fault }, func(o *outbox) { o.broken = nil }, "put item item aside: input/output error"},
		{"the spool is gone", func(o *outbox) { o.nextErr = fault }, func(o *outbox) {
			o.nextErr = nil
			o.wake()
		}, "input/output error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEndpoint()
			inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
				o.mu.Lock()
				test.damage(o)
				o.mu.Unlock()
				item := o.put("item", 5000)
				o.mu.Lock()
				o.wake()
				o.mu.Unlock()
				u.Wake()
				time.Sleep(6 * time.Hour)
				if s := u.Status(); s.Err == nil || !strings.Contains(s.Err.Error(), test.text) {
					t.Errorf("status %+v, want %q", s, test.text)
				}
				if n := e.seen("GET"); n > 6*24*2+40 {
					t.Errorf("asked %d times in six hours", n)
				}
				o.mu.Lock()
				test.mend(o)
				o.mu.Unlock()
				time.Sleep(longWait)
				synctest.Wait()
				if err := e.has(item); err != nil || len(o.done()) != 1 {
					t.Errorf("%v, acknowledged %v, %+v", err, o.done(), u.Status())
				}
			})
		})
	}
}

type failing struct {
	io.ReadSeeker
	err error
}

func (f failing) Read(p []byte) (int, error) { return 0, f.err }

func TestItemIsGone(t *testing.T) {
	e := newEndpoint(answer{"POST", status(423, "")})
	inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
		o.put("item", 10)
		synctest.Wait()
		_ = o.change("item", func(*stored) bool { return false })
		time.Sleep(soonWait)
		if s := u.Status(); s.State != Idle || s.Err != nil {
			t.Errorf("status %+v", s)
		}
	})
}

// An item that is dropped while it is sent is sent no further than its piece.
func TestDroppedInTheMiddle(t *testing.T) {
	e := newEndpoint()
	inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
		e.body = func([]byte) { _ = o.change("item", func(*stored) bool { return false }) }
		o.put("item", 3*pieceSize)
		time.Sleep(firstWait)
		synctest.Wait()
		if e.seen("PATCH") != 1 || len(o.done()) != 0 || u.Status().State != Idle {
			t.Errorf("%d pieces, %+v", e.seen("PATCH"), u.Status())
		}
	})
}

func TestStopsInTheMiddle(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST", "PATCH"} {
		e := newEndpoint(answer{method, hang})
		inBubble(t, e, func(t *testing.T, _ *Uploader, o *outbox) {
			o.put("item", 3*pieceSize)
			time.Sleep(2 * continueTimeout)
			if problem, _ := o.shown("item"); problem != "" || e.seen(method) != 1 {
				t.Errorf("%s: %q", method, problem)
			}
		}) // which checks that Run returns
	}
}

func TestClosedSpoolEndsRun(t *testing.T) {
	o := newOutbox()
	o.nextErr = os.ErrClosed
	u, err := New(Config{Spool: o, URL: base})
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Run(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestNewChecksItsConfiguration(t *testing.T) {
	for url, want := range map[string]string{
		"":                          "upload.url: must start with https://",
		"http://10.0.0.1/uploads":   "upload.url: http to 10.0.0.1 would show token",
		"https://a.example/uploads": "",
	} {
		_, err := New(Config{URL: url, TrustedOrigins: []string{"turn:b.example"}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestURLs(t *testing.T) {
	for _, url := range []string{"https://a.example/api/uploads", "https://a.example/api/uploads/", "https://a.example/api/uploads?key=1"} {
		u, err := New(Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		if got := u.client.at("item", "receipt"); got.Path != "/api/uploads/item/receipt" || (got.RawQuery != "") != strings.Contains(url, "?") {
			t.Errorf("%s: %s", url, got)
		}
	}
}

// An error is over once something gets on, not only when an item is through.
func TestErrorIsOverWhenItGetsOn(t *testing.T) {
	e := newEndpoint(answer{"HEAD", status(503, "")})
	inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
		o.put("clip", 4<<20)
		synctest.Wait()
		if u.Status().Err == nil {
			t.Fatal("no error of a busy endpoint")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := u.Status(); s.State != Sending || s.Sent == 0 || s.Err != nil {
			t.Errorf("status %+v", s)
		}
	}, func(cfg *Config) { cfg.Limit = func() int64 { return 100_000 } })
}
