//go:build nodemo

package cli

import "github.com/spf13/cobra"

const tryIt = ""

func demoCommands(*options) []*cobra.Command { return nil }
