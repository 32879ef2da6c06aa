package fleetsim

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/porttest"
	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet/manager"
	"github.com/bril-edge/bril/configs/fleet"
)

// binary is the showroom that is built once for all tests.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "fleetsim")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "showroom")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/bril-edge/bril/cmd/showroom").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build showroom: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// day is a fleet, its service and its crowd.
type day struct {
	*testing.T
	fleet  *Fleet
	listen string
	server *Server
	crowd  *Crowd
	client *manager.Client
}

// patience bounds each wait; a busy machine needs most of it.
const patience = 90 * time.Second

func begin(t *testing.T, boards int, how Behaviour) *day {
	t.Helper()
	f, err := Prepare(t.Context(), t.TempDir(), boards, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &day{T: t, fleet: f}
	d.listen = porttest.Address(t) // which no board's connection has when the server starts again
	d.start()
	how.FleetName = "fleet"
	d.crowd = NewCrowd(f, d.server.URL, how)
	ctx, off := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.crowd.Run(ctx)
	}()
	t.Cleanup(func() {
		off()
		<-done
		d.server.Stop(syscall.SIGKILL)
	})
	if d.client, err = manager.New(manager.Config{Server: d.server.URL, Token: f.Token, Roots: f.Roots}); err != nil {
		t.Fatal(err)
	}
	d.until("all are online", func() bool { return d.crowd.Look() >= len(d.crowd.On())-d.crowd.Flapping })
	return d
}

func (d *day) start() {
	d.Helper()
	var err error
	if d.server, err = Start(d.Context(), binary, d.listen, d.fleet); err != nil {
		d.Fatal(err)
	}
}

// until waits for what some board or the service does.
func (d *day) until(what string, is func() bool) {
	d.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(); {
		if time.Now().After(deadline) {
			o, err := d.client.Overview(d.Context())
			d.Fatalf("never: %s; the service says %+v, %v\n%s", what, o.Devices, err, d.server.Said())
		}
		select {
		case <-tick.C:
		case <-d.crowd.Changed():
		}
	}
}

func (d *day) push(configuration string, waves ...int) service.Rollout {
	d.Helper()
	b := fleet.Bundle{NotBefore: time.Now().Add(-time.Hour), Expires: time.Now().Add(time.Hour), Configuration: configuration}
	r, _, err := d.client.SignAndPush(d.Context(), b, d.fleet.Key, service.Push{Reason: "a test", Waves: waves}, false)
	if err != nil {
		d.Fatal(err)
	}
	return r
}

func (d *day) rollout(serial uint64) service.Rollout {
	d.Helper()
	r, err := d.client.Rollout(d.Context(), serial)
	if err != nil {
		d.Fatal(err)
	}
	return r
}

// TestServerRestart kills the service in the middle of a rollout: all of it goes on,
// and no board does anything twice.
func TestServerRestart(t *testing.T) {
	d := begin(t, 60, Behaviour{Probation: 2 * time.Second})
	r := d.push("video:\n  max_bitrate: 1.5M\n", 50, 100)
	d.until("some have it", func() bool { return applied(d.crowd, r.Serial) >= 10 })
	if err := d.server.Stop(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	d.start()
	d.until("all have it", func() bool { return applied(d.crowd, r.Serial) == len(d.crowd.Boards) })
	d.until("it is done", func() bool { return d.rollout(r.Serial).State == service.StateDone })
	for _, b := range d.crowd.Boards {
		if n := b.Applied(r.Serial); n != 1 {
			t.Errorf("%s has applied it %d times", b.ID(), n)
		}
	}
	total := 0
	for _, w := range d.rollout(r.Serial).Waves {
		total += w.Confirmed
	}
	if total != len(d.crowd.Boards) {
		t.Errorf("the service counts %d confirmed", total)
	}
	all, err := d.client.Audit(t.Context())
	if err != nil || !all.Intact {
		t.Errorf("the audit after a crash: %v, intact %v", err, all.Intact)
	}
}

func applied(c *Crowd, serial uint64) (n int) {
	for _, b := range c.Boards {
		if b.Applied(serial) > 0 {
			n++
		}
	}
	return n
}

// TestBadWave: a configuration that does not work stops in its first wave, and no
// board outside of that is ever offered it.
func TestBadWave(t *testing.T) {
	boards := 1000
	if raceDetector {
		boards = 150
		t.Logf("the race detector is on: %d boards", boards)
	}
	d := begin(t, boards, Behaviour{Probation: time.Second, Works: Bad("/nothing/here")})
	good := d.push("video:\n  max_bitrate: 1.5M\n", 100)
	d.until("all have the good one", func() bool { return d.rollout(good.Serial).State == service.StateDone })
	begun := time.Now()
	bad := d.push("uplink:\n  whip_url: https://127.0.0.1/nothing/here\n", 5, 25, 100)
	d.until("it is stopped", func() bool { return d.rollout(bad.Serial).State == service.StateStopped })
	r := d.rollout(bad.Serial)
	t.Logf("%d boards, stopped after %.1f s: %s", boards, time.Since(begun).Seconds(), r.Why)
	if got := applied(d.crowd, bad.Serial); r.Wave != 1 || got == 0 || got > r.Waves[0].Devices {
		t.Errorf("in wave %d, %d boards have tried it, of %d in the first wave", r.Wave, got, r.Waves[0].Devices)
	}
	d.until("all run the good one", func() bool {
		o, err := d.client.Overview(t.Context())
		return err == nil && o.Devices.Current == boards
	})
	for _, b := range d.crowd.Boards {
		if b.Report().Running.Serial != good.Serial {
			t.Errorf("%s runs %d", b.ID(), b.Report().Running.Serial)
		}
	}
}

// TestComingAndGoing: boards that lose their line all the time, and boards that are
// off, keep no rollout from its end; those that are off get it when they come.
func TestComingAndGoing(t *testing.T) {
	d := begin(t, 40, Behaviour{Probation: time.Second, Flapping: 0.25, Offline: 0.25, Seed: 7})
	r := d.push("video:\n  max_bitrate: 1.5M\n", 20, 100)
	d.until("all that are on have it", func() bool { return applied(d.crowd, r.Serial) == len(d.crowd.On()) })
	d.until("it is done", func() bool { return d.rollout(r.Serial).State == service.StateDone })
	late := d.crowd.Boards[len(d.crowd.Boards)-1]
	ctx, off := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		late.Run(ctx)
	}()
	defer func() {
		off()
		<-done
	}()
	d.until("who comes late has it too", func() bool { return late.Report().Running.Serial == r.Serial })
}
