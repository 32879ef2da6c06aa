// Package journal keeps the last lines of the daemon's log in memory, for whoever
// asks what happened before it went wrong, also where nothing else keeps them. What
// it keeps and passes on has gone through both nets under secrets: the types that do
// not print them, and redact.
package journal

import (
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/bril-edge/bril/cmd/internal/redact"
)

// The bounds of what is kept.
const (
	MaxLines = 1000
	maxBytes = 256 << 10
	maxLine  = 4 << 10 // a longer one is cut
)

// Ring holds the last lines. It is an io.Writer, of whole lines, and may be used by
// several goroutines. The zero value is empty and ready.
type Ring struct {
	mu    sync.Mutex
	lines []string // the oldest first
	bytes int
	lost  int
}

// Write keeps the lines of p. It never fails.
func (r *Ring) Write(p []byte) (int, error) {
	text := redact.Text(string(p)) // before it is cut: half a key does not look like one
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) > maxLine {
			line = strings.ToValidUTF8(line[:maxLine], "") + "…"
		}
		r.keep(strings.Clone(line))
	}
	return len(p), nil
}

func (r *Ring) keep(line string) {
	r.lines = append(r.lines, line)
	r.bytes += len(line)
	for len(r.lines) > MaxLines || r.bytes > maxBytes {
		r.bytes -= len(r.lines[0])
		r.lines[0] = "" // for the collector
		r.lines = r.lines[1:]
		r.lost++
	}
}

// Last returns the last n lines, the oldest first, and how many there were before
// them. 0 is all that are kept.
func (r *Ring) Last(n int) (lines []string, before int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n <= 0 || n > len(r.lines) {
		n = len(r.lines)
	}
	from := len(r.lines) - n
	return append([]string{}, r.lines[from:]...), r.lost + from
}

// Handler returns a handler that writes to the ring what is of level and above.
func (r *Ring) Handler(level slog.Leveler) slog.Handler {
	return slog.NewTextHandler(r, &slog.HandlerOptions{Level: level})
}

// Redacted passes on to w what is written, in which each call is a whole line or
// more, without what looks like a secret.
func Redacted(w io.Writer) io.Writer { return &redacted{w} }

type redacted struct{ w io.Writer }

func (r *redacted) Write(p []byte) (int, error) {
	if _, err := io.WriteString(r.w, redact.Text(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
