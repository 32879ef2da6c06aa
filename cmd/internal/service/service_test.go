package service

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
)

// fake is a daemon and its service manager.
type fake struct {
	mu     sync.Mutex
	status control.Status
	parts  []session.Part
	frozen bool  // the loop does not answer
	mute   error // of the control socket
	moves  bool  // each look finds another step
	told   []string
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) config() Config {
	return Config{Progress: f.progress, Status: f.ask, Notify: f.notify, Watchdog: 30 * time.Second}
}

func (f *fake) progress(ctx context.Context) ([]session.Part, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.frozen {
		f.mu.Unlock()
		<-ctx.Done()
		f.mu.Lock()
		return nil, ctx.Err()
	}
	if f.moves {
		for i := range f.parts {
			f.parts[i].Steps++
		}
	}
	return slices.Clone(f.parts), nil
}

func (f *fake) ask(context.Context) (control.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status, f.mute
}

func (f *fake) notify(state string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, state)
	return nil
}

// take returns what was told since the last take.
func (f *fake) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	told := f.told
	f.told = nil
	return told
}

// lives counts the signs of life.
func lives(told []string) (n int) {
	for _, t := range told {
		if strings.HasPrefix(t, "WATCHDOG=1") {
			n++
		}
	}
	return n
}

// inBubble runs Run beside test, which gets what waits for its end.
func inBubble(t *testing.T, f *fake, change func(*Config), test func(end func() error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := f.config()
		if change != nil {
			change(&cfg)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- Run(ctx, cfg) }()
		synctest.Wait()
		test(sync.OnceValue(func() error {
			cancel()
			return <-ended
		}))
		cancel()
	})
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestWatchdog(t *testing.T) {
	busy := func(names ...string) (parts []session.Part) {
		for _, name := range names {
			parts = append(parts, session.Part{Name: name, Busy: true, Steps: 7})
		}
		return parts
	}
	for _, test := range []struct {
		name   string
		change func(f *fake)
		fed    bool
		says   string
	}{
		{"idle", func(*fake) {}, true, ""},
		{"live, and pictures go on", func(f *fake) { f.parts, f.moves = busy("camera", "microphone"), true }, true, ""},
		{"a camera that is waited for", func(f *fake) { f.parts = []session.Part{{Name: "camera", Steps: 3}} }, true, ""},
		{"the loop is frozen", func(f *fake) { f.frozen = true }, false, "the session does not answer"},
		{"the socket is mute", func(f *fake) { f.mute = errors.New("no answer") }, false, "no answer"},
		{"a picture hangs", func(f *fake) { f.parts = busy("camera") }, false, "camera hangs"},
		{"the end hangs", func(f *fake) { f.parts = busy("closing") }, false, "closing hangs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &fake{status: control.Status{State: "ready"}}
			inBubble(t, f, nil, func(end func() error) {
				if told := f.take(); len(told) == 0 || told[0] != "READY=1\nSTATUS=ready" {
					t.Fatalf("told %q", told)
				}
				pass(time.Minute)
				if n := lives(f.take()); n < 5 {
					t.Fatalf("%d signs of life in a minute", n)
				}
				f.set(func() { test.change(f) })
				pass(patience + 15*time.Second) // in which a step may end
				told := f.take()
				pass(time.Minute)
				last := f.take()
				if fed := lives(last) > 0; fed != test.fed {
					t.Errorf("fed %v, want %v: %q", fed, test.fed, last)
				}
				if test.says != "" && !strings.Contains(strings.Join(append(told, last...), "\n"), "STATUS="+test.says) {
					t.Errorf("told %q and %q, want %q", told, last, test.says)
				}
				if err := end(); err != nil {
					t.Error(err)
				}
				if told := f.take(); !slices.Contains(told, "STOPPING=1") {
					t.Errorf("at the end told %q", told)
				}
			})
		})
	}
}

// TestReady: nobody hears that it is ready before the socket answers.
func TestReady(t *testing.T) {
	f := &fake{status: control.Status{State: "ready"}, mute: control.ErrNotRunning}
	inBubble(t, f, nil, func(func() error) {
		pass(time.Second)
		if told := f.take(); len(told) != 0 {
			t.Errorf("told %q before it answers", told)
		}
		f.set(func() { f.mute = nil })
		pass(time.Second)
		if told := f.take(); len(told) == 0 || !strings.HasPrefix(told[0], "READY=1") {
			t.Errorf("told %q", told)
		}
	})
}

