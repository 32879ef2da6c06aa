package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pipeSize is asked for of a pipe: with the usual 64 KiB a 720p picture takes 22
// reads, and its writer waits for each. More than this needs privileges (pipe(7)).
const pipeSize = 1 << 20

// pipe reads a descriptor so that Close ends a read, which an *os.File of an
// inherited pipe cannot do, and without waking the runtime's sysmon thread. It
// is for one reader.
type pipe struct {
	file *os.File
	conn syscall.RawConn
	read func(uintptr) bool // made once, so that a read allocates nothing
	into []byte
	n    int
	err  error
}

// openPipe takes a duplicate of f. A regular file, whose reads never block,
// stays as it is.
func openPipe(f *os.File) (io.ReadCloser, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return io.NopCloser(f), nil
	case mode&(os.ModeNamedPipe|os.ModeSocket) == 0:
		return nil, withHint(errors.New("it is not a pipe"), hintStream)
	}
	return newPipe(f)
}

func newPipe(f *os.File) (*pipe, error) {
	fd, err := duplicate(f)
	if err != nil {
		return nil, fmt.Errorf("duplicate its descriptor: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make it non-blocking: %w", err)
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, pipeSize) // a socket has none, and less works too
	p := &pipe{file: os.NewFile(uintptr(fd), f.Name())}
	p.read = p.tryRead
	if p.conn, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// duplicate leaves f's own mode alone, which f.Fd would change.
func duplicate(f *os.File) (fd int, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	failed := conn.Control(func(from uintptr) { fd, err = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0) })
	if failed != nil {
		return -1, failed
	}
	return fd, err
}

// Read reads what is there, waiting in the network poller for the first byte.
func (p *pipe) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	p.into = b
	if err := p.conn.Read(p.read); err != nil {
		return 0, os.ErrClosed
	}
	if p.n == 0 && p.err == nil {
		return 0, io.EOF
	}
	return p.n, p.err
}

// tryRead uses RawSyscall, which is right for a descriptor that never blocks: an
// ordinary system call would wake sysmon. False means not yet.
func (p *pipe) tryRead(fd uintptr) bool {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&p.into[0])), uintptr(len(p.into)))
		switch errno {
		case 0:
			p.n, p.err = int(n), nil
			return true
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			p.n, p.err = 0, errno
			return true
		}
	}
}

// Close ends a read.
func (p *pipe) Close() error { return p.file.Close() }
