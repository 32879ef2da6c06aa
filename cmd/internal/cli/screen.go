package cli

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// kept is for how many seconds the screen remembers figures.
const kept = 10 * 60

// figures is what the screen draws of one second.
type figures struct{ bits, fps, latency, trip, heat, battery float64 }

// nothing is a second without a daemon.
func nothing() figures {
	n := unknown()
	return figures{n, n, n, n, n, n}
}

// figuresOf takes what a status tells. A latency is that of the last frames: without
// any, it is not known.
func figuresOf(s control.Status) figures {
	f := nothing()
	if s.State == "live" || s.State == "paused" {
		f.bits, f.fps = float64(s.Uplink.SentBPS)/1e6, s.Video.FPS
	}
	if s.Video.FPS > 0 {
		f.latency = cmp.Or(s.LatencyMS.Total.P95, latency(s.LatencyMS))
	}
	if s.Uplink.State == "connected" {
		f.trip = s.Uplink.RTTMS
	}
	if s.Thermal != nil {
		f.heat = s.Thermal.Celsius
	}
	if s.Battery != nil && s.Battery.Percent != nil {
		f.battery = float64(*s.Battery.Percent)
	}
	return f
}

// screen is what `bril status --watch` shows on a terminal: one line of state, what
// does not work, small graphs, and below them what else fits. It knows no terminal.
type screen struct {
	width, height   int
	colour, unicode bool

	status control.Status
	lost   error     // why there is no daemon; nil while there is
	since  time.Time // when it was lost
	past   []figures // the newest last
	first  int       // how many seconds were before those
}

// heard takes a status, which comes once a second.
func (s *screen) heard(status control.Status) {
	s.status, s.lost = status, nil
	s.remember(figuresOf(status))
}

// missed takes a second without a daemon.
func (s *screen) missed(why error, now time.Time) {
	if s.lost == nil {
		s.since = now
	}
	s.lost = why
	s.remember(nothing())
}

func (s *screen) remember(f figures) {
	s.past = append(s.past, f)
	if over := len(s.past) - kept; over > 0 {
		s.past = slices.Delete(s.past, 0, over)
		s.first += over
	}
}

// The widths around a graph.
const (
	valueWidth = 10
	scaleWidth = 6
	leastGraph = 8
)

// draw returns the lines, none wider than the screen, and not more than fit.
func (s *screen) draw(now time.Time) []string {
	graphs := s.graphs()
	details := s.details()
	// What is always there: the state, two gaps, the axis and the keys.
	room := s.height - 5 - len(graphs)
	problems := s.problems(max(room, 2))
	room -= len(problems)
	if shown := max(min(room, len(details)), 0); shown < len(details) {
		details = details[:shown]
	}
	room -= len(details)
	if s.lost != nil {
		details = nil // they are of before; their place is kept, so that nothing jumps
	}
	more := min(max(room, 0)/len(graphs), 4) // a gap between them, and then higher ones
	lines := append([]string{s.headline(now)}, problems...)
	lines = append(lines, "")
	lines = append(lines, s.plot(graphs, max(more, 1), more > 0)...)
	if len(details) > 0 {
		lines = append(append(lines, ""), details...)
	}
	return s.foot(lines)
}

// foot puts the keys on the last line, and leaves out what is too much above it.
func (s *screen) foot(lines []string) []string {
	for len(lines) < s.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines[:max(s.height-1, 0)], s.dim("q quits"))
	if !s.unicode {
		for i := range lines {
			lines[i] = plain(lines[i])
		}
	}
	return lines
}

// headline is the state, and what o'clock it is.
func (s *screen) headline(now time.Time) string {
	clock := now.Format(time.TimeOnly)
	word, rest := strings.ToUpper(s.status.State), ""
	switch {
	case s.lost != nil:
		word, rest = "NO DAEMON", " since "+s.since.Format(time.TimeOnly)+", looked for every second"
	case !s.status.LiveSince.IsZero():
		rest = fmt.Sprintf(" for %v", now.Sub(s.status.LiveSince).Round(time.Second))
	}
	if s.lost == nil && s.status.Viewers != nil {
		rest += fmt.Sprintf(", %d watching", *s.status.Viewers)
	}
	left := cut(word+rest, max(s.width-len(clock)-1, 1))
	gap := strings.Repeat(" ", max(s.width-utf8.RuneCountInString(left)-len(clock), 1))
	if strings.HasPrefix(left, word) {
		left = s.paint(s.stateColour(), left[:len(word)]) + left[len(word):]
	}
	return left + gap + s.dim(clock)
}

