package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
)

// allocations runs the benchmarks of the path from frame to packet.
func (b *bench) allocations() ([]string, error) {
	b.say("benchmarks")
	return b.lines("Benchmark", "go", "test", "-run=^$", "-bench=WriteVideo|WriteAudio|Encode", "-benchmem",
		"./uplink/rtc", "./encoder/opus", "./encoder/openh264", "./encoder/passthrough")
}

// figures runs the tests that look at the stream with a browser.
func (b *bench) figures() ([]string, error) {
	b.say("a browser watches")
	lines, err := b.lines("figure: ", "go", "test", "-count=1", "-v", "-run=TestPageLatency|TestFirstFrame|ComesBack|TestKeyFrameOnRequest|TestPhotosLeaveTheStreamAlone|TestPressToCue", "./cmd/internal/e2e")
	for i, line := range lines {
		_, lines[i], _ = strings.Cut(line, "figure: ")
	}
	return lines, err
}

// lines runs a command and returns the lines of its output that hold mark.
func (b *bench) lines(mark, name string, args ...string) ([]string, error) {
	out, err := exec.CommandContext(b.ctx, name, args...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	var found []string
	for line := range bytes.Lines(out) {
		if strings.Contains(string(line), mark) {
			found = append(found, strings.TrimSpace(string(line)))
		}
	}
	return found, nil
}
