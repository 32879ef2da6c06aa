package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// schemaVersion counts the incompatible changes of what the commands print that
// have no version of their own.
const schemaVersion = 1

// print writes v as JSON where that was asked for, and as text writes it
// otherwise.
func (o *options) print(c *cobra.Command, v any, text func(io.Writer) error) error {
	if !o.json {
		return text(c.OutOrStdout())
	}
	encoder := json.NewEncoder(c.OutOrStdout())
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

// printLine writes v as JSON on one line.
func printLine(w io.Writer, v any) error {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}
