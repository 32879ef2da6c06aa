// Package boardtest runs the agent as it is shipped for arm64 on the virtual
// board, against an endpoint on this machine's loopback. It holds tests only.
//
// They run by `make test-board`, which sets BRIL_BOARD to the folder of the arm64
// programs, and boot one board for all of them. One test by hand:
//
//	make build-arm64 && BRIL_BOARD=$PWD/bin/arm64 go test -v -run TestLists ./cmd/internal/boardtest
package boardtest

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/hardware/virtualboard"
	"github.com/bril-edge/bril/hardware/virtualboard/wire"
)

// patience is how long anything in the guest may take. It is no target.
const patience = time.Minute

// shared is the board of all tests, and the folder that it sees as /host.
var shared struct {
	once  sync.Once
	board *virtualboard.Board
	share string
	err   error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.board != nil {
		if err := shared.board.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "boardtest:", err)
			code = 1
		}
	}
	os.RemoveAll(shared.share)
	os.Exit(code)
}

// rig is the board as one test sees it.
type rig struct {
	*testing.T
	guest *virtualboard.Board
	share string // of the host; /host in the guest

	excuse string // in complaints of the kernel that are not the agent's doing
}

// board returns the board, booted by the first test that asks. The kernel must
// not complain while the test runs.
func board(t *testing.T) *rig {
	t.Helper()
	programs := os.Getenv("BRIL_BOARD")
	if programs == "" {
		t.Skip("needs the virtual board: run make test-board")
	}
	shared.once.Do(func() { shared.err = boot(programs) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	r := &rig{T: t, guest: shared.board, share: shared.share}
	before := len(r.guest.Complaints())
	t.Cleanup(func() {
		if now := r.inexcusable(r.guest.Complaints()[before:]); len(now) > 0 {
			t.Errorf("the kernel complains:\n%s\n%s", strings.Join(now, "\n"), r.guest.KernelLog())
		}
	})
	return r
}

// inexcusable returns the complaints but for those with the excuse, and the traces
// that follow them.
func (r *rig) inexcusable(complaints []string) (rest []string) {
	excused := false
	for _, c := range complaints {
		trace := strings.Contains(c, "Call trace")
		excused = r.excuse != "" && strings.Contains(c, r.excuse) || excused && trace
		if !excused {
			rest = append(rest, c)
		}
	}
	return rest
}

func boot(programs string) (err error) {
	ctx := context.Background()
	say := func(line string) { fmt.Fprintln(os.Stderr, "board:", line) }
	image, err := virtualboard.Prepare(ctx, virtualboard.Config{Log: say})
	if err != nil {
		return err
	}
	if shared.share, err = os.MkdirTemp("", "bril-share-"); err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(shared.share, "bin"), os.DirFS(programs)); err != nil {
		return err
	}
	shared.board, err = image.Boot(ctx, virtualboard.BootConfig{Share: shared.share})
	return err
}

// run runs a program in the guest and returns what it prints. It has to succeed.
func (r *rig) run(args ...string) string {
	r.Helper()
	result := r.try(args...)
	if result.Code != 0 {
		r.Fatalf("%s: exit code %d\n%s%s", strings.Join(args, " "), result.Code, result.Stdout, result.Stderr)
	}
	return string(result.Stdout)
}

// try is run for what may fail.
func (r *rig) try(args ...string) wire.Result {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	result, err := r.guest.Run(ctx, args...)
	if err != nil {
		r.Fatal(err)
	}
	return result
}

// set writes a value below the guest's /sys.
func (r *rig) set(path, value string) {
	r.Helper()
	if err := r.guest.WriteFile(r.Context(), path, []byte(value)); err != nil {
		r.Fatal(err)
	}
}

// daemon is a program that runs in the guest until the test ends.
type daemon struct {
	*virtualboard.Process
	r      *rig
	output string // on the host
	once   sync.Once
	code   int
}

var daemons int // makes the names of their outputs

// start starts a program in the guest. Of a test that fails it shows the output.
func (r *rig) start(args ...string) *daemon {
	r.Helper()
	daemons++
	name := fmt.Sprintf("%s-%d.log", filepath.Base(args[0]), daemons)
	p, err := r.guest.Start(r.Context(), "/host/"+name, args...)
	if err != nil {
		r.Fatal(err)
	}
	d := &daemon{Process: p, r: r, output: filepath.Join(r.share, name)}
	r.Cleanup(func() {
		d.stop(syscall.SIGTERM)
		if r.Failed() {
			text, err := os.ReadFile(d.output)
			r.Logf("%s said (%v):\n%s", args[0], err, text)
		}
	})
	return d
}

// stop ends the program by a signal and returns its exit code.
func (d *daemon) stop(s syscall.Signal) int {
	d.r.Helper()
	d.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = d.Signal(ctx, s) // it may have ended
		var err error
		if d.code, err = d.Wait(ctx); err != nil {
			d.r.Errorf("wait for process %d: %v", d.PID, err)
		}
	})
	return d.code
}

// said returns what the program has printed.
func (d *daemon) said() string {
	f, err := os.Open(d.output)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
