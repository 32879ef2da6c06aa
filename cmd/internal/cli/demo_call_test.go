package cli_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/porttest"
)

// TestDemoCalls answers customers by the keys of the demo, which is live in a room of
// its own meanwhile.
func TestDemoCalls(t *testing.T) {
	address := porttest.Address(t)
	s, slave := newScreen(t)
	done := start(t, slave, "demo", "--listen", address, "--camera", "pattern:320x180@15", "--microphone", "none")
	s.expect("in a browser.")
	s.expect("LIVE ")

	declined := customer(t, "http://"+address)
	s.expect("A CUSTOMER CALLS   a accept   d decline")
	s.press("d")
	s.expect("CALL        is declined")
	if said := <-declined; !strings.Contains(said, "ended declined") {
		t.Errorf("a customer who is declined is told %q", said)
	}

	accepted := customer(t, "http://"+address)
	s.expect("A CUSTOMER CALLS")
	s.press("a")
	s.expect("CALL        is ")
	if said := <-accepted; !strings.Contains(said, "live") || !strings.Contains(said, "ended customer") {
		t.Errorf("a customer who hangs up is told %q", said)
	}
	s.expect("READY")
	s.press("q")
	s.expect("ENDED")
	if code := <-done; code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

// customer calls, hangs up once it is live, and tells what they were told.
func customer(t *testing.T, base string) <-chan string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "caller", base, "hangs-up")
	said := make(chan string, 1)
	go func() { // ends with the program, which the test's end ends
		out, err := cmd.CombinedOutput()
		if err != nil {
			out = append(out, err.Error()...)
		}
		said <- string(out)
	}()
	return said
}
