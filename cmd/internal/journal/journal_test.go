package journal

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/uplink/origin"
)

func TestRing(t *testing.T) {
	var r Ring
	if lines, before := r.Last(0); len(lines) != 0 || before != 0 {
		t.Errorf("an empty ring has %q, %d before", lines, before)
	}
	for i := range MaxLines + 5 {
		fmt.Fprintf(&r, "line %d\n", i)
	}
	lines, before := r.Last(2)
	if want := []string{"line 1003", "line 1004"}; fmt.Sprint(lines) != fmt.Sprint(want) || before != MaxLines+3 {
		t.Errorf("got %q, %d before", lines, before)
	}
	if lines, before = r.Last(0); len(lines) != MaxLines || before != 5 || lines[0] != "line 5" {
		t.Errorf("got %d lines from %q, %d before", len(lines), lines[0], before)
	}
}

func TestRingIsBounded(t *testing.T) {
	var r Ring
	for range 200 {
		fmt.Fprintln(&r, strings.Repeat("ö", maxLine))
	}
	lines, _ := r.Last(0)
	total := 0
	for _, line := range lines {
		if len(line) > maxLine+len("…") || !strings.HasSuffix(line, "ö…") {
			t.Fatalf("a line has %d bytes and ends in %q", len(line), line[len(line)-4:])
		}
		total += len(line)
	}
	if total > maxBytes {
		t.Errorf("%d bytes are kept", total)
	}
}

// Secrets do not come in by their types, nor by their looks.
func TestHandlerHidesSecrets(t *testing.T) {
	var r Ring
	var out strings.Builder
	log := slog.New(slog.NewMultiHandler(
		slog.NewJSONHandler(Redacted(&out), nil), slog.NewTextHandler(Redacted(&out), nil), r.Handler(slog.LevelInfo)))
	log.Warn("refused", "token", configs.NewSecret("hunter2"), "other", origin.NewSecret("hunter2"),
		"error", fmt.Errorf("POST https://a:hunter2@b.example/x?y=hunter2: Authorization: Bearer hunter2"))
	log.With("password", "hunter2").WithGroup("g").Warn("again", "secret", "hunter2", "key", "-----BEGIN PRIVATE KEY-----\nhunter2\n")
	lines, _ := r.Last(0)
	if text := out.String() + strings.Join(lines, "\n"); strings.Contains(text, "hunter2") || len(lines) != 2 {
		t.Errorf("logged:\n%s", text)
	}
	if !strings.Contains(out.String(), "https://(redacted)@b.example/x") {
		t.Errorf("the address is lost:\n%s", out.String())
	}
}

func TestRingTogether(t *testing.T) {
	var r Ring
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				fmt.Fprintln(&r, "line")
				r.Last(3)
			}
		})
	}
	all.Wait()
	if lines, _ := r.Last(0); len(lines) != 400 {
		t.Errorf("%d lines", len(lines))
	}
}
