package cli

import (
	"math"
	"strings"
)

// What a graph is drawn with, from nothing to the whole of a cell.
const (
	blockLevels = " ▁▂▃▄▅▆▇█"
	asciiLevels = " .:|"
)

// unknown is the value of a second of which nothing is known.
func unknown() float64 { return math.NaN() }

// series is one figure over time, a value a second.
type series struct {
	name, unit string
	decimals   int
	values     []float64 // the oldest first; unknown for gaps
	floor      float64   // what the lowest bar stands for
	ceiling    float64   // what a full one stands for, or more where a value is higher
	alarm      string    // the colour that its value deserves; "" for none
}

// last is the newest value.
func (s series) last() float64 {
	if len(s.values) == 0 {
		return unknown()
	}
	return s.values[len(s.values)-1]
}

// headroom is how far above the ceiling a value may go before the scale changes.
const headroom = 1.15

// top is what a full bar stands for: rounded up, so that it seldom changes.
func (s series) top() float64 {
	highest := s.ceiling
	for _, v := range s.values {
		if v > highest*headroom { // NaN is not
			highest = roundUp(v)
		}
	}
	return highest
}

// roundUp returns the next of 1, 2, 3, 5, 10, 20, 30, 50 and so on.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 0
	}
	magnitude := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 2, 3, 5} {
		if v <= step*magnitude*(1+1e-9) {
			return step * magnitude
		}
	}
	return 10 * magnitude
}

// columnsOf puts so many seconds in a column, each the mean of what is known. The
// columns are those of the clock, seen from the first second on, so that they do not
// change once they are past.
func columnsOf(values []float64, seconds, first, width int) []float64 {
	var means []float64
	for i := 0; i < len(values); {
		sum, n := 0.0, 0
		for {
			if !math.IsNaN(values[i]) {
				sum += values[i]
				n++
			}
			if i++; i == len(values) || (first+i)%seconds == 0 {
				break
			}
		}
		mean := unknown()
		if n > 0 {
			mean = sum / float64(n)
		}
		means = append(means, mean)
	}
	return means[max(0, len(means)-width):]
}

// bars draws values in rows of width characters, the newest at the right.
func bars(values []float64, floor, top float64, width, rows int, levels string) []string {
	steps := []rune(levels)
	full := len(steps) - 1
	all := rows * full
	if levels == blockLevels {
		all-- // a hairline stays between two graphs
	}
	lines := make([]string, rows)
	for row := range rows {
		var b strings.Builder
		b.WriteString(strings.Repeat(" ", max(0, width-len(values))))
		below := (rows - 1 - row) * full // what the rows below this one hold
		for _, v := range values {
			b.WriteRune(steps[min(max(barHeight(v, floor, top, all)-below, 0), full)])
		}
		lines[row] = b.String()
	}
	return lines
}

// barHeight is how many of all steps a bar is high: none for what is not known, and at
// least one for what is, so that nothing and unknown look different.
func barHeight(v, floor, top float64, all int) int {
	if math.IsNaN(v) {
		return 0
	}
	if top <= floor {
		return 1
	}
	return min(max(int(math.Round((v-floor)/(top-floor)*float64(all))), 1), all)
}