// TestStatusLine: a new phase is told at once, and what an endpoint said cannot pass
// for a line of the protocol.
func TestStatusLine(t *testing.T) {
	f := &fake{status: control.Status{State: "ready"}}
	var changed chan struct{} // of the bubble
	inBubble(t, f, func(c *Config) {
		changed = make(chan struct{}, 1)
		c.Changed, c.Watchdog = changed, 0
	}, func(func() error) {
		f.take()
		f.set(func() {
			f.status.State = "connecting"
			f.status.Errors = []control.Fault{{Component: "uplink", Message: "no\nSTOPPING=1\nway"}}
		})
		changed <- struct{}{}
		pass(0)
		if told := f.take(); len(told) != 1 || told[0] != "STATUS=connecting; uplink: no STOPPING=1 way" {
			t.Errorf("told %q", told)
		}
	})
}

// TestRestart: a newer version waits for the end of what is under way, takes over
// then, and is asked for once.
func TestRestart(t *testing.T) {
	wish := filepath.Join(t.TempDir(), "restart-wanted")
	leave := func() {
		if err := os.WriteFile(wish, nil, 0o644); err != nil {
			t.Error(err)
		}
	}
	f := &fake{status: control.Status{State: "live"}}
	var changed chan struct{} // of the bubble
	leave()                   // for the version that runs now
	busy := false
	inBubble(t, f, func(c *Config) {
		changed = make(chan struct{}, 1)
		c.Restart, c.Changed, c.Busy = wish, changed, func() bool { return busy }
	}, func(end func() error) {
		if _, err := os.Lstat(wish); err == nil {
			t.Error("an old wish is still there")
		}
		leave()
		for _, now := range []control.Status{
			{State: "live"}, {State: "paused"}, {State: "fault"}, {State: "stopping"},
			{State: "ready", Call: &control.Call{State: "ringing"}},
			{State: "ready", Recording: control.Recording{Clip: "a"}},
		} {
			f.set(func() { f.status = now })
			changed <- struct{}{}
			pass(time.Minute)
			if _, err := os.Lstat(wish); err != nil {
				t.Fatalf("%+v is cut off", now)
			}
		}
		busy = true
		f.set(func() { f.status = control.Status{State: "ready", Call: &control.Call{State: "idle"}} })
		pass(time.Minute)
		if _, err := os.Lstat(wish); err != nil {
			t.Fatal("what is busy is cut off")
		}
		busy = false
		changed <- struct{}{}
		pass(0)
		if _, err := os.Lstat(wish); err == nil {
			t.Error("the wish is still there")
		}
		if err := end(); !errors.Is(err, ErrRestart) {
			t.Errorf("ended by %v", err)
		}
	})
}

// TestSocket speaks with a real one, which may be abstract.
func TestSocket(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), "@bril-test-" + filepath.Base(t.TempDir()) + time.Now().Format("150405.000000000")} {
		socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		t.Setenv("NOTIFY_SOCKET", name)
		t.Setenv("WATCHDOG_USEC", "60000")
		t.Setenv("WATCHDOG_PID", "")
		f := &fake{status: control.Status{State: "ready"}}
		cfg := f.config()
		cfg.Notify = nil
		if cfg.Watchdog, err = SystemdWatchdog(); err != nil || cfg.Watchdog != 60*time.Millisecond {
			t.Fatalf("watchdog %v, %v", cfg.Watchdog, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- Run(ctx, cfg) }()
		for _, want := range []string{"READY=1\nSTATUS=ready", "WATCHDOG=1", "WATCHDOG=1"} {
			if got := receive(t, socket); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		f.set(func() { f.frozen = true })
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for got := ""; got != "STOPPING=1"; {
			got = receive(t, socket)
		}
	}
}

func receive(t *testing.T, socket *net.UnixConn) string {
	t.Helper()
	if err := socket.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	n, err := socket.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}
