// Boardrun boots the virtual board and runs one command in it, or without one a
// shell:
//
//	go run ./hardware/virtualboard/boardrun [-share DIR] [-p MODULE.NAME=VALUE]... [COMMAND [ARGUMENT]...]
//
// The folder DIR (default: the current one) is /host in the guest; programs in its
// bin/arm64 and bin are found by name. With -prepare it only fetches and builds what
// a board is made of.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/bril-edge/bril/hardware/virtualboard"
)

type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	var parameters list
	share := flag.String("share", ".", "the folder that the guest sees as /host")
	prepare := flag.Bool("prepare", false, "only fetch and build")
	flag.Var(&parameters, "p", "a module's parameter, as vivid.n_devs=2")
	flag.Parse()
	code, err := run(*share, parameters, flag.Args(), *prepare)
	if err != nil {
		fmt.Fprintln(os.Stderr, "boardrun:", err)
		code = 1
	}
	os.Exit(code)
}

func run(share string, parameters, args []string, prepare bool) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	share, err := filepath.Abs(share)
	if err != nil {
		return 0, err
	}
	image, err := virtualboard.Prepare(ctx, virtualboard.Config{Log: func(line string) { fmt.Fprintln(os.Stderr, "board:", line) }})
	if err != nil || prepare {
		return 0, err
	}
	board, err := image.Boot(ctx, virtualboard.BootConfig{Share: share, Parameters: parameters, Terminal: len(args) == 0})
	if err != nil {
		return 0, err
	}
	defer board.Close()
	if len(args) == 0 {
		return board.Shell(ctx)
	}
	result, err := board.Run(ctx, args...)
	os.Stdout.Write(result.Stdout)
	os.Stderr.Write(result.Stderr)
	for _, line := range board.Complaints() {
		fmt.Fprintln(os.Stderr, "kernel:", line)
	}
	return result.Code, err
}