func (s *screen) stateColour() string {
	switch {
	case s.lost != nil, s.status.State == "fault":
		return red
	case s.status.State == "live":
		return green
	case s.status.State == "off", s.status.State == "ready":
		return bold
	}
	return yellow
}

// problems returns what does not work, in at most so many lines, with a gap above.
func (s *screen) problems(room int) []string {
	var lines []string
	if s.lost != nil {
		lines = s.problem(red, "PROBLEM", Describe(s.lost).Message)
		lines = append(lines, s.problem("", "", "hint: "+Describe(s.lost).Text)...)
		return append([]string{""}, lines[:min(len(lines), room-1)]...)
	}
	for _, fault := range s.status.Errors {
		text := fault.Component + ": " + printable(fault.Message)
		if fault.Count > 1 {
			text += fmt.Sprintf(" (tried %d times since %s)", fault.Count, fault.Since.Local().Format(time.TimeOnly))
		}
		lines = append(lines, s.problem(red, "PROBLEM", text)...)
		if fault.Hint != "" {
			lines = append(lines, s.problem("", "", "hint: "+printable(fault.Hint))...)
		}
	}
	warnings := s.status.Warnings
	if problem := callProblem(s.status.Call); problem != "" {
		warnings = append(slices.Clip(warnings), problem)
	}
	for _, warning := range warnings {
		lines = append(lines, s.problem(yellow, "WARNING", printable(warning))...)
	}
	if len(lines) == 0 {
		return nil
	}
	if over := len(lines) - (room - 1); over > 0 && room > 2 {
		lines = append(lines[:room-2], s.dim(fmt.Sprintf("%-*sand %d lines more: bril status", labelWidth, "", over+1)))
	}
	return append([]string{""}, lines[:min(len(lines), room-1)]...)
}

// problem folds a text beside its name.
func (s *screen) problem(colour, name, text string) []string {
	width := max(s.width-labelWidth, leastGraph)
	var lines []string
	for _, part := range fold(text, width) {
		padded := fmt.Sprintf("%-*s", labelWidth, name)
		if name != "" {
			padded = s.paint(colour, name) + padded[len(name):]
		}
		lines = append(lines, padded+cut(part, width))
		name = ""
	}
	return lines
}

// graphs are those that this board has.
func (s *screen) graphs() []series {
	of := func(pick func(figures) float64) (values []float64) {
		for _, f := range s.past {
			values = append(values, pick(f))
		}
		return values
	}
	list := []series{
		{name: "bit rate", unit: "Mb/s", decimals: 2, ceiling: float64(s.status.Uplink.TargetBPS) / 1e6, values: of(func(f figures) float64 { return f.bits })},
		{name: "frame rate", unit: "fps", decimals: 1, ceiling: 30, values: of(func(f figures) float64 { return f.fps })},
		{name: "latency", unit: "ms", decimals: 1, ceiling: 10, values: of(func(f figures) float64 { return f.latency })},
		{name: "round trip", unit: "ms", decimals: 1, ceiling: 10, values: of(func(f figures) float64 { return f.trip })},
	}
	if heat := of(func(f figures) float64 { return f.heat }); slices.ContainsFunc(heat, isKnown) {
		unit := "°C"
		if !s.unicode {
			unit = "C"
		}
		list = append(list, series{name: "heat", unit: unit, floor: 20, ceiling: 90, values: heat, alarm: s.heatColour()})
	}
	if charge := of(func(f figures) float64 { return f.battery }); slices.ContainsFunc(charge, isKnown) {
		list = append(list, series{name: "battery", unit: "%", ceiling: 100, values: charge, alarm: s.batteryColour()})
	}
	return list
}

func isKnown(v float64) bool { return !math.IsNaN(v) }

func (s *screen) heatColour() string {
	if t := s.status.Thermal; t != nil {
		return map[string]string{"hot": yellow, "very-hot": red}[t.State]
	}
	return ""
}

func (s *screen) batteryColour() string {
	if b := s.status.Battery; b != nil && !b.Charging {
		return map[string]string{"low": yellow, "very-low": red, "nearly-empty": red}[b.State]
	}
	return ""
}

