// Gotest runs `go test` with its arguments and lists the skipped tests with
// their reasons at the end, where nobody overlooks them. Of passing packages
// it shows go test's one line and the figures that tests print, of failing tests
// all they said.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r := report{out: out, said: map[string]string{}}
	return errors.Join(r.read(events), cmd.Wait(), r.finish())
}

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string // "" for the package itself
	Output  string
}

func (e event) name() string { return e.Package + " " + e.Test }

type report struct {
	out     io.Writer
	said    map[string]string // what each running test printed
	skipped []string
	failed  []string
}

// read handles all events. It reads to the end, so that go test never blocks.
func (r *report) read(events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r.line(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read go test's events: %w", err)
		}
	}
}

func (r *report) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil { // not an event: go test's own words
		fmt.Fprintf(r.out, "%s", line)
		return
	}
	r.event(e)
}

func (r *report) event(e event) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.output(e)
	case "skip":
		if e.Test != "" {
			r.skipped = append(r.skipped, e.name()+": "+reason(r.said[e.name()]))
		}
		delete(r.said, e.name())
	case "fail":
		if e.Test != "" {
			r.failed = append(r.failed, e.name())
			fmt.Fprint(r.out, r.said[e.name()])
		}
		delete(r.said, e.name())
	case "pass":
		r.figures(e.name())
		delete(r.said, e.name())
	}
}

// figures prints what a test has measured: lines that hold "figure: ".
func (r *report) figures(name string) {
	for line := range strings.Lines(r.said[name]) {
		if _, figure, ok := strings.Cut(line, "figure: "); ok {
			fmt.Fprint(r.out, "figure: ", figure)
		}
	}
}

// output keeps a test's words until it is known how it ends. A package's own
// are go test's line about it, or a panic.
func (r *report) output(e event) {
	switch {
	case e.Test != "":
		r.said[e.name()] += e.Output
	case e.Output != "PASS\n":
		fmt.Fprint(r.out, e.Output)
	}
}

// finish prints the tests that were cut off, then those that failed, then those
// that were skipped.
func (r *report) finish() error {
	for _, words := range r.said {
		fmt.Fprint(r.out, words)
	}
	for _, name := range r.failed {
		fmt.Fprintln(r.out, "failed:", name)
	}
	for _, line := range r.skipped {
		fmt.Fprintln(r.out, "skipped:", line)
	}
	_, err := fmt.Fprintf(r.out, "%d failed, %d skipped\n", len(r.failed), len(r.skipped))
	return err
}

// reason returns what a test printed before it was skipped, without go test's
// own lines and the place in the source.
func reason(words string) string {
	var out []string
	for line := range strings.Lines(words) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		if place, rest, ok := strings.Cut(line, ": "); ok && strings.Contains(place, ".go:") {
			line = rest
		}
		out = append(out, line)
	}
	if len(out) == 0 {
		return "no reason given"
	}
	return strings.Join(out, " ")
}
