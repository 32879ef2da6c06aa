// Package support gathers what somebody far away needs to find out why a board does
// not work, and packs it into one file that is safe to send by mail.
//
// It takes no photo, clip, key, token or name of a customer. What it takes is made of
// types that do not print their secrets; then redact takes out what looks like one,
// and what is known to be one because the configuration names its file.
package support

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/bril-edge/bril/cmd/internal/redact"
)

// Item is one file of a bundle, to be gathered.
type Item struct {
	Name string // of the file
	What string // it is, for people
	// Gather returns the file's content; an error says why it is left out.
	Gather func(context.Context) ([]byte, error)
	Limit  time.Duration // for that; 0 is 15 s
}

// Entry is a file of a bundle.
type Entry struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
	What  string `json:"what"`

	data []byte
}

// LeftOut is a file that is not in the bundle.
type LeftOut struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Bundle is what was gathered, in the order of the items.
type Bundle struct {
	Name    string // without the suffix
	Time    time.Time
	Entries []Entry
	LeftOut []LeftOut
}

// Config says what goes into a bundle.
type Config struct {
	Board string // what the board is called; "" is unnamed
	Items []Item
	Known redact.Known // secrets that must not be in it
	Now   time.Time
}

const (
	defaultLimit = 15 * time.Second
	// maxEntry is in bytes: of more, the end is kept, as of a log that is what counts.
	maxEntry = 1 << 20
)

// Gather asks each item, several at once. Nothing is written.
func Gather(ctx context.Context, cfg Config) (*Bundle, error) {
	b := &Bundle{Name: bundleName(cfg.Known.Text(cfg.Board), cfg.Now), Time: cfg.Now}
	results := make([]result, len(cfg.Items))
	var gathering sync.WaitGroup
	for i, item := range cfg.Items {
		gathering.Go(func() { results[i] = gather(ctx, item) })
	}
	gathering.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("gather what is needed: %w", err)
	}
	for i, item := range cfg.Items {
		if err := results[i].err; err != nil {
			b.LeftOut = append(b.LeftOut, LeftOut{item.Name, oneLine(clean(cfg.Known, err.Error()))})
			continue
		}
		data := []byte(clean(cfg.Known, string(results[i].data)))
		b.Entries = append(b.Entries, Entry{item.Name, len(data), item.What, data})
	}
	b.about()
	return b, nil
}

type result struct {
	data []byte
	err  error
}

func gather(ctx context.Context, item Item) result {
	limit := item.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	data, err := item.Gather(ctx)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("it took more than %v", limit)
	case err == nil && len(data) == 0:
		err = errors.New("there is nothing")
	}
	return result{data, err}
}

// clean takes out secrets before it cuts: half a key does not look like one.
func clean(known redact.Known, text string) string {
	text = redact.Text(known.Text(text))
	if len(text) > maxEntry {
		text = strings.ToValidUTF8(text[len(text)-maxEntry:], "")
		if _, whole, found := strings.Cut(text, "\n"); found && whole != "" {
			text = whole // without half a line
		}
		text = "(the beginning is left out)\n" + text
	}
	return text
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// bundleName is what the file is called: letters, digits and dashes.
func bundleName(board string, now time.Time) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		case r == utf8.RuneError:
			return -1
		}
		return '-'
	}, board)
	if name = strings.Trim(name, "-"); name == "" {
		name = "unnamed"
	}
	return "bril-support-" + name[:min(len(name), 64)] + "-" + now.UTC().Format("20060102T150405Z")
}

// about puts a file in front that tells of the others.
func (b *Bundle) about() {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\nMade by bril support at %s.\n", b.Name, b.Time.UTC().Format(time.RFC3339))
	text.WriteString("No photos, clips, keys, tokens, passwords or names of customers are in it;\n" +
		redact.Mark + " stands where one could have been.\n\n")
	b.list(&text)
	entry := Entry{Name: "README.txt", What: "what is in this bundle", data: []byte(text.String())}
	entry.Bytes = len(entry.data)
	b.Entries = append([]Entry{entry}, b.Entries...)
}

// List returns the contents for people: each file with its size, and what was left
// out with the reason.
func (b *Bundle) List() string {
	var text strings.Builder
	b.list(&text)
	return text.String()
}

func (b *Bundle) list(text *strings.Builder) {
	for _, e := range b.Entries {
		fmt.Fprintf(text, "  %-24s%9s  %s\n", e.Name, size(e.Bytes), e.What)
	}
	for i, l := range b.LeftOut {
		if i == 0 {
			text.WriteString("left out:\n")
		}
		for i, line := range fold(l.Why, 80-26) {
			fmt.Fprintf(text, "  %-24s%s\n", map[bool]string{true: l.Name}[i == 0], line)
		}
	}
}

// fold breaks text between words into lines of at most width bytes.
func fold(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

func size(n int) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f kB", float64(n)/1000)
}
