package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/bril-edge/bril/cmd/internal/fleetsim"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet/manager"
)

// storm kills the server under all of its lines, starts it again, and sees in which
// time they are back: none of the boards may have applied anything twice by then, and
// the service has to know of each what it knew before.
func (b *bench) storm(ctx context.Context, crowd *fleetsim.Crowd, client *manager.Client) error {
	before, err := client.Overview(ctx)
	if err != nil {
		return err
	}
	serial := before.Rollouts[0].Serial
	say("the server is killed under %d lines", crowd.Look())
	if err := b.server.Stop(syscall.SIGKILL); err != nil {
		return err
	}
	if b.server, err = b.start(); err != nil {
		return err
	}
	most, err := b.back(ctx, crowd)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, b.server.Said())
	}
	peak, cpu, err := b.server.Usage()
	if err != nil {
		return err
	}
	say("never more than %d lines in a second; the new server's processor time %.1f s, its peak %.0f MiB", most, cpu.Seconds(), peak)
	after, err := client.Overview(ctx)
	if err != nil {
		return err
	}
	if after.Devices.Current < before.Devices.Current {
		err = fmt.Errorf("before the crash %d boards were current, and %d are now", before.Devices.Current, after.Devices.Current)
	}
	for _, board := range crowd.Boards {
		if n := board.Applied(serial); n > 1 {
			err = errors.Join(err, fmt.Errorf("board %s has applied bundle %d %d times", board.ID(), serial, n))
		}
	}
	return err
}

// back waits until the lines of all boards that stay on stand again, and returns how
// many came in a second, at most.
func (b *bench) back(ctx context.Context, crowd *fleetsim.Crowd) (most int, err error) {
	const lookEvery, looks = 100 * time.Millisecond, 10
	begun, steady := time.Now(), len(crowd.On())-crowd.Flapping
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var counts [looks]int // of the last second
	parts := []float64{0.5, 0.9, 0.99, 1}
	for i := 0; len(parts) > 0; i++ {
		n := crowd.Look()
		most = max(most, n-counts[i%looks])
		counts[i%looks] = n
		for len(parts) > 0 && float64(n) >= parts[0]*float64(steady) {
			say("%.0f %% of the lines are back after %.1f s", parts[0]*100, time.Since(begun).Seconds())
			parts = parts[1:]
		}
		if time.Since(begun) > connectTime {
			return most, fmt.Errorf("only %d of %d lines came back within %v", n, steady, connectTime)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return most, ctx.Err()
		}
	}
	return most, nil
}
