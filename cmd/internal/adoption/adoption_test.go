package adoption

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
)

func TestTakenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		end := g.live()
		defer end()
		one := bundle(1)
		one.Secrets = map[string]string{"turn": "hush"}
		one.Configuration += "uplink: {ice_servers: [{urls: ['turn:turn.example'], username: bril, credential_file: secrets/turn}]}\n"
		g.dryRuns(func(cfg configs.Config) error { // it reads them
			secret, err := os.ReadFile(cfg.Uplink.ICEServers[0].CredentialFile)
			if err == nil && string(secret) != "hush" {
				t.Errorf("the secret is %q", secret)
			}
			return err
		})
		g.offerBundle(one)
		r := g.want(1, 1, fleet.Confirmed)
		if r.Floor != 1 || r.Running.Content != one.Content() || len(r.Problems) > 0 {
			t.Errorf("report: %+v", r)
		}
		if files := tree(t, g.cfg.Dir); files["secrets/"+one.Content()+"/turn"] != "hush" {
			t.Errorf("the folder has %v", files)
		}
		g.dryRuns(nil)
		g.offerBundle(bundle(2))
		g.want(2, 2, fleet.Confirmed)
		files := tree(t, g.cfg.Dir)
		if len(files) != 7 { // three folders, state, floor, pins, one envelope
			t.Errorf("what nothing names is still there: %v", files)
		}
		if want := []uint64{0, 1, 2}; !slices.Equal(g.began(), want) || g.anews.Load() != 2 {
			t.Errorf("%v ran, %d times anew", g.began(), g.anews.Load())
		}
	})
}

func TestNothingIsAppliedWhileLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		end := g.live()
		defer end()
		g.talk("live")
		g.offerBundle(bundle(1))
		time.Sleep(time.Hour)
		r := g.want(0, 1, fleet.Staged)
		if r.Attempted.Waits != "live" || g.anews.Load() != 0 {
			t.Errorf("%+v, %d times anew", r.Attempted, g.anews.Load())
		}
		g.talk("making a clip")
		if r := g.want(0, 1, fleet.Staged); r.Attempted.Waits != "making a clip" {
			t.Errorf("waits for %q", r.Attempted.Waits)
		}
		g.talk("")
		time.Sleep(time.Hour)
		g.want(1, 1, fleet.Confirmed)
		if g.anews.Load() != 1 {
			t.Errorf("%d times anew", g.anews.Load())
		}
	})
}

func TestReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		end := g.live()
		defer end()
		g.offerBundle(bundle(1))
		g.proves(func(context.Context, *fleet.Bundle) error { return errBad })
		bad := bundle(2)
		g.offerBundle(bad)
		r := g.want(1, 2, fleet.Returned)
		if at := r.Attempted; at.During != fleet.Probation || at.Element != "encoder" || at.Error != errBad.Error() || len(at.Log) != 1 || r.Floor != 2 {
			t.Errorf("%+v", at)
		}
		g.proves(nil)
		time.Sleep(time.Second)
		g.offerBundle(bad) // again, and under another serial
		g.want(1, 2, fleet.Returned)
		bad.Serial = 3
		g.offerBundle(bad)
		if r := g.want(1, 3, fleet.Refused); r.Attempted.Element != "quarantine" || !strings.Contains(r.Attempted.Error, "it makes no frames") {
			t.Errorf("%+v", r.Attempted)
		}
		bad.Serial, bad.Retry = 4, true
		g.offerBundle(bad)
		g.want(4, 4, fleet.Confirmed)
		if want := []uint64{0, 1, 2, 1, 4}; !slices.Equal(g.began(), want) {
			t.Errorf("%v ran", g.began())
		}
	})
}

