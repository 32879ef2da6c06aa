package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/control"
)

func newCall(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "call accept|decline|end",
		Short: "Take a customer's call, decline it, or end it",
		Long: `call does what the buttons do while a call rings: accept takes it and goes live,
decline has the next glasses ring; a customer who has booked waits on. end ends
the conversation for both sides. The endpoint has to tell of calls
(calls.events_url); bril status shows whether it does.

` + ExitCodes,
		Example:   "  bril call accept\n  bril call end",
		ValidArgs: []string{"accept", "decline", "end"},
		Args:      arguments("accept", "decline", "end"),
		RunE: func(c *cobra.Command, args []string) error {
			client := o.client()
			defer client.Close()
			state, err := client.Call(c.Context(), control.CallAction(args[0]))
			if err != nil {
				return err
			}
			v := struct {
				SchemaVersion int    `json:"schema_version"`
				State         string `json:"state"`
			}{schemaVersion, state}
			return o.print(c, v, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, state)
				return err
			})
		},
	}
}

// writeCall writes how it is with the call, where the endpoint has any.
func writeCall(b *strings.Builder, c *control.Call) {
	if c == nil {
		return
	}
	if c.State == "idle" {
		row(b, "call", "none, events "+c.Events)
		return
	}
	line := c.State
	if c.Kind == "booked" {
		line += ", booked"
	}
	row(b, "call", line+", "+c.Conversation)
	if c.State != "ringing" { // nothing is told of who calls
		row(b, "customer", customerLine(c.Customer))
	}
}

func customerLine(c control.Customer) string {
	microphone := "off"
	if c.Microphone {
		microphone = "on"
	}
	return fmt.Sprintf("%s, network %s, microphone %s", cmp.Or(c.Presence, "unknown"), cmp.Or(c.Network, "unknown"), microphone)
}

// callProblem is what deserves a look of a conversation; "" for nothing.
func callProblem(c *control.Call) string {
	switch {
	case c == nil || c.State != "talking" && c.State != "accepted":
		return ""
	case c.Customer.Presence == "left":
		return "the customer has left, or was cut off"
	case c.Customer.Network == "frozen":
		return "the customer's picture is frozen"
	case c.Customer.Network == "poor":
		return "the customer's network is poor"
	case c.Events == "waiting":
		return "what the endpoint tells of the call is not heard; the conversation goes on"
	}
	return ""
}
