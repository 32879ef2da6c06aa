package fleet

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// machine is a board that is restarted, whose clock goes as a test wants.
type machine struct {
	t     *testing.T
	path  string
	ahead time.Duration // of its clock
	r     *restarts
	made  int
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, path: filepath.Join(t.TempDir(), "restarts.json")}
	m.boot()
	return m
}

// boot forgets all that is not in the file.
func (m *machine) boot() {
	m.r = &restarts{path: m.path, now: func() time.Time { return time.Now().Add(m.ahead) }}
}

// ask asks for n restarts, each of which is one, and returns how many were made.
func (m *machine) ask(n int) int {
	before := m.made
	for range n {
		if m.r.make(func() error { m.made++; return nil }) == nil {
			m.boot()
		}
	}
	return m.made - before
}

func TestRestartsAreThreeAnHour(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		then func(*machine) // after a storm
		want int            // of the next storm
	}{
		"at once":                    {func(*machine) {}, 0},
		"after a boot":               {func(m *machine) { m.boot() }, 0},
		"after 59 minutes":           {func(*machine) { time.Sleep(59 * time.Minute) }, 0},
		"after an hour":              {func(*machine) { time.Sleep(time.Hour) }, 3},
		"the clock was set back":     {func(m *machine) { m.ahead = -year; m.boot() }, 0},
		"set back, and an hour more": {func(m *machine) { m.ahead = -year; m.boot(); m.ask(1); time.Sleep(time.Hour) }, 3},
		"set back again and again": {func(m *machine) {
			for range 9 {
				m.ahead -= year
				m.boot()
				if n := m.ask(5); n != 0 {
					m.t.Errorf("%d restarts", n)
				}
			}
		}, 0},
		"the file is damaged":       {func(m *machine) { m.spoil("{"); m.boot() }, 0},
		"the file is huge":          {func(m *machine) { m.spoil("[" + string(make([]byte, 1<<20))); m.boot() }, 0},
		"damaged, and an hour more": {func(m *machine) { m.spoil("{"); m.boot(); m.ask(1); time.Sleep(time.Hour) }, 3},
		"the file cannot be written": {func(m *machine) {
			time.Sleep(time.Hour)
			if err := os.RemoveAll(filepath.Dir(m.path)); err != nil {
				m.t.Fatal(err)
			}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t)
				if n := m.ask(20); n != 3 {
					t.Fatalf("%d restarts in a storm", n)
				}
				c.then(m)
				m.boot()
				if n := m.ask(20); n != c.want {
					t.Errorf("%d restarts, want %d", n, c.want)
				}
			})
		})
	}
}

func (m *machine) spoil(text string) {
	m.t.Helper()
	if err := os.WriteFile(m.path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func TestRefusedRestartsAreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		busy, looks := errors.New("live"), 0
		for range 100 {
			if err := m.r.make(func() error { looks++; return busy }); !errors.Is(err, busy) {
				t.Fatalf("error %v", err)
			}
		}
		if looks != 1 {
			t.Errorf("looked %d times at once", looks)
		}
		time.Sleep(refusedFor)
		if n := m.ask(5); n != 3 {
			t.Errorf("%d restarts after it", n)
		}
	})
}

func TestRestartsWithoutAFile(t *testing.T) {
	r := &restarts{now: time.Now}
	if err := r.make(func() error { t.Error("made"); return nil }); err == nil {
		t.Error("no error")
	}
}
