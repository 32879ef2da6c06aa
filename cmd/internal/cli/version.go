package cli

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "version prints the version of this program, its platform and the Go it was built\nwith.\n\n" + ExitCodes,
		Example: "  bril version\n  bril version --json | jq -r .version",
		Args:    arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			v := struct {
				SchemaVersion int    `json:"schema_version"`
				Version       string `json:"version"`
				OS            string `json:"os"`
				Arch          string `json:"arch"`
				Go            string `json:"go"`
			}{schemaVersion, o.app.Version, runtime.GOOS, runtime.GOARCH, runtime.Version()}
			return o.print(c, v, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "bril %s %s/%s %s\n", v.Version, v.OS, v.Arch, v.Go)
				return err
			})
		},
	}
}
