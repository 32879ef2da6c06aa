package fleet

import (
	"os"
	"strings"
	"testing"

	"github.com/bril-edge/bril/configs/fleet"
)

// The page for managers explains each word that the status says.
func TestGuide(t *testing.T) {
	data, err := os.ReadFile("../../../bril/doc/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{} // words of the first column
	for line := range strings.Lines(string(data)) {
		if cell, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | "); ok && strings.HasPrefix(line, "| `") {
			for _, word := range strings.Split(cell, ", ") {
				rows[strings.Trim(word, "`")] = true
			}
		}
	}
	words := []string{statusCurrent, statusWaiting, statusFailed, statusDrift, statusUnmanaged, StateRunning, StatePaused, StateStopped, StateDone, StateSuperseded}
	for _, p := range []fleet.Phase{fleet.Received, fleet.Verified, fleet.Schema, fleet.DryRun, fleet.Staged, fleet.Probation, fleet.Confirmed, fleet.Refused, fleet.Returned} {
		words = append(words, string(p))
	}
	for _, word := range words {
		if !rows[word] {
			t.Errorf("the page does not explain %q", word)
		}
		delete(rows, word)
	}
	for word := range rows {
		t.Errorf("the page explains %q, which no status says", word)
	}
}
