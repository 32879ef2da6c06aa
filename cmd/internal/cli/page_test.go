package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/doctor"
	"github.com/bril-edge/bril/uplink/enrol"
)

// The page for technicians has each exit code, each check of the doctor in its order,
// and each state of an enrolment.
func TestPage(t *testing.T) {
	data, err := os.ReadFile("../../bril/doc/when-it-does-not-work.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	for _, code := range regexp.MustCompile(`(?m)^  (\d+) +(.*)$`).FindAllStringSubmatch(ExitCodes, -1) {
		if row := "| " + code[1] + " | " + code[2] + " |\n"; !strings.Contains(page, row) {
			t.Errorf("no row %s", row)
		}
	}
	var checks, want []string
	_, section, _ := strings.Cut(page, "## What the doctor looks at")
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\|").FindAllStringSubmatch(section, -1) {
		checks = append(checks, row[1])
	}
	for _, id := range doctor.IDs() {
		want = append(want, string(id))
	}
	if !slices.Equal(checks, want) {
		t.Errorf("the page has the checks %q, the doctor %q", checks, want)
	}
	for _, state := range []enrol.State{enrol.NotEnrolled, enrol.Enrolled, enrol.RenewalDue, enrol.Expired, enrol.Revoked} {
		if !strings.Contains(page, "| `"+string(state)+"` |") {
			t.Errorf("no state %s", state)
		}
	}
}
