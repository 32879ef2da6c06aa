// Command fleetbench measures the fleet's service: thousands of simulated boards
// against one showroom on this machine. Its last line is the result, as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/bril-edge/bril/cmd/internal/fleetsim"
	"github.com/bril-edge/bril/cmd/internal/porttest"
	"github.com/bril-edge/bril/cmd/internal/showroom"
	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet/manager"
	"github.com/bril-edge/bril/configs/fleet"
)

// The limits that the result has to keep.
const (
	maxSeconds = 60
	maxMiB     = 1024
	share      = 0.99
	// reachTime is within which a board has to be seen after the push to count.
	reachTime = 30 * time.Second
)

// result is the last line.
type result struct {
	Devices       int     `json:"devices"`
	Reachable     int     `json:"reachable"`
	Confirmed     int     `json:"confirmed"`
	ConfirmedS    float64 `json:"confirmed_s"`
	ServerPeakMiB float64 `json:"server_peak_mib"`
}

func main() {
	var b bench
	flag.IntVar(&b.devices, "devices", 5000, "boards")
	flag.Float64Var(&b.how.Offline, "offline", 1.0/3, "share of boards that are never on")
	flag.Float64Var(&b.how.Flapping, "flapping", 0.1, "share of boards that come and go")
	flag.DurationVar(&b.how.Probation, "probation", 5*time.Second, "how long a board tries a configuration")
	flag.Uint64Var(&b.how.Seed, "seed", uint64(time.Now().UnixNano()), "of who comes and goes when")
	flag.StringVar(&b.binary, "showroom", "bin/showroom", "the server")
	flag.Parse()
	b.how.FleetName = showroom.DefaultFleet
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := b.run(ctx)
	if r.Devices == 0 { // nothing was measured
		fmt.Fprintln(os.Stderr, "fleetbench:", err)
		os.Exit(1)
	}
	if err = errors.Join(err, r.check()); err != nil {
		fmt.Fprintln(os.Stderr, "fleetbench:", err)
	}
	_ = json.NewEncoder(os.Stdout).Encode(r) // stdout is gone, nobody to tell
	if err != nil {
		os.Exit(1)
	}
}

// check says which limits the result does not keep.
func (r result) check() (err error) {
	if r.Reachable == 0 || float64(r.Confirmed) < share*float64(r.Reachable) || r.ConfirmedS == 0 {
		err = fmt.Errorf("only %d of %d have confirmed", r.Confirmed, r.Reachable)
	}
	if r.ConfirmedS > maxSeconds {
		err = errors.Join(err, fmt.Errorf("that took %.1f s, which is more than %d s", r.ConfirmedS, maxSeconds))
	}
	if r.ServerPeakMiB > maxMiB {
		err = errors.Join(err, fmt.Errorf("the server took %.1f MiB, which is more than %d MiB", r.ServerPeakMiB, maxMiB))
	}
	return err
}

type bench struct {
	devices int
	how     fleetsim.Behaviour
	binary  string
	start   func() (*fleetsim.Server, error)
	server  *fleetsim.Server // that runs
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (b *bench) run(ctx context.Context) (r result, err error) {
	dir, err := os.MkdirTemp("", "fleetbench-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	say("%d boards, %d CPUs, seed %d", b.devices, runtime.NumCPU(), b.how.Seed)
	begun := time.Now()
	f, err := fleetsim.Prepare(ctx, dir, b.devices, progress("enrolled"))
	if err != nil {
		return r, err
	}
	say("enrolled %d boards in %.1f s, in the server's files, each by a token and a request of its own", b.devices, time.Since(begun).Seconds())
	listen, err := porttest.Find() // which no board's connection has when the server starts again
	if err != nil {
		return r, err
	}
	b.start = func() (*fleetsim.Server, error) { return fleetsim.Start(ctx, b.binary, listen, f) }
	if b.server, err = b.start(); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.server.Stop(syscall.SIGTERM)) }()
	return b.measure(ctx, f)
}

// progress prints now and then how far something is.
func progress(what string) func(done, of int) {
	last := time.Now()
	return func(done, of int) {
		if time.Since(last) > 2*time.Second {
			last = time.Now()
			say("%s %d of %d", what, done, of)
		}
	}
}

