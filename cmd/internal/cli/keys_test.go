package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
	path, err := exec.LookPath("bril")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "demo", "--listen", "127.0.0.1:0", "--camera", "pattern:320x180@15", "--microphone", "none")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	slave.Close()

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
	s.press("q")
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("q does not end it")
	}
	s.expect("\x1b[?25h") // the cursor is back
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