// A dry run that panics is refused: the daemon lives, and is not offered to death.
func TestPanicWhileTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		end := g.live()
		defer end()
		g.offerBundle(bundle(1))
		g.dryRuns(func(configs.Config) error { panic("no such mode") })
		bad := bundle(2)
		g.offerBundle(bad)
		r := g.want(1, 2, fleet.Refused)
		if at := r.Attempted; at.During != fleet.DryRun || at.Error != "panic: no such mode" {
			t.Errorf("%+v", at)
		}
		time.Sleep(time.Second)
		bad.Serial = 3
		g.offerBundle(bad)
		if r := g.want(1, 3, fleet.Refused); r.Attempted.Element != "quarantine" {
			t.Errorf("%+v", r.Attempted)
		}
	})
}

// A dry run that hangs in a driver is waited for, not for ever, and not asked again
// meanwhile; what is newer has its turn as soon as the driver has let go.
func TestDryRunHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		defer g.live()()
		var asked atomic.Int32
		lets := make(chan struct{})
		g.dryRuns(func(configs.Config) error {
			if asked.Add(1) == 1 {
				<-lets
			}
			return nil
		})
		g.offerBundle(bundle(1))
		time.Sleep(dryRunTime + time.Second)
		if at := g.now().Report().Attempted; at.Phase != fleet.DryRun || !strings.Contains(at.Waits, "has not said within 15s") {
			t.Errorf("%+v", at)
		}
		g.offerBundle(bundle(2))
		time.Sleep(2 * againAfter)
		if n := asked.Load(); n != 1 {
			t.Errorf("it was asked %d times while it hung", n)
		}
		if at := g.now().Report().Attempted; at.Serial != 2 || !strings.Contains(at.Waits, "an earlier dry run") {
			t.Errorf("%+v", at)
		}
		close(lets)
		time.Sleep(againAfter + time.Second)
		g.want(2, 2, fleet.Confirmed)
	})
}

// What proves nothing has 45 s, in which nothing else was under way.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		end := g.live()
		defer end()
		g.proves(func(ctx context.Context, _ *fleet.Bundle) error {
			<-ctx.Done()
			return ctx.Err()
		})
		began := time.Now()
		g.offerBundle(bundle(1))
		time.Sleep(20500 * time.Millisecond) // not just when it is looked at
		g.talk("live")
		time.Sleep(time.Hour)
		g.want(1, 1, fleet.Probation)
		g.talk("")
		time.Sleep(26 * time.Second)
		r := g.want(0, 1, fleet.Returned)
		if took := r.Attempted.At.Sub(began) - time.Hour; took > 60*time.Second || r.Attempted.Element != "probation" {
			t.Errorf("after %v: %+v", took, r.Attempted)
		}
	})
}

func TestStarts(t *testing.T) {
	g := newGlasses(t)
	staged(t, g, 1)
	for i := range fleet.MaxStarts {
		a := g.open()
		if start, err := a.Begin(); err != nil || !start.Probation || start.Bundle.Serial != 1 {
			t.Fatalf("start %d: %+v, %v", i, start, err)
		}
	}
	// It is given up before it is looked at.
	if err := os.RemoveAll(filepath.Join(g.cfg.Dir, envelopesDir)); err != nil {
		t.Fatal(err)
	}
	a := g.open()
	if start, err := a.Begin(); err != nil || start.Bundle != nil {
		t.Fatalf("%+v, %v", start, err)
	}
	if r := a.Report(); r.Attempted.Phase != fleet.Returned || r.Attempted.Element != "start" || r.Floor != 1 {
		t.Errorf("%+v", r.Attempted)
	}
}

// staged leaves a disk on which a bundle is on probation, and has not started.
func staged(t testing.TB, g *glasses, serial uint64) {
	t.Helper()
	a := g.open()
	a.Offer(sign(t, bundle(serial), g.key))
	a.tryNext(context.Background(), g)
	g.again = func() {}
	a.applyNext(g)
	if a.state.Trial == nil || a.state.Trial.Serial != serial {
		t.Fatalf("not on probation: %+v\n%s", a.state, g.log.String())
	}
}

