// Command showroom is Bril's reference cloud endpoint: glasses publish to it by
// WHIP, customers watch on its page or by WHEP.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// errInterrupted: the user pressed Ctrl-C. SIGTERM is how a service manager ends
// it in good order.
var errInterrupted = errors.New("interrupted")

func run(args []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	var interrupted atomic.Bool
	go func() { // ends with the process
		interrupted.Store(<-signals == syscall.SIGINT)
		cancel()
	}()
	err := runCommand(ctx, newCommand(os.Stdout, os.Stderr, args))
	if interrupted.Load() && (err == nil || errors.Is(err, context.Canceled)) {
		err = errInterrupted
	}
	return report(err, wantsJSON(args), os.Stdout, os.Stderr)
}
