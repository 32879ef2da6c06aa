package adoption

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/configs/fleet"
)

// plug is the power of a disk: each write from the fatal one on fails, as if there were
// no process any more.
type plug struct {
	fatal int // 0 for never
	once  bool

	mu     sync.Mutex
	writes []string
}

var errPower = errors.New("no power")

func (p *plug) before(op string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes = append(p.writes, op)
	n := len(p.writes)
	if p.fatal > 0 && (n == p.fatal || n > p.fatal && !p.once) {
		return errPower
	}
	return nil
}

// at is the nth write; "" for none.
func (p *plug) at(n int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.writes) < n {
		return ""
	}
	return p.writes[n-1]
}

// story is what happens to a board that runs bundle 1.
type story struct {
	name    string
	offers  func(*glasses) [][]byte
	prove   func(context.Context, *fleet.Bundle) error
	runs    []uint64 // what may run after it, at the end of all
	between []uint64 // and what after a crash
}

var stories = []story{
	{name: "a good one", offers: func(g *glasses) [][]byte {
		b := bundle(2)
		b.Secrets = map[string]string{"turn": "hush", "other": "psst"}
		return [][]byte{sign(g.t, b, g.key)}
	}, runs: []uint64{2}, between: []uint64{1, 2}},
	{name: "a bad one", offers: func(g *glasses) [][]byte {
		return [][]byte{sign(g.t, bundle(2), g.key)}
	}, prove: func(_ context.Context, b *fleet.Bundle) error {
		if b.Serial == 2 {
			return errBad
		}
		return nil
	}, runs: []uint64{1}, between: []uint64{1, 2}},
	{name: "one that the schema refuses", offers: func(g *glasses) [][]byte {
		b := bundle(2)
		b.Configuration = "no: such key\n"
		return [][]byte{sign(g.t, b, g.key)}
	}, runs: []uint64{1}, between: []uint64{1}},
	{name: "a successor", offers: func(g *glasses) [][]byte {
		b := bundle(2)
		b.Successor = public(keyOf("next"))
		return [][]byte{sign(g.t, b, g.key), sign(g.t, bundle(3), keyOf("next"))}
	}, runs: []uint64{3}, between: []uint64{1, 2, 3}},
}

// Power may fail before each write: what runs then is the old one or the new one, the
// floor is never lower, and when the service offers again, all ends well.
func TestPowerFailsAtEachWrite(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			for fatal := 1; ; fatal++ {
				reached := false
				synctest.Test(t, func(t *testing.T) { reached = s.fail(t, fatal, false) })
				if !reached || t.Failed() {
					t.Logf("%d writes", fatal-1)
					return
				}
			}
		})
	}
}

// A write that fails once, of a disk that was full, is made up for without a restart.
func TestEachWriteFailsOnce(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			for fatal := 1; ; fatal++ {
				reached := false
				synctest.Test(t, func(t *testing.T) { reached = s.fail(t, fatal, true) })
				if !reached || t.Failed() {
					return
				}
			}
		})
	}
}

// fail tells the story up to a write, and the rest of it. It returns false when there
// is no such write.
func (s story) fail(t *testing.T, fatal int, once bool) (reached bool) {
	g := newGlasses(t)
	end := g.live()
	g.offerBundle(bundle(1))
	g.want(1, 1, fleet.Confirmed)
	end()

	p := &plug{fatal: fatal, once: once}
	g.cfg.before, g.prove = p.before, s.prove
	end = g.live()
	s.tell(g)
	where := fmt.Sprintf("before write %d", fatal)
	if op := p.at(fatal); op != "" {
		reached = true
		where += ", " + op
	}
	seen := g.now().Report().Floor
	if !once {
		seen = max(seen, s.restart(t, g, where, end))
		g.cfg.before = nil
		end = g.live()
		s.tell(g)
	}
	r := g.now().Report()
	end()
	if !slices.Contains(s.runs, r.Running.Serial) || r.Floor < seen || r.Floor < s.runs[0] || len(r.Problems) > 0 {
		t.Errorf("%s: at the end bundle %d runs, of %v; the floor is %d after %d; %v\n%s", where, r.Running.Serial, s.runs, r.Floor, seen, r.Problems, g.log.String())
	}
	for name := range tree(t, g.cfg.Dir) {
		if strings.HasPrefix(filepath.Base(name), ".") && name != "." {
			t.Errorf("%s: %s is left", where, name)
		}
	}
	return reached
}

