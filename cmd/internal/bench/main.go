// Bench measures the agent as its users run it and prints what came out: CPU,
// wakeups and memory beside a plain pion publisher in the same minute, what a
// frame allocates, and what a browser sees. It asserts nothing.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// results is what --json prints.
type results struct {
	SchemaVersion int           `json:"schema_version"`
	Seconds       float64       `json:"seconds"` // of each measurement
	Publishers    []measurement `json:"publishers"`
	Allocations   []string      `json:"allocations"` // benchmark lines of go test
	Figures       []string      `json:"figures"`     // of starting, of memory, of the endpoint, and of the tests with a browser
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 4 && args[0] == plainCommand {
		return publishPlain(ctx, args[1], args[2], args[3])
	}
	if len(args) > 3 && args[0] == viewCommand {
		return view(ctx, args[1:])
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	seconds := flags.Float64("seconds", 20, "length of each measurement")
	asJSON := flags.Bool("json", false, "print JSON")
	quick := flags.Bool("publishers-only", false, "leave out the benchmarks and the browser")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b := bench{ctx: ctx, progress: stderr, length: time.Duration(*seconds * float64(time.Second))}
	if err := b.prepare(); err != nil {
		return err
	}
	defer b.clean()
	r := results{SchemaVersion: 1, Seconds: *seconds}
	var err error
	if r.Publishers, err = b.publishers(); err != nil {
		return err
	}
	if r.Figures, err = b.starting(); err != nil {
		return err
	}
	ready, err := b.recording()
	if err != nil {
		return err
	}
	r.Figures = append(r.Figures, ready...)
	crowds, err := b.endpoints()
	if err != nil {
		return err
	}
	r.Figures = append(r.Figures, crowds...)
	if !*quick {
		if r.Allocations, err = b.allocations(); err != nil {
			return err
		}
		seen, err := b.figures()
		if err != nil {
			return err
		}
		r.Figures = append(r.Figures, seen...)
	}
	if *asJSON {
		return json.NewEncoder(stdout).Encode(r)
	}
	return r.write(stdout)
}

func (r results) write(w io.Writer) error {
	fmt.Fprintf(w, "720p30 at 2.5 Mb/s, %g s each, side by side in the same minute\n\n", r.Seconds)
	fmt.Fprintf(w, "%-34s %11s %9s %10s %10s\n", "publisher", "CPU s/min", "wakeups/s", "peak MiB", "of plain")
	var plain float64
	for _, m := range r.Publishers {
		if m.Name == plainName {
			plain = m.CPU
		}
		share := "-"
		if plain > 0 {
			share = fmt.Sprintf("%.2f", m.CPU/plain)
		}
		fmt.Fprintf(w, "%-34s %11.2f %9.0f %10.1f %10s\n", m.Name, m.CPU, m.Wakeups, m.PeakMiB, share)
	}
	for _, m := range r.Publishers {
		if m.Latency != "" {
			fmt.Fprintf(w, "\n%s: %s", m.Name, m.Latency)
		}
	}
	fmt.Fprint(w, "\n\n")
	for _, line := range append(r.Allocations, r.Figures...) {
		fmt.Fprintln(w, line)
	}
	return nil
}
