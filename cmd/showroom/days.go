package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// days is a duration on the command line, in which d stands for 24 hours.
type days time.Duration

// String returns nothing for zero, which means the default.
func (d *days) String() string {
	if *d == 0 {
		return ""
	}
	if day := days(24 * time.Hour); *d%day == 0 {
		return fmt.Sprintf("%dd", *d/day)
	}
	return time.Duration(*d).String()
}

// Type names the value in the help.
func (d *days) Type() string { return "duration" }

// Set reads a whole number of days, or what time.ParseDuration takes.
func (d *days) Set(text string) error {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is not a number of days", text)
		}
		*d = days(n) * days(24*time.Hour)
		return nil
	}
	duration, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a duration such as 90d or 12h", text)
	case duration <= 0:
		return fmt.Errorf("%q is not above 0", text)
	}
	*d = days(duration)
	return nil
}
