package configs

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is written as `10m`, `1h30m` or `500ms`.
type Duration time.Duration

// String leaves out the zero parts that time.Duration prints: 10m, not 10m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
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
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration such as 500ms, 30s, 10m or 2h", text)
	}
	*d = Duration(v)
	return nil
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
