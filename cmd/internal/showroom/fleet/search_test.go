package fleet

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/configs/fleet"
)

// TestSearch asks for devices as the page and the commands do.
func TestSearch(t *testing.T) {
	low, high := 12, 90
	seen := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	all := []Device{
		{Device: "a1", Name: "anna", Status: statusCurrent, Online: true, LastSeen: seen, Battery: &high, Version: "1.2.3", Labels: map[string]string{"site": "Ghent"}, Running: fleet.Running{Serial: 2}},
		{Device: "b2", Name: "ben", Status: statusFailed, Online: true, LastSeen: seen, Battery: &low, Why: "returned in probation, whip: 404", Running: fleet.Running{Serial: 1}, Wanted: 2},
		{Device: "c3", Name: "cleo", Status: statusWaiting, LastSeen: seen.Add(-time.Hour), Problems: []string{"camera: in use"}, Wanted: 2},
		{Device: "d4", Name: "dirk", Status: statusUnmanaged, LastSeen: seen.Add(-time.Minute)},
		{Device: "e5", Name: "eva", Status: statusDrift, State: "live", Online: true, Label: "reserve"},
	}
	for query, want := range map[string]string{
		"":                               "anna ben cleo dirk eva",
		"status=online":                  "anna ben eva",
		"status=current":                 "anna dirk",
		"status=unmanaged":               "dirk",
		"label=site%3DGhent":             "anna",
		"label=site%3Dghent":             "",
		"label=site":                     "ben cleo dirk eva", // who have none
		"name=ben&name=e5":               "ben eva",
		"text=CAMERA":                    "cleo",
		"text=site%3Dgh":                 "anna",
		"text=%20404%20":                 "ben",
		"text=reserve":                   "eva",
		"sort=status":                    "ben eva cleo dirk anna",
		"sort=battery":                   "ben anna cleo dirk eva",
		"sort=seen":                      "anna ben eva dirk cleo",
		"sort=wants&status=online":       "anna eva ben",
		"sort=runs":                      "cleo dirk eva ben anna",
		"sort=status&limit=2":            "ben eva cleo dirk anna",
		"text=nobody":                    "",
		"sort=version&text=a&name=anna":  "anna",
		"status=failed&text=404&limit=9": "ben",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		s, err := searchOf(q)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		var found []Device
		for _, d := range all {
			if s.finds(d) {
				found = append(found, d)
			}
		}
		slices.SortStableFunc(found, s.order)
		var names []string
		for _, d := range found {
			names = append(names, d.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for _, query := range []string{"status=happy", "sort=mood", "sort=name%20", "limit=0", "limit=-1", "limit=many", "text=" + strings.Repeat("x", maxSearch+1)} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := searchOf(q); err == nil {
			t.Errorf("%.30s is taken", query)
		}
	}
}

// A list that is limited says how many there are.
func TestLimit(t *testing.T) {
	o := newOffice(t)
	o.day(3)
	var d Devices
	if status := o.get("/api/fleet/devices?limit=2&sort=status", &d); status != 200 || d.Found != 8 || len(d.Devices) != 2 || d.Devices[0].Name != "ben" {
		t.Errorf("%d: %d of %d", status, len(d.Devices), d.Found)
	}
}

// The newest entries of the audit, and what is said of all of it.
func TestLastEntries(t *testing.T) {
	o := newOffice(t)
	o.day(0)
	var a Audit
	if status := o.get("/api/fleet/audit?last=1", &a); status != 200 || len(a.Entries) != 1 || !a.Intact || !strings.HasPrefix(a.Entries[0].Object, "bundle 2") {
		t.Errorf("%d: %+v", status, a)
	}
	if status := o.get("/api/fleet/audit?last=2", &a); status != 200 || len(a.Entries) != 2 || a.Entries[0].Seq+1 != a.Entries[1].Seq {
		t.Errorf("%d: %+v", status, a)
	}
}
