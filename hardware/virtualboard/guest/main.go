// Guest is the first process of the virtual board's kernel: it loads the modules,
// mounts the share, brings the network up, and then does what the host asks for
// over a serial port. It runs in the guest only.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware/virtualboard/wire"
)

const path = "PATH=/host/bin/arm64:/host/bin:/bin:/sbin:/usr/bin:/usr/sbin"

func main() {
	err := run()
	fmt.Println("guest:", err)
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func run() error {
	if err := errors.Join(mounts(), os.Setenv("PATH", strings.TrimPrefix(path, "PATH="))); err != nil {
		return err
	}
	if err := loadModules(); err != nil {
		return err
	}
	if err := setUp(); err != nil {
		return err
	}
	port, err := serialPort()
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.RegisterName(wire.Service, &guest{running: map[int]*exec.Cmd{}, ended: map[int]chan struct{}{}, led: map[int]string{}}); err != nil {
		return err
	}
	server.ServeConn(port)
	return errors.New("the host has hung up")
}

func mounts() error {
	var errs []error
	for _, m := range []struct{ source, target, kind string }{
		{"proc", "/proc", "proc"}, {"sys", "/sys", "sysfs"}, {"dev", "/dev", "devtmpfs"}, {"tmp", "/tmp", "tmpfs"}, {"run", "/run", "tmpfs"},
	} {
		if err := unix.Mount(m.source, m.target, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			errs = append(errs, fmt.Errorf("mount %s: %w", m.target, err))
		}
	}
	return errors.Join(errs...)
}

// parameters of modules come on the kernel's command line, as module.name=value,
// which the kernel itself applies only to what is built in.
func parameters() map[string][]string {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil
	}
	all := map[string][]string{}
	for field := range strings.FieldsSeq(string(line)) {
		if module, parameter, ok := strings.Cut(field, "."); ok && strings.Contains(parameter, "=") {
			all[module] = append(all[module], parameter)
		}
	}
	return all
}

func loadModules() error {
	list, err := os.ReadFile("/modules")
	if err != nil {
		return err
	}
	all := parameters()
	for name := range strings.FieldsSeq(string(list)) {
		if err := load(name, strings.Join(all[name], " ")); err != nil {
			return fmt.Errorf("load module %s: %w", name, err)
		}
	}
	return nil
}

func load(name, parameters string) error {
	f, err := os.Open("/lib/modules/" + name + ".ko")
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), parameters, 0)
}

func setUp() error {
	if err := os.MkdirAll("/bin", 0o755); err != nil {
		return err
	}
	if out, err := exec.Command("/bin/busybox", "--install", "-s", "/bin").CombinedOutput(); err != nil {
		return fmt.Errorf("busybox: %w: %s", err, out)
	}
	if err := unix.Mount("hostshare", "/host", "9p", 0, "trans=virtio,version=9p2000.L,msize=131072,cache=none"); err != nil {
		return fmt.Errorf("mount the share: %w", err)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"}, {"link", "set", "eth0", "up"},
		{"addr", "add", "10.0.2.15/24", "dev", "eth0"}, {"route", "add", "default", "via", "10.0.2.2"},
	} {
		if out, err := exec.Command("/bin/ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

func serialPort() (*os.File, error) {
	names, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err == nil && strings.TrimSpace(string(text)) == wire.Port {
			return os.OpenFile("/dev/"+filepath.Base(filepath.Dir(name)), os.O_RDWR, 0)
		}
	}
	return nil, fmt.Errorf("serial port %s: %w", wire.Port, fs.ErrNotExist)
}

// guest answers the host. net/rpc runs each call in a goroutine of its own.
type guest struct {
	mu      sync.Mutex
	running map[int]*exec.Cmd
	ended   map[int]chan struct{}
	led     map[int]string // where a port leads, by Forward
}

// Hello answers once the board is up.
func (*guest) Hello(_ struct{}, release *string) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	*release = unix.ByteSliceToString(u.Release[:])
	return nil
}

// Run runs a program to its end.
func (*guest) Run(c wire.Command, result *wire.Result) error {
	ctx := context.Background()
	if c.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Limit)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = append(os.Environ(), c.Env...), bytes.NewReader(c.Input), &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: not ended after %v\n%s%s", strings.Join(c.Args, " "), c.Limit, out.Bytes(), errs.Bytes())
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return err
	}
	*result = wire.Result{Code: code(cmd.ProcessState), Stdout: out.Bytes(), Stderr: errs.Bytes()}
	return nil
}

