package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/control"
)

func newLive(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "live on|off|pause",
		Short: "Go live, end it, or pause it",
		Long: `live does what the buttons do. pause sends black and silence at once: nothing
captured after it leaves the glasses. on goes live, and on after a pause.

` + ExitCodes,
		Example:   "  bril live on\n  bril live pause\n  bril live off",
		ValidArgs: []string{"on", "off", "pause"},
		Args:      arguments("on", "off", "pause"),
		RunE: func(c *cobra.Command, args []string) error {
			client := o.client()
			defer client.Close()
			state, err := client.Live(c.Context(), control.Action(args[0]))
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
