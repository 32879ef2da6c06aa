package configs

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// day is 24 hours, whatever a clock makes of summer time.
const day = 24 * time.Hour

// Duration is written as `10m`, `1h30m`, `500ms`, `7d` or `1d12h`.
type Duration time.Duration

// String leaves out the zero parts that time.Duration prints: 10m, not 10m0s, and
// 7d, not 168h0m0s.
func (d Duration) String() string {
	days, rest := time.Duration(d)/day, time.Duration(d)%day
	switch {
	case days == 0:
		return clock(rest)
	case rest == 0:
		return fmt.Sprintf("%dd", days)
	}
	return fmt.Sprintf("%dd%s", days, clock(rest))
}

func clock(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration with its unit; only 0 needs none.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := parseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration such as 500ms, 30s, 10m, 2h or 7d", text)
	}
	*d = Duration(v)
	return nil
}

// maxDays is more than any key allows, and far from what a time.Duration holds.
const maxDays = 10_000

// parseDuration reads what time.ParseDuration does, and whole days before it.
func parseDuration(text string) (time.Duration, error) {
	number, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	days, err := strconv.ParseUint(number, 10, 32)
	if err != nil || days > maxDays {
		return 0, strconv.ErrRange
	}
	whole := time.Duration(days) * day
	if rest == "" {
		return whole, nil
	}
	part, err := time.ParseDuration(rest)
	if err != nil || part < 0 || part >= day {
		return 0, strconv.ErrSyntax
	}
	return whole + part, nil
}

// BitRate is in bits per second, written as `2.5M`, `2500k` or `2500000`.
type BitRate int64

// String returns the shortest exact form.
func (b BitRate) String() string {
	switch {
	case b >= 1e6 && b%1e4 == 0:
		return strconv.FormatFloat(float64(b)/1e6, 'f', -1, 64) + "M"
	case b >= 1e3 && b%1e3 == 0:
		return strconv.FormatInt(int64(b)/1e3, 10) + "k"
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText writes what UnmarshalText reads.
func (b BitRate) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads bits per second; k is a thousand and M a million.
func (b *BitRate) UnmarshalText(text []byte) error {
	number, unit := string(text), 1.0
	switch {
	case strings.HasSuffix(number, "k"):
		number, unit = strings.TrimSuffix(number, "k"), 1e3
	case strings.HasSuffix(number, "M"):
		number, unit = strings.TrimSuffix(number, "M"), 1e6
	}
	v, err := decimal(number)
	if err != nil || v*unit > 1e12 {
		return fmt.Errorf("%q is not a bit rate such as 48k, 2.5M or 2500000 (bits a second)", text)
	}
	*b = BitRate(math.Round(v * unit))
	return nil
}

// ByteSize is in bytes, written as `2G`, `500M` or a number; G is 10^9, as on the
// label of a memory card.
type ByteSize int64

// String returns the shortest exact form.
func (b ByteSize) String() string {
	switch {
	case b >= 1e9 && b%1e7 == 0:
		return strconv.FormatFloat(float64(b)/1e9, 'f', -1, 64) + "G"
	case b >= 1e6 && b%1e6 == 0:
		return strconv.FormatInt(int64(b)/1e6, 10) + "M"
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText writes what UnmarshalText reads.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads bytes; M is a million and G a thousand millions.
func (b *ByteSize) UnmarshalText(text []byte) error {
	number, unit := string(text), 1.0
	switch {
	case strings.HasSuffix(number, "M"):
		number, unit = strings.TrimSuffix(number, "M"), 1e6
	case strings.HasSuffix(number, "G"):
		number, unit = strings.TrimSuffix(number, "G"), 1e9
	}
	v, err := decimal(number)
	if err != nil || v*unit > 1e15 {
		return fmt.Errorf("%q is not a size such as 500M or 2G (bytes)", text)
	}
	*b = ByteSize(math.Round(v * unit))
	return nil
}

// decimal reads digits with at most one point: no sign, exponent, hex or NaN,
// which strconv would take too.
func decimal(s string) (float64, error) {
	if strings.Trim(s, "0123456789.") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(s, 64)
}

// Size is a picture's width and height in pixels, written as `1280x720`.
type Size struct{ Width, Height int }

func (s Size) String() string { return fmt.Sprintf("%dx%d", s.Width, s.Height) }

// MarshalText writes what UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads WIDTHxHEIGHT.
func (s *Size) UnmarshalText(text []byte) error {
	w, h, _ := strings.Cut(string(text), "x")
	width, err1 := strconv.ParseUint(w, 10, 16)
	height, err2 := strconv.ParseUint(h, 10, 16)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("%q is not a size such as 1280x720", text)
	}
	*s = Size{Width: int(width), Height: int(height)}
	return nil
}

// Exposure is how long the sensor gathers light for one picture; 0 leaves that
// to the camera and is written as `auto`.
type Exposure time.Duration

func (e Exposure) String() string {
	if e == 0 {
		return "auto"
	}
	return Duration(e).String()
}

// MarshalText writes what UnmarshalText reads.
func (e Exposure) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads `auto` or a duration.
func (e *Exposure) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*e = 0
		return nil
	}
	var d Duration
	if err := d.UnmarshalText(text); err != nil || d == 0 {
		return fmt.Errorf("%q is not auto or an exposure time such as 10ms", text)
	}
	*e = Exposure(d)
	return nil
}

// Focus is where the lens is held, in the camera's own unit, when Manual is
// set; otherwise the camera focuses, which is written as `auto`.
type Focus struct {
	Manual   bool
	Position int
}

func (f Focus) String() string {
	if !f.Manual {
		return "auto"
	}
	return strconv.Itoa(f.Position)
}

// MarshalText writes what UnmarshalText reads.
func (f Focus) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads `auto` or a number.
func (f *Focus) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*f = Focus{}
		return nil
	}
	v, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil {
		return fmt.Errorf("%q is not auto or a focus position such as 120", text)
	}
	*f = Focus{Manual: true, Position: int(v)}
	return nil
}

// WhiteBalance is a colour temperature in kelvin; 0 leaves it to the camera and
// is written as `auto`.
type WhiteBalance int

func (w WhiteBalance) String() string {
	if w == 0 {
		return "auto"
	}
	return strconv.Itoa(int(w))
}

// MarshalText writes what UnmarshalText reads.
func (w WhiteBalance) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads `auto` or a number of kelvin.
func (w *WhiteBalance) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		*w = 0
		return nil
	}
	v, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil || v == 0 {
		return fmt.Errorf("%q is not auto or a colour temperature such as 4500 (kelvin)", text)
	}
	*w = WhiteBalance(v)
	return nil
}