func code(s *os.ProcessState) int {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return s.ExitCode()
}

// Shell runs a shell on the board's terminal.
func (*guest) Shell(_ struct{}, exit *int) error {
	tty, err := os.OpenFile("/dev/hvc0", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	cmd := exec.Command("/bin/sh")
	cmd.Dir = "/host"
	cmd.Env = append(os.Environ(), `PS1=board:\w# `)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Run(); cmd.ProcessState == nil {
		return err
	}
	*exit = code(cmd.ProcessState)
	return nil
}

// Start starts a program and returns its process number.
func (g *guest) Start(c wire.Command, pid *int) error {
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Env = append(os.Environ(), c.Env...)
	if c.Output != "" {
		f, err := os.Create(c.Output)
		if err != nil {
			return err
		}
		defer f.Close() // the program has its own
		cmd.Stdout, cmd.Stderr = f, f
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	*pid = cmd.Process.Pid
	done := make(chan struct{})
	g.mu.Lock()
	g.running[*pid], g.ended[*pid] = cmd, done
	g.mu.Unlock()
	go func() { // ends with the program
		_ = cmd.Wait() // its state tells
		close(done)
	}()
	return nil
}

// Wait waits for a program that was started.
func (g *guest) Wait(pid int, exit *int) error {
	g.mu.Lock()
	cmd, done := g.running[pid], g.ended[pid]
	g.mu.Unlock()
	if cmd == nil {
		return fmt.Errorf("process %d was not started here", pid)
	}
	<-done
	*exit = code(cmd.ProcessState)
	return nil
}

// Signal sends a signal to a program that was started.
func (g *guest) Signal(s wire.Signal, _ *struct{}) error {
	g.mu.Lock()
	cmd := g.running[s.PID]
	g.mu.Unlock()
	if cmd == nil {
		return fmt.Errorf("process %d was not started here", s.PID)
	}
	return cmd.Process.Signal(syscall.Signal(s.Signal))
}

// ReadFile reads a file of the guest.
func (*guest) ReadFile(name string, data *[]byte) (err error) {
	*data, err = os.ReadFile(name)
	return err
}

// WriteFile writes a file of the guest, or a value below /sys.
func (*guest) WriteFile(f wire.File, _ *struct{}) error { return os.WriteFile(f.Path, f.Data, 0o644) }

// Forward passes the connections of a port on, until the board is off: to programs
// in the guest the host's loopback is a loopback too. A host that listens at the same
// port again finds that it leads there already.
func (g *guest) Forward(f wire.Forward, _ *struct{}) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.led[f.Port] == f.To {
		return nil
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", f.Port))
	if err != nil {
		return err
	}
	g.led[f.Port] = f.To
	go func() { // ends with the board
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go pass(conn, f.To)
		}
	}()
	return nil
}

func pass(conn net.Conn, to string) {
	defer conn.Close()
	far, err := net.Dial("tcp", to)
	if err != nil {
		return // the program sees a connection that is closed, as from a host that is away
	}
	defer far.Close()
	ended := make(chan error, 2)
	for _, way := range [][2]net.Conn{{conn, far}, {far, conn}} {
		go func() {
			_, err := io.Copy(way[0], way[1])
			ended <- err
		}()
	}
	<-ended
}

// PowerOff ends the board.
func (*guest) PowerOff(struct{}, *struct{}) error {
	unix.Sync()
	return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}
