package upload

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"github.com/bril-edge/bril/uplink/origin"
	"github.com/bril-edge/bril/uplink/spool"
)

func FuzzReceipt(f *testing.F) {
	f.Add(200, []byte(`{"schema_version":1,"id":"item","sha256":"00","state":"stored"}`))
	f.Add(202, []byte(`{"state":"processing"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r, err := parseReceipt(status, body, "item")
		if err != nil {
			return
		}
		switch r.State {
		case stateStored:
			if status != 200 || r.ID != "item" {
				t.Fatalf("%+v of %d", r, status)
			}
		case stateProcessing, stateReceiving:
			if status != 202 || r.SHA256 != "" {
				t.Fatalf("%+v of %d", r, status)
			}
		default:
			t.Fatalf("state %q", r.State)
		}
	})
}

// FuzzAnswer gives each request the same bytes as its answer, header and all.
func FuzzAnswer(f *testing.F) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 70\r\nUpload-Length: 100\r\n\r\n",
		"HTTP/1.1 204 No Content\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 201 Created\r\nTus-Resumable: 1.0.0\r\nLocation: /api/uploads/item\r\n\r\n",
		"HTTP/1.1 507 Insufficient Storage\r\nContent-Type: application/problem+json\r\nRetry-After: 7\r\n\r\n{\"title\":\"full\"}",
		"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://a.example/\r\n\r\n",
	} {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		asked := 0
		asker, err := origin.New(origin.Config{URL: base, Key: keyURL, Foreign: ErrNotTus, Token: origin.NewSecret(token),
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				asked++
				if origin.Of(r.URL) != "http://127.0.0.1" {
					t.Fatalf("asked %s", r.URL)
				}
				if r.Body != nil {
					defer r.Body.Close()
					if n, err := io.Copy(io.Discard, r.Body); n != 30 || err != nil {
						t.Fatalf("a body of %d bytes, %v", n, err)
					}
				}
				return http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), r)
			})})
		if err != nil {
			t.Fatal(err)
		}
		c := client{asker, func() string { return "" }}
		item := spool.Entry{ID: "item", Bytes: 100}
		if offset, err := c.head(t.Context(), item); err != nil {
			checkError(t, err)
		} else if offset < 0 || offset > 100 {
			t.Fatalf("offset %d", offset)
		}
		p := &piece{file: bytes.NewReader(make([]byte, 100)), start: 70, length: 30, pace: &pace{limit: func() int64 { return 0 }}}
		if after, err := c.patch(t.Context(), item, 70, p); err != nil {
			checkError(t, err)
		} else if after <= 70 || after > 100 {
			t.Fatalf("from 70 to %d", after)
		}
		if err := c.create(t.Context(), item); err != nil {
			checkError(t, err)
		}
		if r, err := c.receipt(context.Background(), item); err != nil {
			checkError(t, err)
		} else if r.State == stateStored && r.ID != "item" {
			t.Fatalf("%+v", r)
		}
		if asked > 4*6 {
			t.Fatalf("asked %d times", asked)
		}
	})
}

// checkError holds an error to what it is for: one printable line without the
// token, and a wait that ends.
func checkError(t *testing.T, err error) {
	t.Helper()
	h := newHistory()
	if wait := h.wait("item", err, judge(err)); wait < firstWait/2 || wait > longWait*11/10 {
		t.Fatalf("%v: wait %v", err, wait)
	}
	text := reason(err) + origin.Hint(err)
	if len(text) > 3000 || strings.Contains(text, token) {
		t.Fatalf("shown: %q", text)
	}
	var e *origin.Error
	if errors.As(err, &e) && strings.ContainsFunc(e.Problem.String(), unicode.IsControl) {
		t.Fatalf("shown: %q", text)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
