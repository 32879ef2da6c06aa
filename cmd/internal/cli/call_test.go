package cli

import (
	"strings"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/control"
)

func TestWriteCall(t *testing.T) {
	const id = "abcdefghijklmnopqrstuvwxyz"
	talking := func(c control.Customer) *control.Call {
		return &control.Call{State: "talking", Conversation: id, Kind: "booked", Events: "connected", Customer: c}
	}
	for name, test := range map[string]struct {
		call    *control.Call
		rows    string
		problem string
	}{
		"none":    {nil, "", ""},
		"idle":    {&control.Call{State: "idle", Events: "connected"}, "call        none, events connected\n", ""},
		"ringing": {&control.Call{State: "ringing", Conversation: id, Kind: "now"}, "call        ringing, " + id + "\n", ""},
		"well": {talking(control.Customer{Presence: "joined", Network: "good", Microphone: true}),
			"call        talking, booked, " + id + "\ncustomer    joined, network good, microphone on\n", ""},
		"poor":   {talking(control.Customer{Presence: "joined", Network: "poor"}), "", "the customer's network is poor"},
		"frozen": {talking(control.Customer{Presence: "joined", Network: "frozen"}), "", "the customer's picture is frozen"},
		"left":   {talking(control.Customer{Presence: "left", Network: "frozen"}), "", "the customer has left, or was cut off"},
		"unheard": {&control.Call{State: "talking", Conversation: id, Events: "waiting"}, "",
			"what the endpoint tells of the call is not heard; the conversation goes on"},
	} {
		var b strings.Builder
		if writeCall(&b, test.call); test.rows != "" && b.String() != test.rows {
			t.Errorf("%s:\n%swant\n%s", name, b.String(), test.rows)
		}
		if problem := callProblem(test.call); problem != test.problem {
			t.Errorf("%s: %q, want %q", name, problem, test.problem)
		}
		b.Reset()
		writeProblems(&b, control.Status{Call: test.call})
		if (b.Len() > 0) != (test.problem != "") {
			t.Errorf("%s: problems %q", name, b.String())
		}
	}
}
