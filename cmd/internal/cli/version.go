package cli

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/hardware/serial"
)

func newVersion(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "version prints the version of this program, its platform and the Go it was built\nwith; with --json also when that was, and the serial number of this board.\n\n" + ExitCodes,
		Example: "  bril version\n  bril version --json | jq -r .serial",
		Args:    arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			board := serial.Read()
			v := struct {
				SchemaVersion int    `json:"schema_version"`
				Version       string `json:"version"`
				OS            string `json:"os"`
				Arch          string `json:"arch"`
				Go            string `json:"go"`
				Built         string `json:"built"`  // when, RFC 3339; "" where nobody knows
				Serial        string `json:"serial"` // of the board; "" likewise
				Model         string `json:"model"`
			}{schemaVersion, o.app.Version, runtime.GOOS, runtime.GOARCH, runtime.Version(), o.app.Built, board.Serial, board.Model}
			return o.print(c, v, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "bril %s %s/%s %s\n", v.Version, v.OS, v.Arch, v.Go)
				return err
			})
		},
	}
}
