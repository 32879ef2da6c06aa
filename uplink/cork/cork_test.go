package cork

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"
)

// rtp returns a packet of n bytes that RFC 7983 counts as media.
func rtp(n int, fill byte) []byte {
	b := bytes.Repeat([]byte{fill}, n)
	b[0] = 0x80
	return b
}

func open(t *testing.T, n *Net, network, address string) *socket {
	t.Helper()
	conn, err := n.ListenUDP(network, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*socket)
}

func newNet(t *testing.T) *Net {
	t.Helper()
	n, err := NewNet()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func addr(c net.PacketConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

func TestCorkedPacketsLeaveTogether(t *testing.T) {
	cases := []struct {
		name        string
		network     string
		address     string
		sizes       []int
		noGSO       bool
		callsAtMost uint64
	}{
		{"one", "udp4", "127.0.0.1:0", []int{100}, false, 1},
		{"equal with a short last", "udp4", "127.0.0.1:0", []int{1200, 1200, 1200, 40}, false, 1},
		{"shorter first", "udp4", "127.0.0.1:0", []int{20, 30, 1200, 1200, 7}, false, 1},
		{"two runs", "udp4", "127.0.0.1:0", []int{500, 500, 300, 900, 900}, false, 2},
		{"without segmentation", "udp4", "127.0.0.1:0", []int{1200, 1200, 1200, 40}, true, 1},
		{"inet6", "udp6", "[::1]:0", []int{1200, 1200, 40}, false, 1},
		{"more than a batch", "udp4", "127.0.0.1:0", bytesOf(150, 1000), false, 4},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := newNet(t)
			from, to := open(t, n, c.network, c.address), open(t, n, c.network, c.address)
			if err := to.SetReadBuffer(1 << 20); err != nil {
				t.Fatal(err)
			}
			from.out.noGSO = c.noGSO
			n.Cork()
			for i, size := range c.sizes {
				if _, err := from.WriteToAddrPort(rtp(size, byte(i)), addr(to)); err != nil {
					t.Fatal(err)
				}
			}
			n.Uncork()
			buf := make([]byte, 2000)
			for i, size := range c.sizes {
				got, sender, err := to.ReadFromAddrPort(buf)
				if err != nil {
					t.Fatal(err)
				}
				if sender != addr(from) || !bytes.Equal(buf[:got], rtp(size, byte(i))) {
					t.Fatalf("packet %d from %v: %d bytes, want %d from %v", i, sender, got, size, addr(from))
				}
			}
			if s := n.Stats(); s.Calls > c.callsAtMost || s.Dropped > 0 {
				t.Errorf("%d calls, %d dropped; want at most %d and none", s.Calls, s.Dropped, c.callsAtMost)
			}
		})
	}
}

func bytesOf(count, size int) (sizes []int) {
	for range count {
		sizes = append(sizes, size)
	}
	return sizes
}

func TestSTUNIsNotHeldBack(t *testing.T) {
	n := newNet(t)
	from, to := open(t, n, "udp4", "127.0.0.1:0"), open(t, n, "udp4", "127.0.0.1:0")
	n.Cork()
	defer n.Uncork()
	if _, err := from.WriteToAddrPort([]byte{0, 1, 2}, addr(to)); err != nil {
		t.Fatal(err)
	}
	if got, _, err := to.ReadFromAddrPort(make([]byte, 10)); err != nil || got != 3 {
		t.Fatalf("%d bytes, %v", got, err)
	}
}

func TestRefusalIsBelievedOnlyWhenItLasts(t *testing.T) {
	n := newNet(t)
	from, gone := open(t, n, "udp4", "127.0.0.1:0"), open(t, n, "udp4", "127.0.0.1:0")
	to := addr(gone)
	gone.Close()
	for range 3 {
		if _, err := from.WriteToAddrPort(rtp(100, 1), to); err != nil {
			t.Fatal(err)
		}
	}
	since := from.refused.Load()
	if since == 0 {
		t.Fatal("no refusal noted")
	}
	if n.Stats().Refused {
		t.Error("believed at once")
	}
	from.refused.Store(since - int64(refusedAfter))
	if !n.Stats().Refused {
		t.Error("not believed after", refusedAfter)
	}
	if n.Stats().Dropped > 0 {
		t.Error("a refusal of an earlier packet dropped a later one")
	}
}

func TestNoWayIsCountedAndEnds(t *testing.T) {
	n := newNet(t)
	from := open(t, n, "udp4", "127.0.0.1:0")
	// A loopback source cannot reach a documentation address (RFC 5737): the
	// kernel refuses it before anything leaves.
	if _, err := from.WriteToAddrPort(rtp(100, 1), netip.MustParseAddrPort("192.0.2.1:9")); err != nil {
		t.Fatal(err)
	}
	if n.Stats().Dropped != 1 {
		t.Errorf("dropped %d, want 1", n.Stats().Dropped)
	}
}

func TestCloseEndsReadAndWrite(t *testing.T) {
	n := newNet(t)
	s := open(t, n, "udp4", "127.0.0.1:0")
	done := make(chan error, 1)
	go func() {
		_, _, err := s.ReadFromAddrPort(make([]byte, 10))
		done <- err
	}()
	s.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if _, err := s.WriteToAddrPort(rtp(10, 1), netip.MustParseAddrPort("127.0.0.1:9")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if len(n.sockets) != 0 {
		t.Error("the net still holds the closed socket")
	}
}

func BenchmarkFrameOfTenPackets(b *testing.B) {
	n, err := NewNet()
	if err != nil {
		b.Fatal(err)
	}
	conn, err := n.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	s, packet := conn.(*socket), rtp(1200, 1)
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	b.ReportAllocs()
	for b.Loop() {
		n.Cork()
		for range 10 {
			if _, err := s.WriteToAddrPort(packet, addr(sink)); err != nil {
				b.Fatal(err)
			}
		}
		n.Uncork()
	}
}
