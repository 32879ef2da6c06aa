package cork

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockaddr holds a struct sockaddr_in or sockaddr_in6.
type sockaddr struct {
	raw unix.RawSockaddrInet6 // the larger of the two; the family says which it is
	len uint32
}

// set stores a in the form that a socket of the given address family takes.
func (s *sockaddr) set(a netip.AddrPort, inet6 bool) {
	if inet6 {
		s.raw = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: networkOrder(a.Port()), Addr: a.Addr().As16()}
		s.len = unix.SizeofSockaddrInet6
		return
	}
	in4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw))
	*in4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: networkOrder(a.Port()), Addr: a.Addr().As4()}
	s.len = unix.SizeofSockaddrInet4
}

// addrPort returns the address in its shortest form; a mapped IPv4 address is
// unmapped.
func (s *sockaddr) addrPort() netip.AddrPort {
	switch s.raw.Family {
	case unix.AF_INET:
		in4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw))
		return netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), networkOrder(in4.Port))
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(s.raw.Addr).Unmap(), networkOrder(s.raw.Port))
	}
	return netip.AddrPort{}
}

// networkOrder turns a port into network byte order and back.
func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}
