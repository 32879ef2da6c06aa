package cli

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// update writes the golden screens anew: go test ./cmd/internal/cli -run Screen -update
var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local)

// conversation is a status of the second i of a calm one.
func conversation(i int) control.Status {
	s := busy()
	s.Errors, s.Warnings, s.LiveSince = nil, nil, noon.Add(-90*time.Second)
	percent := 81 - i/60
	s.Battery = &control.Battery{Percent: &percent, State: "fine"}
	s.Thermal = &control.Thermal{Celsius: 45 + float64(i)/6, Zone: "cpu-thermal", State: "normal"}
	wave := math.Sin(float64(i) / 8)
	s.Uplink.SentBPS = int64(1_600_000 + 800_000*wave)
	s.Uplink.RTTMS = 22 + 14*wave
	s.Video.FPS = 30
	if i > 40 && i < 50 {
		s.Video.FPS = 15
	}
	s.LatencyMS.Total = control.Percentiles{P50: 6, P95: 9 + float64(i%7)}
	return s
}

// watched is a screen after so many seconds of a conversation.
func watched(seconds int) *screen {
	s := &screen{width: 80, height: 24, unicode: true}
	for i := range seconds {
		s.heard(conversation(i))
	}
	return s
}

func screens() map[string]*screen {
	plain := watched(90)
	plain.width, plain.height, plain.unicode = 60, 20, false
	wide := watched(90)
	wide.width, wide.height = 120, 40
	colour := watched(90)
	colour.colour = true
	ill := watched(89)
	ill.heard(withProblems())
	ill.colour = true
	cramped := watched(89)
	cramped.width, cramped.height = 60, 16
	cramped.heard(withProblems())
	lost := watched(80)
	for range 10 {
		lost.missed(control.ErrNotRunning, noon.Add(-10*time.Second))
	}
	back := watched(60)
	for range 10 {
		back.missed(control.ErrNotRunning, noon.Add(-30*time.Second))
	}
	for i := range 20 {
		back.heard(conversation(70 + i))
	}
	idle := &screen{width: 80, height: 24, unicode: true}
	for range 5 {
		idle.heard(control.Status{State: "ready", Version: "1.2.3", Uplink: control.Uplink{State: "off", URL: "https://showroom.example/whip/anna"}})
	}
	tiny := watched(90)
	tiny.width, tiny.height = 32, 9
	return map[string]*screen{
		"80x24": watched(90), "60x20-ascii": plain, "120x40": wide, "80x24-colour": colour, "80x24-problems": ill,
		"60x16-problems": cramped, "80x24-lost": lost, "80x24-back": back, "80x24-idle": idle, "32x9": tiny,
	}
}

func withProblems() control.Status {
	s := busy()
	s.LiveSince = noon.Add(-90 * time.Second)
	s.Video.FPS = 12.4
	s.Call = &control.Call{State: "talking", Customer: control.Customer{Presence: "joined", Network: "poor", Microphone: true}}
	return s
}

func TestScreen(t *testing.T) {
	for name, s := range screens() {
		path := filepath.Join("testdata", "screen", name+".golden")
		got := strings.Join(s.draw(noon), "\n") + "\n"
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

// Whatever its size, a screen is not left; without colour and Unicode it is ASCII.
func TestScreenFits(t *testing.T) {
	escape := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for name, s := range screens() {
		for _, size := range [][2]int{{1, 1}, {5, 2}, {20, 5}, {39, 10}, {40, 11}, {60, 20}, {80, 24}, {81, 25}, {200, 60}, {400, 8}} {
			s.width, s.height = size[0], size[1]
			lines := s.draw(noon)
			if len(lines) != s.height {
				t.Errorf("%s at %v: %d lines", name, size, len(lines))
			}
			for _, line := range lines {
				if n := utf8.RuneCountInString(escape.ReplaceAllString(line, "")); n > max(s.width, 10) {
					t.Errorf("%s at %v: %d columns: %q", name, size, n, line)
				}
				if !s.unicode && strings.ContainsFunc(line, func(r rune) bool { return r > 0x7e || r < ' ' }) {
					t.Errorf("%s at %v: not ASCII: %q", name, size, line)
				}
			}
		}
	}
}

// Colour says nothing that words do not: without it the text is the same.
func TestScreenReadsWithoutColour(t *testing.T) {
	for name, s := range screens() {
		s.colour = true
		coloured := strings.Join(s.draw(noon), "\n")
		s.colour = false
		if got := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(coloured, ""); got != strings.Join(s.draw(noon), "\n") {
			t.Errorf("%s: another text in colour", name)
		}
	}
}

// What an endpoint says does not steer the terminal.
func TestScreenIsNotSteered(t *testing.T) {
	s := watched(1)
	ill := withProblems()
	ill.Errors[0].Hint = "\x1b]0;x\a\x1b[2J"
	ill.Camera, ill.Uplink.URL = "\x1b[31m", "http://\x1b[1m"
	s.heard(ill)
	if text := strings.Join(s.draw(noon), ""); strings.ContainsAny(text, "\x1b\a") {
		t.Errorf("%q", text)
	}
}

// A past second stays in its column.
func TestColumnsStandStill(t *testing.T) {
	n := unknown()
	for _, tc := range []struct {
		values         []float64
		seconds, first int
		want           []float64
	}{
		{[]float64{1, 3, 5, 7, 9}, 2, 0, []float64{2, 6, 9}},
		{[]float64{3, 5, 7, 9, 11}, 2, 1, []float64{3, 6, 10}},
		{[]float64{1, n, n, n, 9, 11}, 2, 0, []float64{1, n, 10}},
		{[]float64{1, 2, 3, 4, 5}, 1, 0, []float64{2, 3, 4, 5}},
		{nil, 3, 0, nil},
	} {
		if got := columnsOf(tc.values, tc.seconds, tc.first, 4); fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("%v by %d from %d: got %v, want %v", tc.values, tc.seconds, tc.first, got, tc.want)
		}
	}
}

func TestBars(t *testing.T) {
	values := []float64{unknown(), 0, 25, 50, 75, 100, 300}
	for _, tc := range []struct {
		rows   int
		levels string
		want   []string
	}{
		{1, blockLevels, []string{"  ▁▂▄▅▇▇"}},
		{2, blockLevels, []string{"     ▃▇▇", "  ▁▄███"}},
		{1, asciiLevels, []string{"  ..::||"}},
	} {
		got := bars(values, 0, 100, 8, tc.rows, tc.levels)
		if len(got) != tc.rows || utf8.RuneCountInString(got[0]) != 8 {
			t.Errorf("%d rows: %q", tc.rows, got)
		}
		if tc.rows == 1 && !slices.Equal(got, tc.want) {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
	for v, want := range map[float64]float64{0: 0, 0.7: 1, 1: 1, 1.01: 2, 2.4: 3, 4: 5, 6: 10, 10: 10, 101: 200} {
		if got := roundUp(v); got != want {
			t.Errorf("roundUp(%v) is %v, want %v", v, got, want)
		}
	}
}

func TestScreenForgets(t *testing.T) {
	s := watched(kept + 7)
	if len(s.past) != kept || s.first != 7 {
		t.Errorf("%d seconds are kept, the first is %d", len(s.past), s.first)
	}
}
