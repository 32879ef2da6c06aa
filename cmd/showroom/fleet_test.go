package main

import (
	"bytes"
	"strings"
	"testing"
	"text/tabwriter"
	"unicode/utf8"

	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
)

// What a device says of itself is text in a table: it moves no cursor and makes no line.
func TestStatusOfAHostileDevice(t *testing.T) {
	hostile := "\x1b[2J\x1b]0;owned\x07\u009b31m\r\nben\t1\t1\tcurrent"
	d := service.DeviceDetail{Device: service.Device{Name: "anna", State: hostile, Version: hostile, Model: hostile, Why: hostile, Problems: []string{hostile}}}
	var out bytes.Buffer
	printDevice(&out, d)
	printFleet(&out, service.Overview{}, []service.Device{d.Device})
	if strings.ContainsAny(out.String(), "\x1b\x07\u009b\r") {
		t.Errorf("%q reaches the terminal", out.String())
	}
	if strings.Contains(out.String(), "\nben") {
		t.Errorf("a device has made a line of its own:\n%s", out.String())
	}
}

// The widest of each column still fits a terminal.
func TestStatusFits(t *testing.T) {
	hundred := 100
	list := []service.Device{
		{Name: strings.Repeat("n", 40), Status: "unmanaged", State: "connecting", Why: "no bundle is for it"},
		{Name: "anna", Wanted: 123456, Status: "failed", State: "ready", Battery: &hundred, Charging: true, Why: strings.Repeat("why ", 50)},
	}
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	printFleet(w, service.Overview{Fleet: "bril"}, list)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > columns {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
