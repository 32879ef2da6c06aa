package clock

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// machine is one whose clock is set at will.
type machine struct {
	wall time.Time
	mono time.Duration
	ntp  bool
}

func (m *machine) clock() *Clock {
	return &Clock{
		kernel: func() bool { return m.ntp },
		now:    func() (time.Time, time.Duration) { return m.wall, m.mono },
	}
}

func (m *machine) pass(d time.Duration) { m.wall, m.mono = m.wall.Add(d), m.mono+d }

var (
	may  = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	y70  = time.Unix(17, 0).UTC()
	year = 365 * 24 * time.Hour
)

func TestConfirmed(t *testing.T) {
	tests := []struct {
		name   string
		kernel bool
		heard  []time.Duration // what servers tell, from now
		raised time.Duration   // how far Now is ahead of the machine's clock
		want   bool
	}{
		{"nobody", false, nil, 0, false},
		{"an NTP client", true, nil, 0, true},
		{"a server that agrees", false, []time.Duration{4 * time.Minute}, 0, true},
		{"a server that is ahead", false, []time.Duration{6 * time.Minute}, 6 * time.Minute, false},
		{"a server that is ahead of NTP", true, []time.Duration{year}, 0, true},
		{"a clock that started in 1970", false, []time.Duration{50 * year}, 50 * year, false},
		{"and hears it twice", false, []time.Duration{50 * year, 50*year + time.Second}, 50*year + time.Second, false},
		{"a server that is behind", false, []time.Duration{-6 * time.Minute}, 0, false},
		{"one of two servers", false, []time.Duration{time.Hour, -time.Second}, time.Hour, false},
		{"a server that disagrees later", false, []time.Duration{0, -time.Hour}, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := machine{wall: may, ntp: test.kernel}
			c := m.clock()
			for _, off := range test.heard {
				c.Heard(may.Add(off))
			}
			want := may.Add(test.raised)
			if got, confirmed := c.Now(); !got.Equal(want) || confirmed != test.want {
				t.Errorf("%v, confirmed %v; want %v, %v", got, confirmed, want, test.want)
			}
		})
	}
}

// TestFloor: a board that believes in 1970 goes by the build, then by what a server
// told, and from there by the clock that nobody sets.
func TestFloor(t *testing.T) {
	m := machine{wall: y70, mono: 17 * time.Second}
	c := m.clock()
	check := func(when string, want time.Time, confirmed bool) {
		t.Helper()
		got, is := c.Now()
		if !got.Equal(want) || !c.TLSTime().Equal(want) || is != confirmed || c.Confirmed() != confirmed {
			t.Errorf("%s: %v, confirmed %v; want %v, %v", when, got, is, want, confirmed)
		}
	}
	check("without a floor", y70, false)
	c.NotBefore(may)
	check("with the build's", may, false)
	m.pass(time.Hour)
	check("an hour later", may.Add(time.Hour), false)
	c.Heard(may.Add(30 * 24 * time.Hour))
	check("told by a server", may.Add(30*24*time.Hour), false)
	c.NotBefore(may)
	check("told of an older build", may.Add(30*24*time.Hour), false)

	m.wall = may.Add(31 * 24 * time.Hour)
	m.ntp = true
	check("set by NTP", m.wall, true)
	c.Heard(m.wall)
	m.pass(time.Minute)
	now := m.wall
	m.wall = y70
	check("set back while it runs", now, false)
	m.pass(time.Minute)
	check("and a minute later", now.Add(time.Minute), false)
	m.wall = now.Add(time.Minute - tolerance)
	check("set right by a little", now.Add(time.Minute), true)
}

// TestKeep: what was told outlives a restart with the clock of 1970, and is written
// once an hour.
func TestKeep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "time")
	synctest.Test(t, func(t *testing.T) {
		m := machine{wall: may}
		c := m.clock()
		if err := c.Open(path); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.Run(ctx, func(err error) { t.Error(err) })
		}()
		for _, step := range []struct {
			after time.Duration
			want  string
		}{
			{0, "2026-05-01T12:00:00Z\n"},
			{59 * time.Minute, "2026-05-01T12:00:00Z\n"},
			{time.Minute, "2026-05-01T13:00:00Z\n"},
		} {
			m.pass(step.after)
			c.Heard(m.wall)
			synctest.Wait()
			if got, err := os.ReadFile(path); string(got) != step.want {
				t.Errorf("after %v the file holds %q, want %q (%v)", step.after, got, step.want, err)
			}
		}
		cancel()
		<-ended
	})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	m := machine{wall: y70}
	c := m.clock()
	if err := c.Open(path); err != nil {
		t.Fatal(err)
	}
	if got := c.TLSTime(); !got.Equal(may.Add(time.Hour)) {
		t.Errorf("after the restart it is %v", got)
	}
}

// TestKeepAtTheEnd: what was told just before the end is written, too. The order of the
// two is nobody's, hence the tries.
func TestKeepAtTheEnd(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "time")
		m := machine{wall: may}
		c := m.clock()
		if err := c.Open(path); err != nil {
			t.Fatal(err)
		}
		c.Heard(may)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c.Run(ctx, func(err error) { t.Error(err) })
		if _, err := os.Stat(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKeepFails: a clock without a disk is a clock.
func TestKeepFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "time")
	if err := os.WriteFile(path, []byte("yesterday\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := machine{wall: may}
	c := m.clock()
	if err := c.Open(path); err == nil {
		t.Error("a file that holds no time is none")
	}
	if got := c.TLSTime(); !got.Equal(may) {
		t.Errorf("it is %v", got)
	}
	c.Heard(may)
	if err := c.keep(); err != nil {
		t.Errorf("it is not written anew: %v", err)
	}
	c.path = filepath.Join(dir, "gone", "time")
	m.pass(2 * time.Hour)
	c.Heard(m.wall)
	if err := c.keep(); err == nil {
		t.Error("a folder that is not there takes a file")
	}
}

// TestKernel only shows that the kernel answers: what it says is this machine's.
func TestKernel(t *testing.T) {
	var c Clock
	before := time.Now()
	now, confirmed := c.Now()
	if now.Before(before) || time.Since(now) > time.Minute {
		t.Errorf("now is %v", now)
	}
	t.Logf("confirmed: %v", confirmed)
}
