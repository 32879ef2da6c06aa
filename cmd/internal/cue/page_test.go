package cue

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The page that advisors read has a row for each cue, with the sound and the words as
// they are.
func TestPage(t *testing.T) {
	const page = "../../bril/doc/light-and-sounds.md"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "| `") && strings.Count(line, "|") == 7 {
			rows++
		}
	}
	if rows != len(All()) {
		t.Errorf("%s has %d rows of cues, and there are %d cues", page, rows, len(All()))
	}
	for _, c := range All() {
		row := fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |\n", c, Meaning(c), melody(notes(c)), Words(c, Dutch), Words(c, German), Words(c, English))
		if !strings.Contains(string(data), row) {
			t.Errorf("%s lacks the row\n%s", page, row)
		}
	}
}

// melody writes a sound down: tones by their names, glides with an arrow, and what is
// no tone by what it is like.
func melody(list []note) string {
	names := map[float64]string{e4: "E4", g4: "G4", c5: "C5", e5: "E5", g5: "G5", a5: "A5", b5: "B5", c6: "C6", e6: "E6"}
	var words []string
	for _, n := range list {
		switch {
		case n.from == 0:
		case n.noise:
			words = append(words, "click")
		case n.harsh:
			words = append(words, "buzz")
		case n.from != n.to:
			words = append(words, names[n.from]+"→"+names[n.to])
		default:
			words = append(words, names[n.from])
		}
	}
	return strings.Join(words, " ")
}
