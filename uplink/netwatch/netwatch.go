// Package netwatch tells when an address of this machine comes or goes, or an
// interface is switched on or off, by rtnetlink(7). What that means for a
// connection is for its owner to find out.
package netwatch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// settle is how long the network must be quiet before a change is told: a
	// roam between two access points is a dozen messages.
	settle = 200 * time.Millisecond
	// patience bounds the wait for quiet.
	patience = time.Second
)

// Run calls changed after addresses have changed, until ctx ends. It calls it
// from this goroutine, one call at a time; what changes meanwhile is told by one
// more call.
func Run(ctx context.Context, changed func()) error {
	socket, err := open()
	if err != nil {
		return fmt.Errorf("watch network addresses: %w", err)
	}
	return watch(ctx, socket, changed)
}

// watch owns the socket.
func watch(ctx context.Context, socket *os.File, changed func()) error {
	defer socket.Close()
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	defer stop()
	w := watcher{socket: socket, buf: make([]byte, 8192)}
	for {
		err := w.change()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("watch network addresses: %w", err)
		}
		changed()
	}
}

func open() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	const groups = unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_LINK
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "rtnetlink"), nil
}

type watcher struct {
	socket *os.File
	buf    []byte
}

// change waits for a change and then for quiet.
func (w *watcher) change() error {
	if err := w.next(time.Time{}); err != nil {
		return err
	}
	for latest := time.Now().Add(patience); ; {
		until := time.Now().Add(settle)
		if until.After(latest) {
			until = latest
		}
		if err := w.next(until); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			return err
		}
	}
}

// next waits for a message that counts. ENOBUFS says that messages were lost, so
// something has changed.
func (w *watcher) next(until time.Time) error {
	if err := w.socket.SetReadDeadline(until); err != nil {
		return err
	}
	for {
		n, err := w.socket.Read(w.buf)
		if errors.Is(err, unix.ENOBUFS) {
			return nil
		}
		if err != nil || counts(w.buf[:n]) {
			return err
		}
	}
}

// counts says whether a datagram tells that an address came or went, or that an
// interface went or was switched on or off: an address outlives its interface
// being down, and is of no use meanwhile.
func counts(b []byte) bool {
	for len(b) >= unix.SizeofNlMsghdr {
		length := int(binary.NativeEndian.Uint32(b))
		if length < unix.SizeofNlMsghdr || length > len(b) {
			return false
		}
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_DELLINK:
			return true
		case unix.RTM_NEWLINK:
			if switched(b[unix.SizeofNlMsghdr:length]) {
				return true
			}
		}
		b = b[min(len(b), (length+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	}
	return false
}

// switched looks at ifi_change of a struct ifinfomsg. A wireless interface sends
// a link message for much else.
func switched(b []byte) bool {
	return len(b) >= unix.SizeofIfInfomsg && binary.NativeEndian.Uint32(b[12:])&unix.IFF_UP != 0
}
