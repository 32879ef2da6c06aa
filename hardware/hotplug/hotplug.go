// Package hotplug tells when a device comes, by the kernel's uevents. It opens no
// device, and what one is good for it does not know.
package hotplug

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// The multicast groups of NETLINK_KOBJECT_UEVENT. The kernel tells when there is
// a device; udev, where it runs, once more when the device has its permissions
// and links, before which a service may not be able to open it
// (lib/kobject_uevent.c; systemd's sd-device, device-monitor.c).
const (
	kernelGroup = 1 << 0
	udevGroup   = 1 << 1
)

// Run calls came with the subsystem of each device that comes, as "video4linux"
// or "sound", until ctx ends: usually more than once a device. "" means that
// messages were lost, so that anything may have come. It calls from this
// goroutine, one call at a time. The messages are hints: any root process of the
// machine can send one.
func Run(ctx context.Context, came func(subsystem string)) error {
	socket, err := open()
	if err == nil {
		err = watch(ctx, socket, came)
	}
	if err != nil {
		return fmt.Errorf("watch for devices: %w", err)
	}
	return nil
}

func open() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup | udevGroup}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "uevents"), nil
}

// watch owns the socket.
func watch(ctx context.Context, socket *os.File, came func(string)) error {
	defer socket.Close()
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	defer stop()
	buf := make([]byte, 16<<10) // of the kernel's 2 KB and udev's 8 KB with room
	for {
		n, err := socket.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS):
			came("")
		case errors.Is(err, io.EOF): // a message with nothing in it; a datagram socket has no end
		case err != nil:
			return err
		default:
			if e, ok := parse(buf[:n]); ok && e.arrival() {
				came(e.subsystem)
			}
		}
	}
}

// event is what a message says.
type event struct{ action, subsystem string }

// arrival says that a device has come, or has become another one: a sound card
// is complete with a change.
func (e event) arrival() bool {
	switch e.action {
	case "add", "bind", "change", "online", "move":
		return e.subsystem != ""
	}
	return false
}

// udevHeader is the start of udev's messages: a mark, a magic number, the size of
// the header, and the offset and length of the properties, of which the magic
// number alone is big-endian (struct monitor_netlink_header).
const (
	udevMark   = "libudev\x00"
	udevMagic  = 0xfeedcafe
	udevHeader = 24
)

// parse reads the kernel's `add@/devices/x`, NUL, and udev's header, each with
// properties behind that, KEY=VALUE and NUL.
func parse(b []byte) (event, bool) {
	if bytes.HasPrefix(b, []byte(udevMark)) {
		return parseUdev(b)
	}
	head, properties, ok := bytes.Cut(b, []byte{0})
	if !ok || bytes.IndexByte(head, '@') <= 0 {
		return event{}, false
	}
	return parseProperties(properties)
}

func parseUdev(b []byte) (event, bool) {
	if len(b) < udevHeader || binary.BigEndian.Uint32(b[8:]) != udevMagic {
		return event{}, false
	}
	from := uint64(binary.NativeEndian.Uint32(b[16:]))
	to := from + uint64(binary.NativeEndian.Uint32(b[20:]))
	if from < udevHeader || to > uint64(len(b)) {
		return event{}, false
	}
	return parseProperties(b[from:to])
}

func parseProperties(b []byte) (e event, ok bool) {
	for len(b) > 0 {
		var property []byte
		property, b, _ = bytes.Cut(b, []byte{0})
		key, value, _ := bytes.Cut(property, []byte{'='})
		switch string(key) {
		case "ACTION":
			e.action = string(value)
		case "SUBSYSTEM":
			e.subsystem = string(value)
		}
	}
	return e, e.action != ""
}
