package virtualboard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bril-edge/bril/hardware/virtualboard/wire"
)

// bootTime bounds a boot: 5 s on an idle machine.
const bootTime = 3 * time.Minute

// BootConfig says how a board starts.
type BootConfig struct {
	// Share is a folder of the host that the guest sees as /host; programs in its
	// bin/arm64 and bin are found by name. Needed.
	Share string
	// Parameters are those of modules, as "vivid.n_devs=2". They replace the
	// defaults of the same name.
	Parameters []string
	// Terminal gives the guest this process's standard input and output, for
	// Shell.
	Terminal bool
}

// defaultParameters make one camera that speaks as a board's does.
var defaultParameters = []string{"vivid.n_devs=1", "vivid.node_types=0x1", "vivid.multiplanar=1", "vivid.no_error_inj=0"}

// Board is a board that runs. Its methods may be called from several goroutines.
type Board struct {
	qemu   *exec.Cmd
	dir    string // of what this run leaves
	guest  *rpc.Client
	exited chan struct{}
	err    error // of qemu, once exited

	closeOnce sync.Once
	closeErr  error
}

// Boot starts the board and returns once it answers. Close ends it.
func (i *Image) Boot(ctx context.Context, cfg BootConfig) (*Board, error) {
	dir, err := os.MkdirTemp("", "bril-board-")
	if err != nil {
		return nil, err
	}
	i.log("booting the virtual board")
	b := &Board{dir: dir, exited: make(chan struct{})}
	b.qemu = exec.Command("qemu-system-aarch64", i.arguments(cfg, dir)...)
	b.qemu.Stderr = os.Stderr
	if cfg.Terminal {
		b.qemu.Stdin, b.qemu.Stdout = os.Stdin, os.Stdout
	}
	b.qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.qemu.Start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	go func() { // ends with qemu, which Close ends
		b.err = b.qemu.Wait()
		close(b.exited)
	}()
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	if err := b.meet(ctx); err != nil {
		err = fmt.Errorf("boot the virtual board: %w\n%s", err, lastLines(b.KernelLog(), 30))
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (i *Image) arguments(cfg BootConfig, dir string) []string {
	args := append(machine(),
		"-accel", "tcg,thread=multi", "-nodefaults", "-display", "none", "-no-reboot",
		"-kernel", i.kernel, "-initrd", i.initramfs, "-dtb", i.deviceTree,
		"-append", "console=ttyAMA0 panic=-1 quiet loglevel=5 "+strings.Join(parametersOf(cfg), " "),
		"-serial", "file:"+filepath.Join(dir, "console"),
		"-fsdev", "local,id=fs0,path="+cfg.Share+",security_model=none",
		"-device", "virtio-9p-pci,fsdev=fs0,mount_tag=hostshare",
		"-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile=",
		"-device", "virtio-rng-pci",
		"-device", "virtio-serial-pci", "-chardev", "socket,id=c0,server=on,wait=off,path="+filepath.Join(dir, "guest"),
		"-device", "virtserialport,chardev=c0,name="+wire.Port)
	if cfg.Terminal {
		args = append(args, "-chardev", "stdio,id=c1,signal=off", "-device", "virtconsole,chardev=c1")
	}
	return args
}

func parametersOf(cfg BootConfig) []string {
	var all []string
	for _, d := range defaultParameters {
		name, _, _ := strings.Cut(d, "=")
		replaced := false
		for _, p := range cfg.Parameters {
			replaced = replaced || strings.HasPrefix(p, name+"=")
		}
		if !replaced {
			all = append(all, d)
		}
	}
	return append(all, cfg.Parameters...)
}

// meet connects to the guest, which answers once it is up.
func (b *Board) meet(ctx context.Context) error {
	conn, err := b.dial(ctx)
	if err != nil {
		return err
	}
	b.guest = rpc.NewClient(conn)
	var release string
	return b.call(ctx, "Hello", struct{}{}, &release)
}

// dial waits for qemu to make its socket.
func (b *Board) dial(ctx context.Context) (net.Conn, error) {
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := net.Dial("unix", filepath.Join(b.dir, "guest"))
		if err == nil {
			return conn, nil
		}
		select {
		case <-retry.C:
		case <-b.exited:
			return nil, fmt.Errorf("qemu has ended: %w", b.err)
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

// call asks the guest. A context that ends leaves the call behind.
func (b *Board) call(ctx context.Context, method string, args, reply any) error {
	call := b.guest.Go(wire.Service+"."+method, args, reply, make(chan *rpc.Call, 1))
	select {
	case done := <-call.Done:
		return done.Error
	case <-b.exited:
		return errors.New("the board is off")
	case <-ctx.Done():
		return fmt.Errorf("%s in the guest: %w", method, ctx.Err())
	}
}

// Run runs a program in the guest to its end. A program that fails is no error;
// see Result.Code.
func (b *Board) Run(ctx context.Context, args ...string) (wire.Result, error) {
	var r wire.Result
	c := wire.Command{Args: args}
	if at, ok := ctx.Deadline(); ok {
		c.Limit = time.Until(at)
	}
	err := b.call(ctx, "Run", c, &r)
	return r, err
}

// Shell runs a shell in the guest on the terminal of BootConfig, to its end.
func (b *Board) Shell(ctx context.Context) (code int, err error) {
	err = b.call(ctx, "Shell", struct{}{}, &code)
	return code, err
}

// Process is a program that was started in the guest.
type Process struct {
	board *Board
	PID   int
}

// Start starts a program in the guest, its output in a file there; "" throws it
// away.
func (b *Board) Start(ctx context.Context, output string, args ...string) (*Process, error) {
	p := &Process{board: b}
	return p, b.call(ctx, "Start", wire.Command{Args: args, Output: output}, &p.PID)
}

// Wait waits for its end and returns its exit code; 128 and more: by that signal.
func (p *Process) Wait(ctx context.Context) (code int, err error) {
	err = p.board.call(ctx, "Wait", p.PID, &code)
	return code, err
}

// Signal sends it a signal.
func (p *Process) Signal(ctx context.Context, s syscall.Signal) error {
	return p.board.call(ctx, "Signal", wire.Signal{PID: p.PID, Signal: int(s)}, &struct{}{})
}

// ReadFile reads a file of the guest.
func (b *Board) ReadFile(ctx context.Context, path string) ([]byte, error) {
	var data []byte
	err := b.call(ctx, "ReadFile", path, &data)
	return data, err
}

// WriteFile writes a file of the guest, or a value below /sys.
func (b *Board) WriteFile(ctx context.Context, path string, data []byte) error {
	return b.call(ctx, "WriteFile", wire.File{Path: path, Data: data}, &struct{}{})
}

// Forward makes a port of the guest's loopback lead to the same port of the
// host's, so that what runs in the guest may speak to it as on one machine.
func (b *Board) Forward(ctx context.Context, port int) error {
	f := wire.Forward{Port: port, To: net.JoinHostPort(HostAddress, strconv.Itoa(port))}
	return b.call(ctx, "Forward", f, &struct{}{})
}

// KernelLog returns what the guest's kernel has said: warnings and worse.
func (b *Board) KernelLog() string {
	text, err := os.ReadFile(filepath.Join(b.dir, "console"))
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(string(text), "\r", "")
}

// complaints mark what a driver's or a program's mistake leaves in the log.
var complaints = []string{"WARNING:", "BUG:", "Oops", "Call trace", "blocked for more than", "Out of memory"}

// excused is a line of which the kernel says more than there is to it: vivid's
// thread asks to sleep for a negative time when it is behind, as it is on a busy
// host, and a trace follows.
const excused = "schedule_timeout: wrong timeout value"

// Complaints returns the lines of the kernel's log that say that something is
// wrong.
func (b *Board) Complaints() []string { return complaintsIn(b.KernelLog()) }

func complaintsIn(log string) []string {
	var found []string
	forgive := false
	for line := range strings.Lines(log) {
		trace := strings.Contains(line, "Call trace")
		if strings.Contains(line, excused) {
			forgive = true
		}
		if forgive && trace {
			forgive = false
			continue
		}
		if slices.ContainsFunc(complaints, func(mark string) bool { return strings.Contains(line, mark) }) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// Close powers the board off and removes what it left. It may be called twice.
func (b *Board) Close() error {
	b.closeOnce.Do(func() {
		if b.guest != nil {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_ = b.call(ctx, "PowerOff", struct{}{}, &struct{}{}) // it never answers
		}
		select {
		case <-b.exited:
		default:
			_ = b.qemu.Process.Kill() // it may have ended
			<-b.exited
		}
		if b.guest != nil {
			_ = b.guest.Close() // nothing is to be said any more
		}
		b.closeErr = os.RemoveAll(b.dir)
	})
	return b.closeErr
}
