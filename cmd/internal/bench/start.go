package main

import (
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// starts is how often each program is started, and startGoal what a technician does
// not notice, from start to exit. A board is about ten times slower than what this
// runs on.
const (
	starts    = 50
	startGoal = 50 * time.Millisecond
)

// starting measures how long a command takes that does nothing but start, for both
// builds: everything that a package computes before main is in it.
func (b *bench) starting() (lines []string, err error) {
	for _, of := range []struct{ name, program string }{
		{"bril --help, as boards have it", "bril"},
		{"bril --help, with the demo", "bril-demo"},
		{"showroom --help", "showroom"},
	} {
		b.say("%s, %d times", of.name, starts)
		took, err := b.starts(b.path(of.program), "--help")
		if err != nil {
			return nil, err
		}
		p50, p95 := took[len(took)/2], took[len(took)*95/100]
		verdict := "within"
		if p95 > startGoal {
			verdict = "ABOVE"
		}
		lines = append(lines, fmt.Sprintf("%s, process start to exit: p50 %.1f ms, p95 %.1f ms, %s the goal of %v",
			of.name, milliseconds(p50), milliseconds(p95), verdict, startGoal))
	}
	return lines, nil
}

// starts runs a program again and again, and returns how long each run took, sorted.
// The first, which reads it from disk, is not counted.
func (b *bench) starts(path string, args ...string) ([]time.Duration, error) {
	var took []time.Duration
	for range starts + 1 {
		cmd := exec.CommandContext(b.ctx, path, args...)
		begun := time.Now()
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("start %s: %w", path, err)
		}
		took = append(took, time.Since(begun))
	}
	took = took[1:]
	slices.Sort(took)
	return took, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
