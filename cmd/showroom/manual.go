//go:build manual

// Built with the tag manual, showroom writes its man pages to the directory that its
// argument names, and is no server: `make manual` does that.
package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/bril-edge/bril/cmd/internal/manual"
)

func main() {
	if err := manual.Pages(os.Args[1], newCommand(io.Discard, io.Discard, nil), time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "make manual:", err)
		os.Exit(1)
	}
}
