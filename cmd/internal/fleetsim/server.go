package fleetsim

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bril-edge/bril/uplink/enrol/keyfile"
)

// Server is a showroom of its own process.
type Server struct {
	URL    string
	cmd    *exec.Cmd
	ended  chan error
	output *tail
}

// Start runs a showroom on a fleet's directory, and returns once it listens.
func Start(ctx context.Context, binary, listen string, f *Fleet) (*Server, error) {
	public, err := keyfile.Public(f.Key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	key := filepath.Join(f.Dir, "fleet.pub")
	if err := os.WriteFile(key, public, 0o600); err != nil {
		return nil, err
	}
	s := &Server{URL: "https://" + listen, ended: make(chan error, 1), output: &tail{}}
	s.cmd = exec.Command(binary, "--listen", listen, "--data", f.Dir, "--tls-own", "--require-enrolment", "--configuration-key", key)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.cmd.Stderr = s.output
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	listening := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "listening on ") {
				close(listening)
				break
			}
		}
		_, _ = io.Copy(io.Discard, out) // what else it says nobody needs
		s.ended <- s.cmd.Wait()
	}()
	select {
	case <-listening:
		return s, nil
	case err := <-s.ended:
		return nil, fmt.Errorf("%s ended: %w\n%s", binary, err, s.output)
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), s.cmd.Process.Kill())
	}
}

// Stop ends it, by SIGKILL where it is to have no time to say goodbye.
func (s *Server) Stop(sig syscall.Signal) error {
	if err := s.cmd.Process.Signal(sig); err != nil {
		return err
	}
	err := <-s.ended
	s.ended <- err
	if sig == syscall.SIGKILL {
		return nil
	}
	return err
}

// Usage is what the process has taken: its peak of memory in MiB (VmHWM), and its
// processor time.
func (s *Server) Usage() (peakMiB float64, cpu time.Duration, err error) {
	dir := fmt.Sprintf("/proc/%d/", s.cmd.Process.Pid)
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		return 0, 0, err
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return 0, 0, errors.New("the kernel tells no VmHWM")
	}
	kb, _ := strconv.ParseFloat(string(m[1]), 64) // digits
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64) // proc_pid_stat(5): utime and stime
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return kb / 1024, time.Duration(user+system) * 10 * time.Millisecond, nil
}

// Said is the end of what the process has logged.
func (s *Server) Said() string { return s.output.String() }

// tail keeps the end of what is written.
type tail struct {
	mu   sync.Mutex
	data []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, p...)
	t.data = t.data[max(0, len(t.data)-8<<10):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.data)
}

func sortTimes(list []time.Time) { slices.SortFunc(list, time.Time.Compare) }
