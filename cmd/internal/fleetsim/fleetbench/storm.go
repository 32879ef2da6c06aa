package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/bril-edge/bril/cmd/internal/fleetsim"
	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet/manager"
)

// storm kills the server under all of its lines, starts it again, and sees in which
// time they are back: none of the boards may have applied anything twice by then, and
// the service has to know of each what it knew before. It returns the peak of the new
// server's memory, in MiB.
func (b *bench) storm(ctx context.Context, crowd *fleetsim.Crowd, client *manager.Client) (peakMiB float64, err error) {
	before, err := client.Overview(ctx)
	if err != nil {
		return 0, err
	}
	refused := putOff(crowd)
	killed := time.Now()
	say("the server is killed under %d lines", crowd.Look())
	if err := b.server.Stop(syscall.SIGKILL); err != nil {
		return 0, err
	}
	if b.server, err = b.start(); err != nil {
		return 0, err
	}
	say("it listens again after %.1f s", time.Since(killed).Seconds())
	most, err := b.back(ctx, crowd, killed)
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, b.server.Said())
	}
	peak, cpu, err := b.server.Usage()
	if err != nil {
		return 0, err
	}
	say("at most %d boards had their first answer within one second, and %d times one was told to come again later; the new server's processor time %.1f s, its peak %.0f MiB",
		most, putOff(crowd)-refused, cpu.Seconds(), peak)
	return peak, b.kept(ctx, crowd, client, before)
}

// kept compares with what the service knew before its crash.
func (b *bench) kept(ctx context.Context, crowd *fleetsim.Crowd, client *manager.Client, before service.Overview) error {
	serial := before.Rollouts[0].Serial
	_, err := known(ctx, client, before.Devices.Current)
	for _, board := range crowd.Boards {
		if n := board.Applied(serial); n > 1 {
			err = errors.Join(err, fmt.Errorf("board %s has applied bundle %d %d times", board.ID(), serial, n))
		}
	}
	return err
}

// putOff is how often any board was told to come again later.
func putOff(crowd *fleetsim.Crowd) (n int) {
	for _, board := range crowd.On() {
		n += board.PutOff()
	}
	return n
}

// back waits until as many lines stand again as boards stay on, and returns how many
// came in a second, at most: by when boards were answered, which on a busy machine is
// more at once than were let in.
func (b *bench) back(ctx context.Context, crowd *fleetsim.Crowd, killed time.Time) (most int, err error) {
	steady := len(crowd.On()) - crowd.Flapping
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for parts := []float64{0.5, 0.9, 0.99, 1}; ; {
		made := crowd.Since(killed)
		for len(parts) > 0 && float64(len(made)) >= parts[0]*float64(steady) {
			say("%.0f %% of the lines are back after %.1f s", parts[0]*100, time.Since(killed).Seconds())
			parts = parts[1:]
		}
		switch {
		case len(parts) == 0:
			return fleetsim.Busiest(made), nil
		case time.Since(killed) > connectTime:
			return 0, fmt.Errorf("only %d of %d lines came back within %v", len(made), steady, connectTime)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
