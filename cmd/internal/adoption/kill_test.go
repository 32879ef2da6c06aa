package adoption

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
)

// The test binary is the daemon, too: childDir is the folder of one, and childMode what
// it does.
const (
	childDir  = "BRIL_ADOPTION_DIR"
	childMode = "BRIL_ADOPTION_MODE"
	offering  = "offering" // takes up one bundle after the other, until it is killed
	panicking = "panicking"
)

func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	switch os.Getenv(childMode) {
	case offering:
		offerForever(dir)
	case panicking:
		panicOnProbation(dir)
	default:
		os.Exit(m.Run())
	}
}

func child(t *testing.T, dir, mode string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childDir+"="+dir, childMode+"="+mode)
	return cmd
}

func childConfig(dir string) Config {
	return Config{Dir: dir, Member: member, Keys: []string{public(keyOf("root"))}}
}

// fate is what becomes of a bundle of these tests.
func fate(serial uint64) fleet.Phase {
	switch serial % 5 {
	case 0:
		return fleet.Returned
	case 1:
		return fleet.Refused
	}
	return fleet.Confirmed
}

func fated(serial uint64) fleet.Bundle {
	b := bundle(1)
	b.Serial = serial
	b.Configuration = fmt.Sprintf("video:\n  max_bitrate: %dk\n", 500+serial%5000)
	b.Secrets = map[string]string{"turn": strconv.FormatUint(serial, 10), "other": "psst"}
	if fate(serial) == fleet.Refused {
		b.Configuration += "  no_such_key: 1\n"
	}
	return b
}

// prompt is a board that does all at once.
type prompt struct {
	serial atomic.Uint64 // of what runs
	again  atomic.Pointer[context.CancelFunc]
}

func (p *prompt) Configure(b fleet.Bundle, secretsDir string) (configs.Config, error) {
	cfg, _, err := b.Over(configs.Default(), secretsDir)
	return cfg, err
}

func (p *prompt) DryRun(context.Context, configs.Config) error { return nil }
func (p *prompt) Busy() string                                 { return "" }
func (p *prompt) Moved() <-chan struct{}                       { return nil }
func (p *prompt) Anew()                                        { (*p.again.Load())() }

func (p *prompt) Prove(context.Context) error {
	if fate(p.serial.Load()) == fleet.Returned {
		return errBad
	}
	return nil
}

// offerForever is the daemon and the service of a board that gets one bundle after the
// other. What it prints is safe on the disk.
func offerForever(dir string) {
	p := &prompt{}
	for {
		a, err := Open(childConfig(dir))
		if err != nil {
			panic(err)
		}
		start, err := a.Begin()
		if err != nil {
			panic(err)
		}
		serial := uint64(0)
		if start.Bundle != nil {
			serial = start.Bundle.Serial
		}
		p.serial.Store(serial)
		ctx, again := context.WithCancel(context.Background())
		p.again.Store(&again)
		changed := make(chan struct{}, 1)
		changed <- struct{}{}
		a.Watch(func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
		served := make(chan struct{})
		go func() {
			defer close(served)
			serve(ctx, a, changed)
		}()
		_ = a.Run(ctx, p)
		again()
		<-served
	}
}

func serve(ctx context.Context, a *Adoption, changed <-chan struct{}) {
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		r := a.Report()
		if at := r.Attempted; at != nil && at.Phase != fleet.Confirmed && at.Phase != fleet.Refused && at.Phase != fleet.Returned {
			continue
		}
		fmt.Println(r.Floor, r.Running.Serial)
		envelope, err := fleet.Sign(fated(r.Floor+1), keyOf("root"))
		if err != nil {
			panic(err)
		}
		a.Offer(envelope)
	}
}

