package configs

import (
	"runtime"
	"strings"
	"testing"
)

// TestBombs: what grows while it is read, in nesting, in references or in numbers, is
// refused before it has taken much of a board's memory. A fleet's bundle may be 64 kB of
// it, signed by whoever has stolen a manager's file.
func TestBombs(t *testing.T) {
	const size, most = 60_000, 32 << 20
	times := func(what string) string { return strings.Repeat(what, size/len(what)) }
	var deep strings.Builder
	for i := 0; deep.Len() < size; i++ {
		deep.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for name, text := range map[string]string{
		"lists":             times("["),
		"closed lists":      times("[]"),
		"nested lists":      strings.Repeat("[", size/2) + strings.Repeat("]", size/2),
		"lists of dashes":   times("- "),
		"mappings":          times("{a: "),
		"indented mappings": deep.String(),
		"explicit keys":     times("? "),
		"one key":           "uplink: {" + times("x: 1, ") + "}",
		"tags":              times("!!map "),
		"anchors":           times("&a "),
		"aliases":           "a: &a [x,x]\nb: " + times("*a "),
		"merge keys":        "a: &a {x: 1}\nb: {" + times("<<: *a, ") + "}",
		"documents":         times("---\n"),
		"quotes":            "a: '" + times("''"),
		"escapes":           "a: \"" + times("\\U0001F600") + "\"",
		"folded text":       "a: >\n" + times(" x\n\n"),
		"one value":         "session: {name: " + times("x") + "}",
		"commas":            "a: [" + times(","),
		"colons":            times(":"),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Parse([]byte(text), "x.yaml")
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("it is taken")
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > most {
				t.Errorf("it took %d bytes of memory", took)
			}
		})
	}
}