func (s story) tell(g *glasses) {
	for _, envelope := range s.offers(g) {
		g.offer(envelope)
		time.Sleep(3 * time.Minute)
	}
}

// restart looks at what a crash has left: what the daemon would be made with.
func (s story) restart(t *testing.T, g *glasses, where string, end func()) (floor uint64) {
	t.Helper()
	end() // it cannot write
	before := tree(t, g.cfg.Dir)
	v, err := Look(g.cfg.Dir)
	if err != nil {
		t.Fatalf("%s: look: %v", where, err)
	}
	if serial := v.Runs().Serial; !slices.Contains(s.between, serial) {
		t.Errorf("%s: bundle %d is to run, not one of %v", where, serial, s.between)
	}
	if v.Trial != nil && v.Floor < v.Trial.Serial {
		t.Errorf("%s: bundle %d runs, and the floor is %d", where, v.Trial.Serial, v.Floor)
	}
	sameTree(t, before, tree(t, g.cfg.Dir)) // who looks changes nothing
	return v.Floor
}

// What is damaged is put aside and told. The floor stays, and the service's offer is
// taken again.
func TestDamage(t *testing.T) {
	content := bundle(7).Content()
	tests := []struct {
		name  string
		spoil func(path string) error
		files []string
		runs  uint64 // before the service offers it again
	}{
		{"no state", os.Remove, []string{stateFile}, 0},
		{"half a state", halve, []string{stateFile}, 0},
		{"half of the pins", halve, []string{pinsFile}, 7},
		{"no pins", os.Remove, []string{pinsFile}, 7},
		{"half a floor", spoil, []string{floorPrefix}, 7},
		{"no floor", os.Remove, []string{floorPrefix}, 7},
		{"state and pins", halve, []string{stateFile, pinsFile}, 0},
		{"half a secret", halve, []string{"secrets/" + content + "/turn"}, 7},
		{"no secrets", os.RemoveAll, []string{"secrets"}, 7},
		{"half an envelope", halve, []string{envelopesDir}, 0},
		{"a folder for a state", folder, []string{stateFile}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGlasses(t)
				b := bundle(7)
				b.Secrets = map[string]string{"turn": "hush"}
				content = b.Content()
				end := g.live()
				g.offerBundle(b)
				g.want(7, 7, fleet.Confirmed)
				end()
				for _, name := range test.files {
					if strings.HasPrefix(name, "secrets/") {
						name = "secrets/" + content + "/turn"
					}
					if err := test.spoil(find(t, g.cfg.Dir, name)); err != nil {
						t.Fatal(err)
					}
				}
				defer g.live()()
				r := g.now().Report()
				if r.Running.Serial != test.runs || r.Floor != 7 {
					t.Errorf("bundle %d runs, and the floor is %d; %v", r.Running.Serial, r.Floor, r.Problems)
				}
				older := bundle(6)
				g.offerBundle(older)
				if r := g.now().Report(); r.Running.Serial != test.runs || r.Floor != 7 {
					t.Errorf("after an older one: bundle %d runs, and the floor is %d", r.Running.Serial, r.Floor)
				}
				if test.name == "half an envelope" { // the state knows that it was given up
					b.Serial++
				}
				g.offerBundle(b)
				if r := g.now().Report(); r.Running.Serial != b.Serial || r.Running.Content != content {
					t.Errorf("offered again: %+v, %+v\n%s", r.Running, r.Attempted, g.log.String())
				}
				if files := tree(t, g.cfg.Dir); files["secrets/"+content+"/turn"] != "hush" {
					t.Errorf("the secrets are not there: %v", files)
				}
			})
		})
	}
}

func find(t *testing.T, dir, prefix string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v", prefix, found, err)
	}
	if prefix != envelopesDir {
		return found[0]
	}
	return find(t, found[0], "")
}

func halve(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, info.Size()/2)
}

func spoil(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }

func folder(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Mkdir(path, 0o700)
}
