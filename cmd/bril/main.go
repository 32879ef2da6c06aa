// Command bril is the agent on the glasses: daemon and command line in one.
package main

import (
	"os"

	"github.com/bril-edge/bril/cmd/internal/cli"
)

// version, and when its commit was made (RFC 3339), are set by the linker.
var (
	version = "unknown"
	built   string
)

func main() {
	os.Exit(cli.Main(cli.App{
		Version: version, Built: built,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Args: os.Args[1:],
	}))
}
