package fleet_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bundles "github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/uplink/fleet"
	"github.com/bril-edge/bril/uplink/fleet/fleettest"
)

const (
	heartbeat = 200 * time.Millisecond
	device    = fleettest.Device
)

// board is what a line is given, and keeps what comes.
type board struct {
	*fleet.Link
	log bytes.Buffer // read after Run

	mu       sync.Mutex
	offers   []string
	restarts int
	busy     error
	serial   uint64 // that runs
}

// config is of a board that a service knows.
func (b *board) config(t *testing.T, s *fleettest.Service) fleet.Config {
	t.Helper()
	return fleet.Config{
		URL: s.URL, Device: device, Version: "1.2.3", Model: "Test Board 5", Client: s.Client(t, device),
		Offer: b.offered, Report: b.report, Restart: b.restarted, Restarts: filepath.Join(t.TempDir(), "restarts.json"),
		Effective: func() ([]byte, []byte) { return []byte("video: {}\n"), []byte("video: {fps: 30}\n") },
		Health: func() fleet.Health {
			return fleet.Health{Healthy: true, Status: "ready", Parts: map[string]fleet.Health{"camera": {Error: "gone", Since: time.Unix(1700000000, 0)}}}
		},
		Heartbeat: heartbeat, Fetch: time.Hour, Log: slog.New(slog.NewTextHandler(&b.log, nil)),
	}
}

func (b *board) offered(envelope []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.offers = append(b.offers, string(envelope))
}

func (b *board) report() bundles.Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bundles.Report{SchemaVersion: bundles.SchemaVersion, Running: bundles.Running{Serial: b.serial}, State: "ready"}
}

func (b *board) restarted() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy != nil {
		return b.busy
	}
	b.restarts++
	return nil
}

func (b *board) has(offer string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.offers, offer)
}

// taken is how many offers and restarts there were.
func (b *board) taken() (offers, restarts int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.offers), b.restarts
}

func (b *board) set(f func()) {
	b.mu.Lock()
	f()
	b.mu.Unlock()
}

// start runs a line until the test ends, or the function that it returns is called.
func (b *board) start(t *testing.T, cfg fleet.Config) (stop func()) {
	t.Helper()
	var err error
	if b.Link, err = fleet.New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// standing is a board whose line stands.
func standing(t *testing.T, s *fleettest.Service) *board {
	t.Helper()
	b := &board{}
	b.start(t, b.config(t, s))
	b.stands(t, s)
	return b
}

func (b *board) stands(t *testing.T, s *fleettest.Service) {
	t.Helper()
	s.Await(t, "line", func() bool { return b.Status().Connected })
}

// noneLeft fails the test when goroutines are left after everything has been closed.
// It is called first, so that it looks last.
func noneLeft(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

// problem says that a board has told of a problem that begins so.
func problem(s *fleettest.Service, begins string) func() bool {
	return func() bool {
		return slices.ContainsFunc(s.Board(device).Report.Problems, func(p string) bool { return strings.HasPrefix(p, begins) })
	}
}

// failing waits until a line has a trouble that is one.
func (b *board) failing(t *testing.T, s *fleettest.Service, one error) {
	t.Helper()
	s.Await(t, "trouble", func() bool { return errors.Is(b.Status().Trouble, one) })
}