// measure connects the crowd, pushes, waits for what comes of it, and has the server
// crash.
func (b *bench) measure(ctx context.Context, f *fleetsim.Fleet) (r result, err error) {
	crowd := fleetsim.NewCrowd(f, b.server.URL, b.how)
	on, off := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		crowd.Run(on)
	}()
	defer func() {
		off()
		<-done
	}()
	if err := b.connect(ctx, crowd); err != nil {
		return r, fmt.Errorf("%w\n%s", err, b.server.Said())
	}
	client, err := manager.New(manager.Config{Server: b.server.URL, Token: f.Token, Roots: f.Roots})
	if err != nil {
		return r, err
	}
	pushed := time.Now()
	crowd.Look()
	bundle := fleet.Bundle{NotBefore: pushed.Add(-time.Hour), Expires: pushed.Add(time.Hour), Configuration: "video:\n  max_bitrate: 1.5M\n"}
	if _, _, err := client.SignAndPush(ctx, bundle, f.Key, service.Push{Reason: "a measurement", Waves: []int{100}}, false); err != nil {
		return r, err
	}
	say("pushed in %.2f s", time.Since(pushed).Seconds())
	reachable, at, err := b.await(ctx, crowd, pushed)
	if err != nil {
		return r, err
	}
	r = result{Devices: b.devices, Reachable: len(reachable)}
	r.Confirmed, _ = crowd.Confirmed(reachable, share)
	if !at.IsZero() {
		r.ConfirmedS = seconds(at.Sub(pushed))
	}
	peak, cpu, err := b.server.Usage()
	if err != nil {
		return r, err
	}
	r.ServerPeakMiB = mib(peak)
	o, err := known(ctx, client, int(math.Ceil(share*float64(r.Reachable))))
	if err != nil {
		return r, err
	}
	say("the service says: %d devices, %d online, %d current, %d waiting, %d failed; its processor time %.1f s, its peak %.0f MiB",
		o.Devices.Total, o.Devices.Online, o.Devices.Current, o.Devices.Waiting, o.Devices.Failed, cpu.Seconds(), peak)
	again, err := b.storm(ctx, crowd, client)
	r.ServerPeakMiB = max(r.ServerPeakMiB, mib(again))
	return r, err
}

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// known waits until the service says of so many that they run the newest bundle: some
// have confirmed it while they had no line.
func known(ctx context.Context, client *manager.Client, need int) (o service.Overview, err error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for deadline := time.Now().Add(reachTime); ; {
		if o, err = client.Overview(ctx); err != nil || o.Devices.Current >= need {
			return o, err
		}
		if time.Now().After(deadline) {
			return o, fmt.Errorf("the service says that %d boards run it, of %d that do", o.Devices.Current, need)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return o, ctx.Err()
		}
	}
}

func mib(n float64) float64 { return math.Round(n*10) / 10 }

// connectTime is how long the crowd has to come online.
const connectTime = 3 * time.Minute

// connect waits until all that stay on are online.
func (b bench) connect(ctx context.Context, crowd *fleetsim.Crowd) error {
	begun, tell := time.Now(), progress("online")
	steady := len(crowd.On()) - crowd.Flapping
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		n := crowd.Look()
		if n >= steady {
			took := time.Since(begun).Seconds()
			say("%d boards online after %.1f s, %.0f a second", n, took, float64(n)/took)
			return nil
		}
		tell(n, len(crowd.On()))
		if time.Since(begun) > connectTime {
			return fmt.Errorf("only %d of %d boards came online within %v", n, len(crowd.On()), connectTime)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// await waits until the share of the reachable has confirmed, or it is too late. Who
// is reachable is known once reachTime is over.
func (b bench) await(ctx context.Context, crowd *fleetsim.Crowd, pushed time.Time) (reachable map[string]bool, at time.Time, err error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	tell := progress("confirmed")
	var halves [3]bool
	for {
		since := time.Since(pushed)
		if since < reachTime {
			crowd.Look()
			reachable = crowd.Reachable(pushed)
		}
		n, at := crowd.Confirmed(reachable, share)
		if n < len(reachable) {
			tell(n, len(reachable))
		}
		for i, part := range []float64{0.5, 0.9, 0.99} {
			if !halves[i] && n > 0 && float64(n) >= part*float64(len(reachable)) {
				halves[i] = true
				say("%.0f %% of those seen so far have confirmed after %.1f s", part*100, since.Seconds())
			}
		}
		if since >= reachTime && !at.IsZero() || since > 2*maxSeconds*time.Second {
			return reachable, at, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, at, ctx.Err()
		}
	}
}
