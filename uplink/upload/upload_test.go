package upload

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
	"github.com/bril-edge/bril/uplink/spool"
)

func TestUpload(t *testing.T) {
	e := newEndpoint()
	inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
		small, large := o.put("small", 1000), o.put("large", 5*pieceSize/2)
		synctest.Wait()
		for _, item := range []spool.Entry{small, large} {
			if err := e.has(item); err != nil {
				t.Error(err)
			}
		}
		if got := o.done(); !slices.Equal(got, []string{"small", "large"}) {
			t.Errorf("acknowledged %v", got)
		}
		if want := []int64{0, 1000, 0, pieceSize, 2 * pieceSize, 5 * pieceSize / 2}; !slices.Equal(o.progress, want) {
			t.Errorf("progress %v, want %v", o.progress, want)
		}
		if s := u.Status(); s.State != Idle || s.Err != nil {
			t.Errorf("status %+v", s)
		}
		for key, want := range map[string]string{"id": "large", "sha256": large.SHA256, "state": "ready", "audit": "head"} {
			if got := decoded(e.metadata, key); got != want {
				t.Errorf("metadata %s is %q, want %q", key, got, want)
			}
		}
	})
}

// status answers a request with a status, a body and pairs of header fields.
func status(code int, body string, header ...string) func(*endpoint, http.ResponseWriter, *http.Request) {
	return func(_ *endpoint, w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

func abort(*endpoint, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func hang(e *endpoint, _ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-e.closed: // one that does not read does not see that the client is gone
	}
}

// cut takes part of a body and closes the connection.
func cut(e *endpoint, _ http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	u := e.uploads[strings.TrimPrefix(r.URL.Path, "/api/uploads/")]
	e.mu.Unlock()
	part := make([]byte, 300)
	n, _ := r.Body.Read(part)
	u.data = append(u.data, part[:n]...)
	panic(http.ErrAbortHandler)
}

// stall takes part of a body and no more.
func stall(e *endpoint, _ http.ResponseWriter, r *http.Request) {
	_, _ = r.Body.Read(make([]byte, 10))
	hang(e, nil, r)
}

// changed is an answer with another status and one more header field.
type changed struct {
	http.ResponseWriter
	code          int
	header, value string
}

func (c changed) WriteHeader(code int) {
	c.Header().Set(c.header, c.value)
	if c.code != 0 {
		code = c.code
	}
	c.ResponseWriter.WriteHeader(code)
}

func (c changed) Write(p []byte) (int, error) { return c.ResponseWriter.Write(p) }

const page = "<!doctype html><title>Hotel</title>"

// Each row is an endpoint that fails in one way and is well after that: what is
// shown, how long the endpoint or the item is left alone, and that the item
// arrives, once.
func TestFailures(t *testing.T) {
	const (
		first = time.Second / 2 // shortest first wait
		long  = longWait / 2
	)
	problem := []string{"Content-Type", "application/problem+json"}
	for _, test := range []struct {
		name     string
		script   []answer
		takes    time.Duration // until it fails
		is       error
		text     string // part of the error; "" when nothing is to be shown
		hint     string
		from, to time.Duration // the wait is within
	}{
		{"receipt 500", []answer{{"GET", status(500, "")}}, 0, nil, "500 Internal Server Error", "", first, 2 * first},
		{"receipt 401", []answer{{"GET", status(401, "")}}, 0, ErrUnauthorized, "401", "check the token in uplink.token_file", long, 2 * long},
		{"receipt 403", []answer{{"GET", status(403, "")}}, 0, ErrUnauthorized, "403", "check the token", long, 2 * long},
		{"receipt a page", []answer{{"GET", status(200, page)}}, 0, ErrNotTus, "it answers a web page", "check upload.url", long, 2 * long},
		{"receipt nonsense", []answer{{"GET", status(200, "ok")}}, 0, ErrNotTus, "not JSON", "check upload.url", long, 2 * long},
		{"receipt of another", []answer{{"GET", status(200, `{"schema_version":1,"id":"other","state":"stored"}`)}}, 0, ErrNotTus, "for another id", "", long, 2 * long},
		{"receipt of other bytes", []answer{{"GET", status(200, `{"schema_version":1,"id":"item","sha256":"00","state":"stored"}`)}}, 0, ErrChecksum, "other bytes", "", first, 2 * first},
		{"receipt redirected away", []answer{{"GET", status(307, "", "Location", "http://127.0.0.2/x")}}, 0, origin.ErrUntrusted, "http://127.0.0.2", `add "http://127.0.0.2" to uplink.trusted_origins`, long, 2 * long},
		{"receipt moved", []answer{{"GET", status(302, "", "Location", "/login")}}, 0, ErrNotTus, "302", "is upload.url the final address?", long, 2 * long},
		{"receipt without an answer", []answer{{"GET", hang}}, askTimeout, nil, "no complete answer within 10s", "", first, 2 * first},
		{"head cut", []answer{{"HEAD", abort}, {"HEAD", abort}}, 0, nil, "EOF", "", first, 2 * first},
		{"head without version", []answer{{"HEAD", status(200, "", "Upload-Offset", "0")}}, 0, ErrNotTus, "without Tus-Resumable", "check upload.url", long, 2 * long},
		{"head of another version", []answer{{"HEAD", status(200, "", "Upload-Offset", "0", "Tus-Resumable", "0.2.2")}}, 0, ErrNotTus, "it speaks tus 0.2.2", "", long, 2 * long},
		{"head without offset", []answer{{"HEAD", status(200, "", "Tus-Resumable", "1.0.0")}}, 0, ErrNotTus, `Upload-Offset "" is no offset`, "", long, 2 * long},
		{"head of negative offset", []answer{{"HEAD", status(200, "", "Tus-Resumable", "1.0.0", "Upload-Offset", "-1")}}, 0, ErrNotTus, `"-1"`, "", long, 2 * long},
		{"head locked", []answer{{"HEAD", status(423, "")}}, 0, ErrLocked, "423 Locked", "", first, 2 * first},
		{"create 404", []answer{{"POST", status(404, "")}}, 0, ErrNotFound, "404", "check the path of upload.url", first, 2 * first},
		{"create 405", []answer{{"POST", status(405, "")}}, 0, ErrNotTus, "405", "check upload.url", long, 2 * long},
		{"create 412", []answer{{"POST", status(412, "", "Tus-Version", "0.2.2,0.2.1")}}, 0, ErrNotTus, "412", "tus 0.2.2,0.2.1", long, 2 * long},
		{"create 429", []answer{{"POST", status(429, "", "Retry-After", "30")}}, 0, ErrBusy, "429", "", 30 * time.Second, 33 * time.Second},
		{"create 503", []answer{{"POST", status(503, "", "Retry-After", "999999")}}, 0, ErrBusy, "503", "", origin.MaxRetryAfter, origin.MaxRetryAfter * 11 / 10},
		{"create 507", []answer{{"POST", status(507, `{"title":"disk full","detail":"0 bytes free"}`, problem...)}}, 0, ErrFull, "disk full: 0 bytes free", "", first, 2 * first},
		{"create 502 page", []answer{{"POST", status(502, page, "Content-Type", "text/html")}}, 0, nil, "502 Bad Gateway", "", first, 2 * first},
		{"create a page", []answer{{"POST", status(200, page, "Content-Type", "text/html")}}, 0, ErrNotTus, "web page", "", long, 2 * long},
		{"create 413 of a proxy", []answer{{"POST", status(413, page, "Content-Type", "text/html")}}, 0, ErrNotTus, "413", "a proxy in front", long, 2 * long},
		{"create with an id of its own", []answer{{"POST", status(201, "", "Tus-Resumable", "1.0.0", "Location", "/api/uploads/abc")}}, 0, ErrNotTus, "an id of its own", "", long, 2 * long},
		{"create without Location", []answer{{"POST", status(201, "", "Tus-Resumable", "1.0.0")}}, 0, ErrNotTus, "no Location", "", long, 2 * long},
		{"create with the token echoed", []answer{{"POST", status(500, `{"detail":"bad `+token+`"}`, problem...)}}, 0, nil, "bad [secret]", "", first, 2 * first},
		{"create 400", []answer{{"POST", status(400, "who?", "Content-Type", "text/plain")}}, 0, errUnexpected, "400 Bad Request: not the status that tus 1.0 asks for: who?", "", first, 2 * first},
		{"create 409, it is there", []answer{{"POST", func(e *endpoint, w http.ResponseWriter, r *http.Request) {
			e.serve(changed{w, 409, "X", "y"}, r)
		}}}, 0, nil, "", "", 0, 0},
		{"patch locked", []answer{{"PATCH", status(423, "")}}, 0, ErrLocked, "locked by an earlier connection", "", first, 2 * first},
		{"patch at a wrong offset", []answer{{"PATCH", status(409, "")}}, 0, nil, "", "", 0, 0},
		{"patch with a wrong checksum", []answer{{"PATCH", status(460, "")}}, 0, nil, "", "", 0, 0},
		{"patch at a wrong offset for ever", slices.Repeat([]answer{{"PATCH", status(409, "")}}, 1+maxCorrections), 0, errOffset, "409", "", first, 2 * first},
		{"patch gone", []answer{{"PATCH", func(e *endpoint, w http.ResponseWriter, _ *http.Request) {
			e.mu.Lock()
			clear(e.uploads)
			e.mu.Unlock()
			w.WriteHeader(410)
		}}}, 0, nil, "", "", 0, 0},
		{"patch 500", []answer{{"PATCH", status(500, "")}}, 0, nil, "500", "", first, 2 * first},
		{"patch 507", []answer{{"PATCH", status(507, "", "Retry-After", "60")}}, 0, ErrFull, "the endpoint's disk is full", "", time.Minute, 66 * time.Second},
		{"patch cut", []answer{{"PATCH", cut}}, 0, nil, "send to upload", "", first, 2 * first},
		{"patch stalled", []answer{{"PATCH", stall}}, stallTimeout, ErrStalled, "no progress for 30s", "", first, 2 * first},
		{"patch without an answer", []answer{{"PATCH", hang}}, continueTimeout + stallTimeout, ErrStalled, "no progress", "", first, 2 * first},
		{"patch that takes nothing", []answer{{"PATCH", status(204, "", "Tus-Resumable", "1.0.0", "Upload-Offset", "0")}}, 0, nil, "", "", 0, 0},
		{"receipt late", []answer{{"GET", status(404, "")}, {"GET", status(202, `{"state":"processing"}`)}}, receiptFirst, nil, "", "", 0, 0},
		{"receipt missing", []answer{{"GET", status(404, "")}, {"GET", status(404, "")}}, 0, errGone, "no receipt for it", "", first, 2 * first},
		// The endpoint contradicts itself: shown in the log, and begun anew at once.
		{"head beyond the end", []answer{{"HEAD", status(200, "", "Tus-Resumable", "1.0.0", "Upload-Offset", "99999")}}, 0, nil, "", "", 0, 0},
		{"head of another length", []answer{{"HEAD", status(200, "", "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Upload-Length", "7")}}, 0, nil, "", "", 0, 0},
		{"patch beyond the end", []answer{{"PATCH", status(204, "", "Tus-Resumable", "1.0.0", "Upload-Offset", "99999")}}, 0, nil, "", "", 0, 0},
		{"nonsense for ever", slices.Repeat([]answer{{"PATCH", status(204, "", "Tus-Resumable", "1.0.0", "Upload-Offset", "99999")}}, 1+maxCorrections), 0, ErrNonsense, "contradicts itself", "", first, 2 * first},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEndpoint(test.script...)
			inBubble(t, e, func(t *testing.T, u *Uploader, o *outbox) {
				item := o.put("item", 3000)
				time.Sleep(test.takes)
				synctest.Wait()
				s := u.Status()
				if test.is != nil && !errors.Is(s.Err, test.is) || test.text == "" && s.Err != nil || s.Err != nil && !strings.Contains(s.Err.Error(), test.text) {
					t.Errorf("shown: %v, want %v saying %q", s.Err, test.is, test.text)
				}
				if test.text != "" && s.Err == nil {
					t.Fatalf("nothing is shown, want %q", test.text)
				}
				if test.text != "" && (problemOf(o) != s.Err.Error() || strings.Contains(problemOf(o), token)) {
					t.Errorf("the spool shows %q", problemOf(o))
				}
				if hint := origin.Hint(s.Err); !strings.Contains(hint, test.hint) {
					t.Errorf("hint %q, want %q", hint, test.hint)
				}
				if test.to > 0 {
					if wait := s.Retry.Sub(s.Since); s.State != Waiting || wait < test.from || wait >= test.to {
						t.Errorf("%s for %v, want %v to %v", s.State, wait, test.from, test.to)
					}
				}
				time.Sleep(test.to)
				if err := e.has(item); err != nil {
					t.Error(err)
				}
				if s := u.Status(); s.State != Idle || s.Err != nil || len(o.done()) != 1 {
					t.Errorf("in the end %+v, acknowledged %v", s, o.done())
				}
			})
		})
	}
}

func problemOf(o *outbox) string {
	problem, _ := o.shown("item")
	return problem
}
