package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/control"
)

func newMute(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "mute on|off",
		Short: "Hear the customer no longer, or again",
		Long: `mute turns off what the advisor hears of the customer, until it is turned on
again. What customers hear is not changed by it.

` + ExitCodes,
		Example:   "  bril mute on\n  bril mute off",
		ValidArgs: []string{"on", "off"},
		Args:      arguments("on", "off"),
		RunE: func(c *cobra.Command, args []string) error {
			client := o.client()
			defer client.Close()
			t, err := client.Mute(c.Context(), args[0] == "on")
			if err != nil {
				return err
			}
			v := struct {
				SchemaVersion int `json:"schema_version"`
				control.Talkback
			}{schemaVersion, t}
			return o.print(c, v, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, "talk-back "+talkbackLine(t))
				return err
			})
		},
	}
}

func writeTalkback(b *strings.Builder, t *control.Talkback) {
	if t != nil {
		row(b, "talk-back", talkbackLine(*t))
	}
}

func talkbackLine(t control.Talkback) string {
	line := printable(t.State)
	if t.State == "hearing" {
		line += fmt.Sprintf(", %.0f ms behind, jitter %.1f ms, %d lost, %.1f s made up", t.DelayMS, t.JitterMS, t.Lost, t.ConcealedMS/1000)
	}
	if t.Muted {
		line += ", muted"
	}
	return line
}
