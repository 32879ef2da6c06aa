package calls

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"time"
)

// The bounds of what a stream may make this client do. A budget of bytes fills up
// by so many a second: that is a hundred events, ten times what two people who talk
// to each other can cause, and a burst is what was missed in a minute.
const (
	maxLine     = 16 << 10  // bytes
	maxEvent    = 64 << 10  // of its data
	maxID       = 256       // of what is sent back in a header
	budget      = 256 << 10 // bytes at once
	budgetFlow  = 16 << 10  // bytes a second
	lineCost    = 32        // beside its bytes
	maxRetrying = 30 * time.Second
)

// message is one event of a stream.
type message struct {
	event string // "message" when the stream does not say
	data  string
}

// reader reads a stream of events (WHATWG HTML, section 9.2.6, Interpreting an
// event stream).
type reader struct {
	in    *bufio.Reader
	alive func() // is called for each event and comment

	first  bool // the next line is the first
	skipLF bool // the last line ended with CR, which may have been half of CRLF
	left   float64
	at     time.Time

	id    string        // of the last event, to resume from
	retry time.Duration // as the endpoint wishes; 0 for no wish

	event string
	data  bytes.Buffer
	some  bool // data has a line, be it an empty one
	newID string
}

func newReader(in io.Reader, id string, alive func()) *reader {
	return &reader{in: bufio.NewReaderSize(in, maxLine), alive: alive, first: true, left: budget, at: time.Now(), id: id, newID: id}
}

// next returns the next event. An event that the end of the stream cuts is none.
func (r *reader) next() (message, error) {
	for {
		line, err := r.line()
		if err != nil {
			return message{}, err
		}
		if err := r.pay(len(line)); err != nil {
			return message{}, err
		}
		if len(line) > 0 {
			if err := r.field(line); err != nil {
				return message{}, err
			}
			continue
		}
		if m, ok := r.dispatch(); ok {
			r.alive()
			return m, nil
		}
	}
}

// pay takes a line from the budget: who sends more than anybody can follow is left.
func (r *reader) pay(bytes int) error {
	now := time.Now()
	r.left = min(budget, r.left+budgetFlow*now.Sub(r.at).Seconds()) - float64(bytes+lineCost)
	r.at = now
	if r.left < 0 {
		return ErrFlood
	}
	return nil
}

// line returns a line without its end, which is CR, LF or both. It is valid until
// the next one.
func (r *reader) line() ([]byte, error) {
	for n := 0; ; {
		// What is there is looked at before more is waited for: after a CR an LF may
		// follow, or nothing for a long time.
		window, err := r.in.Peek(max(n+1, min(r.in.Buffered(), maxLine)))
		if err != nil && len(window) <= n {
			return nil, ended(err)
		}
		if r.skipLF {
			r.skipLF = false
			if window[0] == '\n' {
				r.discard(1)
				continue
			}
		}
		end := bytes.IndexAny(window[n:], "\r\n")
		if end < 0 {
			if n = len(window); n >= maxLine {
				return nil, ErrTooLarge
			}
			continue
		}
		end += n
		line := window[:end]
		r.skipLF = window[end] == '\r'
		r.discard(end + 1)
		if r.first {
			r.first = false
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		return line, nil
	}
}

// discard lets go of what has been seen, which leaves it in place.
func (r *reader) discard(n int) { _, _ = r.in.Discard(n) } // as many are there

func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrEnded
	}
	return err
}

func (r *reader) field(line []byte) error {
	name, value, _ := strings.Cut(strings.ToValidUTF8(string(line), "\uFFFD"), ":")
	value = strings.TrimPrefix(value, " ")
	switch name {
	case "": // a comment
		r.alive()
	case "event":
		r.event = value
	case "data":
		if r.data.Len()+len(value) > maxEvent {
			return ErrTooLarge
		}
		if r.some {
			r.data.WriteByte('\n')
		}
		r.some = true
		r.data.WriteString(value)
	case "id":
		if len(value) <= maxID && !strings.ContainsFunc(value, unsendable) {
			r.newID = value
		}
	case "retry":
		r.retry = retryTime(value)
	}
	return nil
}

// unsendable is what must not be in a header. The standard excludes NUL only.
func unsendable(c rune) bool { return c < ' ' || c == 0x7f }

// retryTime reads digits as milliseconds, and takes longer wishes for less.
func retryTime(value string) time.Duration {
	ms := 0
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0
		}
		ms = min(10*ms+int(c-'0'), int(maxRetrying.Milliseconds()))
	}
	return time.Duration(ms) * time.Millisecond
}

// dispatch ends an event. One without data is none, though its id counts.
func (r *reader) dispatch() (m message, ok bool) {
	r.id = r.newID
	m = message{event: r.event, data: r.data.String()}
	if m.event == "" {
		m.event = "message"
	}
	ok = r.some
	r.event, r.some = "", false
	r.data.Reset()
	return m, ok
}