// plot draws the graphs, each in so many rows, and the axis below them.
func (s *screen) plot(graphs []series, rows int, gaps bool) []string {
	width := s.width - labelWidth - valueWidth - 2 - scaleWidth
	if width < leastGraph {
		return s.values(graphs)
	}
	// A minute at least, whatever the width.
	seconds := (60 + width - 1) / width
	levels := blockLevels
	if !s.unicode {
		levels = asciiLevels
	}
	var lines []string
	for i, g := range graphs {
		if gaps && i > 0 {
			lines = append(lines, "")
		}
		drawn := bars(columnsOf(g.values, seconds, s.first, width), g.floor, g.top(), width, rows, levels)
		for i, bar := range drawn {
			name, value, scale := "", "", ""
			if i == rows-1 { // beside the foot of its bars
				name, value = g.name, g.text()
			}
			if i == 0 && g.top() > 0 {
				scale = fmt.Sprintf(" %.4g", g.top())
			}
			text := fmt.Sprintf("%*s", valueWidth, value)
			if utf8.RuneCountInString(value) > 0 {
				text = strings.Repeat(" ", max(valueWidth-utf8.RuneCountInString(value), 0)) + s.paint(g.alarm, value)
			}
			lines = append(lines, strings.TrimRight(fmt.Sprintf("%-*s%s  %s%s", labelWidth, name, text, bar, s.dim(scale)), " "))
		}
	}
	span := fmt.Sprintf("%d s ago", width*seconds)
	axis := span + strings.Repeat(" ", max(width-len(span)-len("now"), 1)) + "now"
	return append(lines, strings.Repeat(" ", labelWidth+valueWidth+2)+s.dim(cut(axis, width)))
}

// values is what is left of graphs where the screen is too narrow for them.
func (s *screen) values(graphs []series) (lines []string) {
	for _, g := range graphs {
		lines = append(lines, cut(fmt.Sprintf("%-*s%s", labelWidth, g.name, g.text()), s.width))
	}
	return lines
}

// text is the newest value with its unit.
func (s series) text() string {
	v := s.last()
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.*f %s", s.decimals, v, s.unit)
}

// details are the rest of the status, a line each, what matters most first.
func (s *screen) details() (lines []string) {
	add := func(name, text string) {
		lines = append(lines, cut(fmt.Sprintf("%-*s%s", labelWidth, name, printable(text)), s.width))
	}
	status := s.status
	if c := status.Call; c != nil && c.State != "idle" {
		add("call", c.State+", customer "+customerLine(c.Customer))
	}
	add("uplink", status.Uplink.State+" "+status.Uplink.URL)
	add("camera", orDash(status.Camera))
	add("encoder", orDash(status.Encoder))
	add("microphone", orDash(status.Microphone))
	add("light", strings.TrimSpace(orDash(status.Light.State)+" "+status.Light.Line))
	v := status.Video
	add("dropped", fmt.Sprintf("%d by the capture, %d by the encoder, %d at sending",
		v.Dropped["capture"], v.Dropped["encode"], v.Dropped["send"]))
	add("asked for", count(status.Uplink.NACK, "packet")+" again, "+count(status.Uplink.PLI, "key frame"))
	if t := status.Talkback; t != nil {
		add("talkback", fmt.Sprintf("%s, %.0f ms, %s lost", t.State, t.DelayMS, count(t.Lost, "packet")))
	}
	add("spool", fmt.Sprintf("%s, upload %s", count(uint64(status.Spool.Items), "item"), orDash(status.Upload.State)))
	for _, button := range status.Buttons {
		if button.State != "working" {
			add(button.Name, button.State+", "+button.Line)
		}
	}
	add("daemon", fmt.Sprintf("version %s, up %v, %.0f MB",
		status.Version, time.Duration(status.UptimeSeconds)*time.Second, float64(status.RSSBytes)/1e6))
	if status.Fleet != nil {
		add("fleet", fleetLine(*status.Fleet))
	}
	if status.Update != nil {
		add("update", updateLine(*status.Update))
	}
	return lines
}

// The colours, which say nothing that words do not.
const (
	red    = "31;1"
	green  = "32;1"
	yellow = "33"
	bold   = "1"
	faint  = "2"
)

func (s *screen) paint(colour, text string) string {
	if !s.colour || colour == "" || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (s *screen) dim(text string) string { return s.paint(faint, text) }

// plain writes a line in ASCII.
func plain(line string) string {
	line = strings.ReplaceAll(line, "…", "~")
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return '?'
		}
		return r
	}, line)
}

// coloured says whether the environment wants colour on a terminal; see no-color.org.
func coloured() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

// speaksUnicode says whether the locale has more than ASCII.
func speaksUnicode() bool {
	locale := strings.ToLower(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG")))
	return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
}
