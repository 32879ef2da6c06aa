package cork

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
			n := NewNet()
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
	n := NewNet()
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

// deaf returns an address where nobody listens.
func deaf(t *testing.T, n *Net) netip.AddrPort {
	t.Helper()
	s := open(t, n, "udp4", "127.0.0.1:0")
	defer s.Close()
	return addr(s)
}

func TestRefusalIsBelievedOnlyWhenItLasts(t *testing.T) {
	n := NewNet()
	from := open(t, n, "udp4", "127.0.0.1:0")
	to := deaf(t, n)
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
	sender := open(t, n, "udp4", "127.0.0.1:0")
	if _, err := sender.WriteToAddrPort(rtp(100, 1), addr(from)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := from.ReadFromAddrPort(make([]byte, 200)); err != nil {
		t.Fatal(err)
	}
	if n.Stats().Refused {
		t.Error("still believed after a packet came in")
	}
}

// ICE tries many addresses: that one of them is deaf says nothing of the one
// where media goes.
func TestRefusalElsewhereDoesNotCount(t *testing.T) {
	n := NewNet()
	from, to := open(t, n, "udp4", "127.0.0.1:0"), open(t, n, "udp4", "127.0.0.1:0")
	other, stun := deaf(t, n), []byte{0, 1, 0, 0}
	for range 3 {
		for _, w := range []struct {
			b  []byte
			to netip.AddrPort
		}{{stun, other}, {rtp(100, 1), addr(to)}} {
			if _, err := from.WriteToAddrPort(w.b, w.to); err != nil {
				t.Fatal(err)
			}
		}
	}
	if from.refused.Load() != 0 {
		t.Error("a refused STUN check counted")
	}
	if n.Stats().Dropped > 0 {
		t.Error("a refusal elsewhere dropped a packet")
	}
}

func TestReaderHearsOfRefusalAndReadsOn(t *testing.T) {
	n := NewNet()
	from, sender := open(t, n, "udp4", "127.0.0.1:0"), open(t, n, "udp4", "127.0.0.1:0")
	got := make(chan error, 1)
	go func() {
		_, _, err := from.ReadFromAddrPort(make([]byte, 200))
		got <- err
	}()
	if _, err := from.WriteToAddrPort(rtp(100, 1), deaf(t, n)); err != nil {
		t.Fatal(err)
	}
	for from.refused.Load() == 0 {
		runtime.Gosched()
	}
	if _, err := sender.WriteToAddrPort(rtp(100, 1), addr(from)); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// A send buffer that nothing empties holds up one batch for sendWait, not each
// of its packets.
func TestFullSendBufferIsWaitedForOnce(t *testing.T) {
	inSlowNamespace(t)
	n := NewNet()
	from, to := open(t, n, "udp4", "127.0.0.1:0"), open(t, n, "udp4", "127.0.0.1:0")
	if err := from.SetWriteBuffer(1); err != nil { // the kernel makes it its minimum
		t.Fatal(err)
	}
	from.out.noGSO = true // a segmented burst counts as one packet
	n.Cork()
	const packets = 40
	for range packets {
		if _, err := from.WriteToAddrPort(rtp(1000, 1), addr(to)); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	n.Uncork()
	took := time.Since(start)
	if took < sendWait || took > 3*sendWait {
		t.Errorf("waited %v, want %v", took, sendWait)
	}
	dropped := n.Stats().Dropped
	if dropped == 0 || dropped >= packets {
		t.Errorf("dropped %d packets of %d", dropped, packets)
	}
	t.Logf("waited %v, dropped %d of %d", took, dropped, packets)
}

// inSlowNamespace gives this test a network of its own whose loopback interface
// takes 1 kB/s.
func inSlowNamespace(t *testing.T) {
	t.Helper()
	for _, name := range []string{"ip", "tc"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs %s (package iproute2)", name)
		}
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs root for a network namespace: %v", err)
	}
	run(t, "ip", "link", "set", "lo", "up")
	run(t, "tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "8kbit", "burst", "2000", "limit", "1000000")
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
}

// TURN clients and STUN queries use the socket as a net.PacketConn.
func TestPacketConn(t *testing.T) {
	n := NewNet()
	from, err := n.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to := open(t, n, "udp4", "127.0.0.1:0")
	channel := []byte{0x40, 0x01, 0, 4, 1, 2, 3, 4}
	n.Cork()
	if _, err := from.WriteTo(channel, to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if calls := n.Stats().Calls; calls != 0 {
		t.Errorf("channel data left in %d calls while corked", calls)
	}
	n.Uncork()
	buf := make([]byte, 100)
	got, sender, err := to.ReadFrom(buf)
	if err != nil || !bytes.Equal(buf[:got], channel) || sender.String() != from.LocalAddr().String() {
		t.Fatalf("got % x from %v, %v", buf[:got], sender, err)
	}
	if err := from.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, _, err := from.ReadFrom(buf); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("past the deadline: %v", err)
	}
	if _, err := n.ListenPacket("udp4", "nonsense"); err == nil {
		t.Error("an address that is none was taken")
	}
	if _, err := from.WriteTo(channel, &net.TCPAddr{}); err == nil {
		t.Error("a TCP address was taken")
	}
}

func TestNoWayIsCountedAndEnds(t *testing.T) {
	n := NewNet()
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
	n := NewNet()
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
	n := NewNet()
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

// What came first has been dealt with when the reader comes back.
func TestOnHeard(t *testing.T) {
	n := NewNet()
	heard := 0
	n.OnHeard(func() { heard++ })
	from, to := open(t, n, "udp4", "127.0.0.1:0"), open(t, n, "udp4", "127.0.0.1:0")
	buf := make([]byte, 10)
	for i, want := range []int{0, 1, 1} {
		if _, err := from.WriteToAddrPort([]byte{0, 1, 2}, addr(to)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := to.ReadFromAddrPort(buf); err != nil {
			t.Fatal(err)
		}
		if heard != want {
			t.Errorf("called %d times at packet %d, want %d", heard, i+1, want)
		}
	}
}