// An agent that ends as it is told to has not failed.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		g.proves(func(ctx context.Context, _ *fleet.Bundle) error {
			<-ctx.Done()
			return ctx.Err()
		})
		staged(t, g, 1)
		for range 5 {
			end := g.live()
			g.want(1, 1, fleet.Probation)
			end()
		}
		g.proves(nil)
		defer g.live()()
		g.want(1, 1, fleet.Confirmed)
	})
}

// What is newer takes the place of what is older in each phase, and never the other way.
func TestSuperseded(t *testing.T) {
	tests := []struct {
		name  string
		hold  func(*glasses) // keeps bundle 2 in its phase
		phase fleet.Phase
		free  func(*glasses)
		ran   []uint64
	}{
		{"a broken file", func(g *glasses) { err := fmt.Errorf("bril.yaml: %w", ErrNotNow); g.broken.Store(&err) }, fleet.DryRun, func(g *glasses) { g.broken.Store(nil) }, []uint64{0, 3}},
		{"dry run", func(g *glasses) { g.dryRuns(func(configs.Config) error { return ErrNotNow }) }, fleet.DryRun, func(g *glasses) { g.dryRuns(nil) }, []uint64{0, 3}},
		{"staged", func(g *glasses) { g.talk("live") }, fleet.Staged, func(g *glasses) { g.talk("") }, []uint64{0, 3}},
		{"probation", func(g *glasses) {
			g.proves(func(ctx context.Context, b *fleet.Bundle) error {
				if b.Serial != 2 {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			})
		}, fleet.Probation, func(*glasses) {}, []uint64{0, 2, 3}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGlasses(t)
				defer g.live()()
				test.hold(g)
				g.offerBundle(bundle(2))
				if at := g.now().Report().Attempted; at.Phase != test.phase {
					t.Fatalf("it is %q", at.Phase)
				}
				g.offerBundle(bundle(3))
				g.offerBundle(bundle(1)) // too late
				test.free(g)
				time.Sleep(2 * time.Minute)
				g.want(3, 3, fleet.Confirmed)
				g.offerBundle(bundle(2)) // likewise
				time.Sleep(2 * time.Minute)
				if r := g.now().Report(); r.Running.Serial != 3 || r.Floor != 3 {
					t.Errorf("%+v", r)
				}
				ran := slices.Compact(g.began())
				if test.name == "probation" {
					ran = slices.DeleteFunc(ran, func(n uint64) bool { return n == 0 })
					test.ran = []uint64{2, 3}
				}
				if !slices.Equal(ran, test.ran) {
					t.Errorf("%v ran, not %v", ran, test.ran)
				}
			})
		})
	}
}

// What is not valid yet by a clock that may be wrong waits, and what has expired by it
// may come again.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		var ahead atomic.Int64
		g.cfg.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		defer g.live()()
		b := bundle(5)
		b.NotBefore, b.Expires = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		was := tree(t, g.cfg.Dir)
		g.offerBundle(b)
		sameTree(t, was, tree(t, g.cfg.Dir))
		if r := g.want(0, 5, fleet.Verified); !strings.Contains(r.Attempted.Waits, "not valid yet") {
			t.Errorf("%+v", r.Attempted)
		}
		older := bundle(4) // takes nothing from it
		g.offerBundle(older)
		g.want(4, 4, fleet.Confirmed)
		g.offerBundle(b)
		ahead.Store(int64(time.Hour))
		time.Sleep(2 * time.Second)
		g.want(5, 5, fleet.Confirmed)

		late := bundle(6)
		late.Expires = time.Now().Add(time.Hour)
		ahead.Store(int64(1000 * time.Hour))
		g.offerBundle(late)
		if r := g.want(5, 6, fleet.Refused); r.Attempted.Element != "expires" {
			t.Errorf("%+v", r.Attempted)
		}
		ahead.Store(0)
		time.Sleep(2 * time.Minute)
		g.offerBundle(late)
		g.want(6, 6, fleet.Confirmed)
	})
}