// TestFleetKills kills the process at random moments while it takes up one bundle after
// the other. What is on the disk then is always the old configuration or the new one,
// and the floor is never lower. BRIL_KILLS is how often.
func TestFleetKills(t *testing.T) {
	kills := 50
	if n, err := strconv.Atoi(os.Getenv("BRIL_KILLS")); err == nil {
		kills = n
	}
	if testing.Short() {
		kills = 5
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := &siege{t: t, dir: filepath.Join(t.TempDir(), "fleet"), rand: rand.New(rand.NewPCG(seed, 0)), hit: map[string]int{}}
	for range kills {
		s.round()
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills: bundle %d runs, the floor is %d; %v", kills, s.good, s.floor, s.hit)

	if _, err := Open(childConfig(s.dir)); err != nil { // which tidies up
		t.Fatal(err)
	}
	files := tree(t, s.dir)
	for name := range files {
		if base := filepath.Base(name); strings.HasPrefix(base, ".") && name != "." {
			t.Errorf("%s is left", name)
		}
	}
	if len(files) > 6+3*4 {
		t.Errorf("%d files are left", len(files))
	}
}

// siege is one run of the test.
type siege struct {
	t           *testing.T
	dir         string
	rand        *rand.Rand
	floor, good uint64         // that were seen on the disk
	ran         uint64         // the newest that was said to run, and works
	hit         map[string]int // what the kills found
}

const longestLife = 200 * time.Millisecond

func (s *siege) round() {
	cmd := child(s.t, s.dir, offering)
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	moment := time.AfterFunc(time.Duration(s.rand.Int64N(int64(longestLife))), func() { _ = cmd.Process.Kill() })
	defer moment.Stop()
	defer s.watch()()
	var floor, runs uint64
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n, _ := fmt.Sscan(lines.Text(), &floor, &runs); n == 2 {
			s.floor = max(s.floor, floor)
			if fate(runs) == fleet.Confirmed {
				s.ran = max(s.ran, runs)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		s.t.Fatalf("it ended by itself: %v\n%s", err, trouble.String())
	}
	s.judge()
}

// watch looks at the folder while it changes, as `bril config` does.
func (s *siege) watch() (end func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := Look(s.dir); err != nil {
				s.t.Errorf("look while it changes: %v", err)
				return
			}
			select {
			case <-over:
				return
			default:
			}
		}
	}()
	return func() {
		close(over)
		<-done
	}
}

// judge looks at what a kill has left.
func (s *siege) judge() {
	v, err := Look(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	if v.Floor < s.floor {
		s.t.Errorf("the floor is %d, and was %d", v.Floor, s.floor)
	}
	s.floor = v.Floor
	found := "none"
	if v.Good != nil {
		found = "good"
		if v.Good.Serial < s.good || fate(v.Good.Serial) != fleet.Confirmed {
			s.t.Errorf("bundle %d is the last known good; it was %d", v.Good.Serial, s.good)
		}
		s.good = v.Good.Serial
	}
	if k := v.Trial; k != nil {
		found = "on probation"
		if k.Serial <= s.good || k.Serial > v.Floor || fate(k.Serial) == fleet.Refused || v.State.Quarantined(k.Content()) != nil {
			s.t.Errorf("bundle %d is on probation; %d is good, the floor is %d", k.Serial, s.good, v.Floor)
		}
	}
	ended := func(at fleet.Attempt) bool { return at.Serial >= s.ran } // by more kills than starts, say
	if s.ran > s.good && (v.Trial == nil || v.Trial.Serial < s.ran) && !slices.ContainsFunc(v.State.History, ended) {
		s.t.Errorf("bundle %d ran, and nothing is left of it; %d is good", s.ran, s.good)
	}
	if v.Staged != nil {
		found = "staged"
	}
	if runs := v.Runs(); runs != nil {
		for name, value := range runs.Secrets {
			if is, err := os.ReadFile(filepath.Join(v.SecretsDir, name)); err != nil || string(is) != value {
				s.t.Errorf("secret %s of bundle %d: %q, %v", name, runs.Serial, is, err)
			}
		}
	}
	half, err := filepath.Glob(filepath.Join(s.dir, "*", ".*"))
	if more, _ := filepath.Glob(filepath.Join(s.dir, ".*")); err == nil && len(half)+len(more) > 0 {
		s.hit["half a file"]++
	}
	s.hit[found]++
}

// panicOnProbation is a daemon that a configuration makes panic at its start.
func panicOnProbation(dir string) {
	a, err := Open(childConfig(dir))
	if err != nil {
		panic(err)
	}
	start, err := a.Begin()
	if err != nil {
		panic(err)
	}
	if start.Bundle != nil && start.Bundle.Serial == 2 {
		panic("the configuration makes the agent panic")
	}
	fmt.Println(a.Report().Running.Serial)
}

// A configuration that makes the agent panic at its start is left by itself, before it
// is read.
func TestPanicAtStart(t *testing.T) {
	g := newGlasses(t)
	staged(t, g, 1)
	a := g.open()
	if _, err := a.Begin(); err != nil || !a.confirmed() {
		t.Fatal(err)
	}
	staged(t, g, 2)
	for i := range fleet.MaxStarts {
		var exit *exec.ExitError
		if out, err := child(t, g.cfg.Dir, panicking).CombinedOutput(); !errors.As(err, &exit) || exit.ExitCode() != 2 || !bytes.Contains(out, []byte("makes the agent panic")) {
			t.Fatalf("start %d: %v\n%s", i, err, out)
		}
	}
	out, err := child(t, g.cfg.Dir, panicking).Output()
	if err != nil || strings.TrimSpace(string(out)) != "1" {
		t.Fatalf("bundle %s runs, %v", out, err)
	}
	if at := g.open().Report().Attempted; at.Serial != 2 || at.Phase != fleet.Returned || at.Element != "start" {
		t.Errorf("%+v", at)
	}
}
