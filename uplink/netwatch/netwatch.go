// Package netwatch tells when an address of this machine comes or goes, by
// rtnetlink(7). What that means for a connection is for its owner to find out.
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

// settle is how long the network must be quiet before a change is told: a roam
// between two access points is a dozen messages.
const settle = 200 * time.Millisecond

// Run calls changed after addresses have changed, until ctx ends. It calls it
// from this goroutine, one call at a time.
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
	stop := context.AfterFunc(ctx, func() { socket.SetReadDeadline(time.Unix(1, 0)) }) //nolint:errcheck // the socket is open
	defer stop()
	for {
		if err := next(socket, time.Time{}); err != nil {
			return done(ctx, err)
		}
		var err error
		for err == nil && ctx.Err() == nil {
			err = next(socket, time.Now().Add(settle))
		}
		if ctx.Err() != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return done(ctx, err)
		}
		changed()
	}
}

func done(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("watch network addresses: %w", err)
}

func open() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	const groups = unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "rtnetlink"), nil
}

// next waits for a message about an address. ENOBUFS says that messages were
// lost, so something has changed.
func next(socket *os.File, until time.Time) error {
	if err := socket.SetReadDeadline(until); err != nil {
		return err
	}
	buf := make([]byte, 8192)
	for {
		n, err := socket.Read(buf)
		if errors.Is(err, unix.ENOBUFS) {
			return nil
		}
		if err != nil || about(buf[:n]) {
			return err
		}
	}
}

// about says whether a datagram holds an RTM_NEWADDR or RTM_DELADDR.
func about(b []byte) bool {
	for len(b) >= unix.SizeofNlMsghdr {
		length := int(binary.NativeEndian.Uint32(b))
		if kind := binary.NativeEndian.Uint16(b[4:]); kind == unix.RTM_NEWADDR || kind == unix.RTM_DELADDR {
			return true
		}
		aligned := (length + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1)
		if length < unix.SizeofNlMsghdr || aligned > len(b) {
			return false
		}
		b = b[aligned:]
	}
	return false
}