// A full disk changes nothing, is told, and all is done once it has room again.
func TestFullDisk(t *testing.T) {
	phases := []struct {
		name string
		full func(*glasses, *disk)
	}{
		{"offer", func(g *glasses, d *disk) {
			d.full.Store(true)
			g.offerBundle(bundle(2))
		}},
		{"apply", func(g *glasses, d *disk) {
			g.talk("live")
			g.offerBundle(bundle(2))
			d.full.Store(true)
			g.talk("")
		}},
		{"confirm", func(g *glasses, d *disk) {
			g.proves(func(context.Context, *fleet.Bundle) error { d.full.Store(true); return nil })
			g.offerBundle(bundle(2))
		}},
		{"start", func(g *glasses, d *disk) {
			d.full.Store(true)
		}},
	}
	for _, phase := range phases {
		t.Run(phase.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGlasses(t)
				d := &disk{}
				g.cfg.before = d.before
				end := g.live()
				g.offerBundle(bundle(1))
				if phase.name == "start" {
					end()
					staged(t, g, 2)
					d.full.Store(true)
					end = g.live()
				} else {
					phase.full(g, d)
				}
				was := tree(t, g.cfg.Dir)
				time.Sleep(10 * time.Minute)
				sameTree(t, was, tree(t, g.cfg.Dir))
				if r := g.now().Report(); len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "no space left") {
					t.Errorf("%+v", r)
				}
				if phase.name == "start" {
					g.want(1, 2, fleet.Probation) // the last known good runs
				}
				if n := strings.Count(g.log.String(), "level=ERROR"); n > 25 {
					t.Errorf("%d errors are logged", n)
				}
				g.proves(nil)
				d.full.Store(false)
				time.Sleep(2 * time.Minute)
				if r := g.want(2, 2, fleet.Confirmed); len(r.Problems) > 0 {
					t.Errorf("%+v", r)
				}
				end()
			})
		})
	}
}

// What does not work is left also where that cannot be kept.
func TestFailOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		d := &disk{}
		g.cfg.before = d.before
		defer g.live()()
		g.offerBundle(bundle(1))
		g.proves(func(context.Context, *fleet.Bundle) error { d.full.Store(true); return errBad })
		g.offerBundle(bundle(2))
		if got := g.now().Report().Running.Serial; got != 1 {
			t.Fatalf("bundle %d runs", got)
		}
		g.proves(func(context.Context, *fleet.Bundle) error { return errBad })
		d.full.Store(false)
		time.Sleep(2 * time.Minute)
		g.want(1, 2, fleet.Returned)
	})
}

// Secrets that are lost while the disk is full keep the bundle from running, and are no
// fault of it.
func TestSecretsOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGlasses(t)
		d := &disk{}
		g.cfg.before = d.before
		b := bundle(1)
		b.Secrets = map[string]string{"turn": "hush"}
		end := g.live()
		g.offerBundle(b)
		end()
		if err := os.RemoveAll(filepath.Join(g.cfg.Dir, secretsDir)); err != nil {
			t.Fatal(err)
		}
		d.full.Store(true)
		a := g.open()
		if start, err := a.Begin(); err == nil || start.Bundle != nil || a.Report().Running.Serial != 0 || len(a.Report().Problems) == 0 {
			t.Errorf("%+v, %v: %+v", start, err, a.Report())
		}
		d.full.Store(false)
		defer g.live()()
		g.want(1, 1, fleet.Confirmed)
	})
}

// Whoever is told that a report has changed may ask for it.
func TestWatch(t *testing.T) {
	g := newGlasses(t)
	a := g.open()
	told := 0
	a.Watch(func() { told++; a.Report() })
	a.Offer([]byte("nothing"))
	a.Offer([]byte("nothing"))
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}
