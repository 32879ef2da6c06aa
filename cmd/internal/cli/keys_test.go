package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/cmd/internal/cli"
	"github.com/bril-edge/bril/cmd/internal/control"
)

// screen is a terminal of 80 columns with a program on it.
type screen struct {
	t      *testing.T
	master *os.File

	mu   sync.Mutex
	all  bytes.Buffer
	more chan struct{}
}

// TestDemoKeys types on the demo's terminal: keys act as the buttons, and are
// shown at once.
func TestDemoKeys(t *testing.T) {
	s, slave := newScreen(t)
	done := start(t, slave, "demo", "--listen", "127.0.0.1:0", "--camera", "pattern:320x180@15", "--microphone", "none")

	s.expect("in a browser.")
	s.expect("LIVE ")
	s.press("p")
	s.expect("PAUSED ")
	s.press("p")
	s.expect("LIVE ")
	s.press("x\x1b") // is no button
	s.press(" ")
	s.expect("READY")
	s.press(" ")
	s.expect("LIVE ")
	s.expect("q quit")
	s.press("q")
	s.expect("ENDED")
	select {
	case code := <-done:
		if code != 0 {
			t.Errorf("it ended with %d", code)
		}
	case <-time.After(patience):
		t.Fatal("q does not end it")
	}
	s.expect("\x1b[?25h") // the cursor is back
	if rest := s.text(); strings.Contains(rest, "LIVE") {
		t.Errorf("the last it says is %q", rest)
	}
}

// TestDropAsks answers the question before something is gone for ever.
func TestDropAsks(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	k := &keeper{what: "live"}
	id := k.add("photo", "ready")
	listener, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- control.Server{Daemon: k, Describe: cli.Describe}.Run(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct {
		answer string
		code   int
		says   string
		left   int
	}{
		{"\r", 1, "bril: nothing was dropped", 1},
		{"no\r", 1, "bril: nothing was dropped", 1},
		{"y\r", 0, id + " is gone for ever", 0},
		{"", 1, "there is no item", 0},
	} {
		s, slave := newScreen(t)
		done := start(t, slave, "spool", "drop", id, "--control", socket)
		if c.answer != "" {
			s.expect("The photo " + id + " (205 kB) is deleted for ever: the cloud does not have it.")
			s.expect("Delete it? [y/N] ")
			s.press(c.answer)
		}
		s.expect(c.says)
		if code := <-done; code != c.code {
			t.Errorf("%q: it ends with %d, want %d", c.answer, code, c.code)
		}
		if n := len(k.Spool().Items); n != c.left {
			t.Errorf("%q: %d items are left, want %d", c.answer, n, c.left)
		}
	}
}

// start runs bril on a terminal, and tells its exit code.
func start(t *testing.T, slave *os.File, args ...string) <-chan int {
	t.Helper()
	path, err := exec.LookPath("bril")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan int, 1)
	go func() { // ends with the process, which the test's end ends
		_ = cmd.Wait() // its code tells
		done <- cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	slave.Close()
	return done
}

// newScreen opens a pseudo-terminal; see pty(7).
func newScreen(t *testing.T) (*screen, *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Fatalf("make a pseudo-terminal: %v", err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, master: master, more: make(chan struct{}, 1)}
	var reading sync.WaitGroup
	reading.Go(s.read)
	t.Cleanup(func() { // after the program has ended, which ends the reading
		slave.Close()
		reading.Wait()
		master.Close()
	})
	return s, slave
}

func (s *screen) read() {
	buf := make([]byte, 4096)
	for {
		n, err := s.master.Read(buf)
		s.mu.Lock()
		s.all.Write(buf[:n])
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
		if err != nil {
			return // EIO: nobody has the other end any more
		}
	}
}

// expect waits for text, and forgets all up to it.
func (s *screen) expect(text string) {
	s.t.Helper()
	timeout := time.After(patience)
	for !s.forget(text) {
		select {
		case <-s.more:
		case <-timeout:
			s.t.Fatalf("the terminal does not show %q but %q", text, s.text())
		}
	}
}

func (s *screen) forget(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := strings.Index(s.all.String(), text)
	if i < 0 {
		return false
	}
	s.all.Next(i + len(text))
	return true
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

func (s *screen) press(keys string) {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}
