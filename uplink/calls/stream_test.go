package calls

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// all reads a whole stream, and returns what came and the reader after it.
func all(in io.Reader) (list []message, r *reader, alive int, err error) {
	r = newReader(in, "", func() { alive++ })
	for {
		m, err := r.next()
		if err != nil {
			return list, r, alive, err
		}
		list = append(list, m)
	}
}

// The examples of the standard, WHATWG HTML section 9.2.6, and what it says of
// corners.
func TestStream(t *testing.T) {
	one := func(data string) []message { return []message{{"message", data}} }
	tests := []struct {
		name, stream string
		want         []message
		id           string
		retry        time.Duration
	}{
		{"three lines of data", "data: YHOO\ndata: +2\ndata: 10\n\n", one("YHOO\n+2\n10"), "", 0},
		{"ids", ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
			[]message{{"message", "first event"}, {"message", "second event"}, {"message", " third event"}}, "", 0},
		{"lines without data", "data\n\ndata\ndata\n\ndata:", []message{{"message", ""}, {"message", "\n"}}, "", 0},
		{"one space is not of the data", "data:test\n\ndata: test\n\n", []message{{"message", "test"}, {"message", "test"}}, "", 0},
		{"CR", "data: a\rdata: b\r\r", one("a\nb"), "", 0},
		{"CRLF", "event: x\r\ndata: a\r\n\r\n", []message{{"x", "a"}}, "", 0},
		{"all kinds of ends", "data: a\r\ndata: b\ndata: c\r\n\ndata: d\n\r", []message{{"message", "a\nb\nc"}, {"message", "d"}}, "", 0},
		{"a byte order mark", "\xef\xbb\xbfdata: a\n\n", one("a"), "", 0},
		{"only the first", "\n\xef\xbb\xbfdata: a\n\n", nil, "", 0},
		{"an event without data is none", "event: x\nid: 7\n\n", nil, "7", 0},
		{"its type does not stay", "event: x\n\ndata: a\n\n", one("a"), "", 0},
		{"an end within an event", "data: a\n\ndata: b\nid: 2\n", one("a"), "", 0},
		{"an id with NUL", "id: 1\ndata: a\n\nid: 2\x00\ndata: b\n\n", []message{{"message", "a"}, {"message", "b"}}, "1", 0},
		{"an id that no header could carry", "id: 1\x1b\ndata: a\n\n", one("a"), "", 0},
		{"an id too long", "id: " + strings.Repeat("1", maxID+1) + "\ndata: a\n\n", one("a"), "", 0},
		{"retry", "retry: 1500\n\n", nil, "", 1500 * time.Millisecond},
		{"retry of an hour", "retry: 3600000\n", nil, "", maxRetrying},
		{"retry of ages", "retry: 99999999999999999999999999\n", nil, "", maxRetrying},
		{"retry that is none", "retry: 1.5s\n", nil, "", 0},
		{"fields that nobody knows", "dat: a\nDATA: b\n data: c\ndata : d\n\n", nil, "", 0},
		{"a colon in the data", "data: a: b\n\n", one("a: b"), "", 0},
		{"not UTF-8", "data: \xff\xfe\n\n", one("\uFFFD"), "", 0},
		{"nothing", "", nil, "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(test.stream), iotest.OneByteReader(strings.NewReader(test.stream))} {
				list, r, _, err := all(in)
				if !reflect.DeepEqual(list, test.want) || r.id != test.id || r.retry != test.retry || !errors.Is(err, ErrEnded) {
					t.Errorf("got %q, id %q, retry %v, %v; want %q, id %q, retry %v", list, r.id, r.retry, err, test.want, test.id, test.retry)
				}
			}
		})
	}
}

// A line that ends with CR is a line at once: what follows may be a long time coming.
func TestLineEndsWithCR(t *testing.T) {
	in, out := io.Pipe()
	go func() { _, _ = out.Write([]byte("data: a\r\r")) }()
	r := newReader(in, "", func() {})
	if m, err := r.next(); err != nil || m.data != "a" {
		t.Errorf("%q, %v", m, err)
	}
	in.Close()
}

func TestStreamIsBounded(t *testing.T) {
	endless := func(text string) io.Reader { return iotest.TimeoutReader(&repeated{text: text}) }
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			in   io.Reader
			want error
		}{
			"a line without an end":   {&repeated{text: "x"}, ErrTooLarge},
			"data without an end":     {&repeated{text: "data: " + strings.Repeat("x", 1000) + "\n"}, ErrTooLarge},
			"events without an end":   {&repeated{text: "data: {}\n\n"}, ErrFlood},
			"comments without an end": {&repeated{text: ":\n"}, ErrFlood},
			"nothing without an end":  {&repeated{text: "\r"}, ErrFlood},
			"its own error":           {endless(": " + strings.Repeat("x", 200) + "\n"), iotest.ErrTimeout},
		} {
			if _, r, _, err := all(test.in); !errors.Is(err, test.want) || r.data.Cap() > 4*maxEvent {
				t.Errorf("%s: %v with %d bytes kept", name, err, r.data.Cap())
			}
		}
	})
}

// repeated is a text again and again.
type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at]
		r.at = (r.at + 1) % len(r.text)
	}
	return len(p), nil
}

// A hundred events a second for an hour are none too many to follow.
func TestBudgetFlows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		go func() {
			defer out.Close()
			for range 60 * 100 {
				_, _ = out.Write([]byte("id: 12\nevent: customer\ndata: {\"conversation\":\"" + conversation + "\"}\n\n"))
				time.Sleep(20 * time.Millisecond)
			}
		}()
		if list, _, _, err := all(in); len(list) != 6000 || !errors.Is(err, ErrEnded) {
			t.Errorf("%d events, %v", len(list), err)
		}
	})
}

// Whatever a server sends, in whatever pieces, it means the same, is alive as often as
// it says something, and is read to its end or refused.
func FuzzStream(f *testing.F) {
	f.Add([]byte("id: 1\nevent: hello\ndata: {\"conversation\":null}\n\n: still here\n\n"))
	f.Add([]byte("\xef\xbb\xbfdata: a\r\rdata\r\n\r\n\nretry: 10\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) > maxLine {
			stream = stream[:maxLine]
		}
		text := string(stream)
		list, r, alive, err := all(strings.NewReader(text))
		pieces, q, alivePieces, errPieces := all(iotest.OneByteReader(strings.NewReader(text)))
		if !reflect.DeepEqual(list, pieces) || r.id != q.id || r.retry != q.retry || alive != alivePieces || !errors.Is(errPieces, err) {
			t.Fatalf("whole %q, %q, %v; in pieces %q, %q, %v", list, r.id, err, pieces, q.id, errPieces)
		}
		if !errors.Is(err, ErrEnded) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrFlood) {
			t.Fatalf("ends with %v", err)
		}
		for _, m := range list {
			_, _ = parse(m)
			if strings.ContainsAny(m.event, "\r\n") || strings.ContainsRune(m.data, '\r') {
				t.Fatalf("a line end within %q", m)
			}
		}
		if strings.ContainsFunc(r.id, unsendable) || len(r.id) > maxID || r.retry > maxRetrying {
			t.Fatalf("id %q, retry %v", r.id, r.retry)
		}
	})
}
