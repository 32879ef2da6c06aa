package adoption

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/configs/fleet"
)

const device = "aaaaaaaaaaaaaaaaaaaaaaaaaa"

var member = fleet.Member{Fleet: "bril", Device: device, Labels: map[string]string{"showroom": "ghent"}}

// keyOf is a private key that is the same each time.
func keyOf(name string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte(name[:1]), ed25519.SeedSize))
}

func public(key ed25519.PrivateKey) string {
	return fleet.FormatKey(key.Public().(ed25519.PublicKey))
}

// bundle is a good one, and another content for each serial.
func bundle(serial uint64) fleet.Bundle {
	return fleet.Bundle{
		SchemaVersion: fleet.SchemaVersion, Audience: fleet.Audience{Fleet: "bril"}, Serial: serial,
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), Expires: time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC),
		Configuration: "video:\n  max_bitrate: " + string(rune('1'+serial%7)) + "M\n# " + strings.Repeat("x", int(serial)) + "\n",
	}
}

func sign(t testing.TB, b fleet.Bundle, key ed25519.PrivateKey) []byte {
	t.Helper()
	envelope, err := fleet.Sign(b, key)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

// glasses are a board with a disk, and the daemon on it.
type glasses struct {
	t   testing.TB
	cfg Config
	key ed25519.PrivateKey
	log journal

	busy  atomic.Pointer[string]
	moved chan struct{}
	anews atomic.Int32

	mu sync.Mutex
	// What the board does; the zero values are a board on which all works.
	dryRun func(configs.Config) error
	prove  func(context.Context, *fleet.Bundle) error
	broken atomic.Pointer[error] // why the board's own configuration cannot be read
	a      *Adoption             // of the agent that runs
	start  Start
	again  context.CancelFunc
	ran    []uint64 // serials, one for each agent
}

// journal is a log that may be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// disk is one that may be full.
type disk struct{ full atomic.Bool }

func (d *disk) before(string) error {
	if d.full.Load() {
		return errors.New("no space left on device")
	}
	return nil
}

func newGlasses(t testing.TB) *glasses {
	g := &glasses{t: t, key: keyOf("root"), moved: make(chan struct{}, 1)}
	g.cfg = Config{Dir: filepath.Join(t.TempDir(), "fleet"), Member: member, Keys: []string{public(g.key)}}
	g.cfg.Log = slog.New(slog.NewTextHandler(&g.log, nil))
	g.cfg.Tail = func() []string { return []string{"the last line"} }
	return g
}

func (g *glasses) open() *Adoption {
	g.t.Helper()
	a, err := Open(g.cfg)
	if err != nil {
		g.t.Fatal(err)
	}
	return a
}

// live runs agents one after another, as the daemon does, until it is ended.
func (g *glasses) live() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			g.one(ctx)
		}
	}()
	synctest.Wait()
	return func() {
		cancel()
		<-done
	}
}

func (g *glasses) one(ctx context.Context) {
	own, again := context.WithCancel(ctx)
	defer again()
	a := g.open()
	start, err := a.Begin()
	if err != nil {
		g.t.Logf("begin: %v", err)
	}
	serial := uint64(0)
	if start.Bundle != nil {
		serial = start.Bundle.Serial
	}
	g.mu.Lock()
	g.a, g.start, g.again = a, start, again
	g.ran = append(g.ran, serial)
	g.mu.Unlock()
	_ = a.Run(own, g)
}

func (g *glasses) now() *Adoption {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.a
}

// offer is what the service does, until the board has done what it can for now.
func (g *glasses) offer(envelope []byte) {
	g.now().Offer(envelope)
	synctest.Wait()
}

func (g *glasses) offerBundle(b fleet.Bundle) { g.offer(sign(g.t, b, g.key)) }

// talk says what is under way.
func (g *glasses) talk(what string) {
	g.busy.Store(&what)
	select {
	case g.moved <- struct{}{}:
	default:
	}
	synctest.Wait()
}

// dryRuns and proves change what the board does.
func (g *glasses) dryRuns(how func(configs.Config) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dryRun = how
}

func (g *glasses) proves(how func(context.Context, *fleet.Bundle) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.prove = how
}

// began returns the serials that agents were made with.
func (g *glasses) began() []uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.ran)
}

func (g *glasses) Configure(b fleet.Bundle, secretsDir string) (configs.Config, error) {
	if err := g.broken.Load(); err != nil {
		return configs.Config{}, *err
	}
	own := configs.Default()
	own.Fleet.MaxBitRate = 7e6
	cfg, lines, err := b.Over(own, secretsDir)
	if err != nil {
		return cfg, err
	}
	return cfg, fleet.CeilingsOf(own, []string{"https://showroom.example"}, "").Check(b.Name(), cfg, lines)
}

func (g *glasses) DryRun(_ context.Context, cfg configs.Config) error {
	g.mu.Lock()
	dryRun := g.dryRun
	g.mu.Unlock()
	if dryRun == nil {
		return nil
	}
	return dryRun(cfg)
}

func (g *glasses) Busy() string {
	if p := g.busy.Load(); p != nil {
		return *p
	}
	return ""
}

func (g *glasses) Moved() <-chan struct{} { return g.moved }

func (g *glasses) Prove(ctx context.Context) error {
	g.mu.Lock()
	b, prove := g.start.Bundle, g.prove
	g.mu.Unlock()
	if b == nil {
		g.t.Error("what does not run is asked to prove itself")
	}
	if prove == nil {
		return nil
	}
	return prove(ctx, b)
}

func (g *glasses) Anew() {
	g.anews.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.again()
}

// about is an error with its element.
type about struct {
	error
	element string
}

func (a about) Element() string { return a.element }

var errBad = about{errors.New("it makes no frames"), "encoder"}

// want compares what runs, and what became of the newest attempt.
func (g *glasses) want(running, attempted uint64, phase fleet.Phase) fleet.Report {
	g.t.Helper()
	r := g.now().Report()
	at := r.Attempted
	if at == nil {
		at = &fleet.Attempt{}
	}
	if r.Running.Serial != running || at.Serial != attempted || at.Phase != phase {
		g.t.Fatalf("runs %d, and %d is %q (during %q: %s: %s), not %d, and %d %q\n%s",
			r.Running.Serial, at.Serial, at.Phase, at.During, at.Element, at.Error, running, attempted, phase, g.log.String())
	}
	return r
}

// tree is what is in a folder.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		content := []byte{}
		if d.IsDir() {
			want = fs.ModeDir | 0o700
		} else if content, err = os.ReadFile(path); err != nil {
			return err
		}
		if info.Mode() != want {
			t.Errorf("%s is %v", path, info.Mode())
		}
		name, err := filepath.Rel(dir, path)
		found[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func sameTree(t testing.TB, was, is map[string]string) {
	t.Helper()
	if !maps.Equal(was, is) {
		for name := range is {
			if was[name] != is[name] {
				t.Errorf("%s: %q was %q", name, is[name], was[name])
			}
		}
		for name := range was {
			if _, there := is[name]; !there {
				t.Errorf("%s is gone", name)
			}
		}
	}
}
