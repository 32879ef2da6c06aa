package rtc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/turn/v5"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/whip"
)

const turnUser, turnPassword, turnRealm = "glasses", "secret", "bril.test"

// relay is a TURN server on loopback.
type relay struct {
	server  *turn.Server
	address map[string]string // host:port by transport, udp and tcp
	relayed atomic.Uint64
}

// counted counts what a relay sends to the peers of its clients.
type counted struct {
	turn.RelayAddressGenerator
	relay *relay
}

func (c counted) AllocatePacketConn(cfg turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	conn, addr, err := c.RelayAddressGenerator.AllocatePacketConn(cfg)
	return countedConn{conn, c.relay}, addr, err
}

type countedConn struct {
	net.PacketConn
	relay *relay
}

func (c countedConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.relay.relayed.Add(1)
	return c.PacketConn.WriteTo(b, to)
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{address: map[string]string{"udp": udp.LocalAddr().String(), "tcp": tcp.Addr().String()}}
	addresses := counted{&turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"}, r}
	r.server, err = turn.NewServer(turn.ServerConfig{
		Realm: turnRealm,
		AuthHandler: func(a *turn.RequestAttributes) (string, []byte, bool) {
			return a.Username, turn.GenerateAuthKey(turnUser, turnRealm, turnPassword), a.Username == turnUser
		},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: udp, RelayAddressGenerator: addresses}},
		ListenerConfigs:   []turn.ListenerConfig{{Listener: tcp, RelayAddressGenerator: addresses}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.close() })
	return r
}

func (r *relay) close() { _ = r.server.Close() } // a second time is an error of its own

func (r *relay) url(transport string) string {
	return "turn:" + r.address[transport] + "?transport=" + transport
}

// logged keeps what is logged from a level on.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level}))
}

// Picture and sound arrive through a TURN server by UDP and by TCP, named by the
// endpoint or by the configuration.
func TestRelayed(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		for _, named := range []string{"endpoint", "configuration"} {
			t.Run(transport+" named by the "+named, func(t *testing.T) {
				checkLeaks(t)
				r := newRelay(t)
				e := newEndpoint(t)
				cfg := both
				cfg.relayOnly = true
				if named == "endpoint" {
					e.header = http.Header{"Link": {fmt.Sprintf(`<%s>; rel="ice-server"; username="%s"; credential="%s"`, r.url(transport), turnUser, turnPassword)}}
				} else {
					cfg.ICEServers = []whip.ICEServer{{URL: r.url(transport), Username: turnUser, Credential: whip.NewSecret(turnPassword)}}
				}
				p := mustDial(t, e, cfg)
				before, calls := r.relayed.Load(), p.sockets.Stats().Calls
				au := slice(10_000)
				if err := p.WriteVideo(encoder.AccessUnit{Data: au, PTS: monotonic.Now()}); err != nil {
					t.Fatal(err)
				}
				calls = p.sockets.Stats().Calls - calls
				var got []byte
				for last := false; !last; {
					packet := e.next(payloadVideo)
					got, last = depacketise(t, got, packet.Payload), packet.Marker
				}
				if !bytes.Equal(got, au[1:]) {
					t.Error("the picture came out changed")
				}
				if n := r.relayed.Load() - before; n < 9 {
					t.Errorf("%d packets went through the relay, want all nine", n)
				}
				if transport == "udp" && (calls == 0 || calls > 3) {
					t.Errorf("the picture left in %d system calls, with a report", calls)
				}
				if transport == "tcp" && calls != 0 {
					t.Errorf("%d UDP system calls over TCP", calls)
				}
			})
		}
	}
}

// A relay that dies is noticed: by UDP its host says so, by TCP the connection
// ends and silence follows.
func TestRelayDies(t *testing.T) {
	for transport, limit := range map[string]time.Duration{"udp": time.Second, "tcp": 4 * time.Second} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t)
			e := newEndpoint(t)
			cfg := both
			cfg.relayOnly = true
			cfg.ICEServers = []whip.ICEServer{{URL: r.url(transport), Username: turnUser, Credential: whip.NewSecret(turnPassword)}}
			p := mustDial(t, e, cfg)
			live(t, e, p)
			start := time.Now()
			r.close()
			go stream(p)
			if err := awaitLost(t, p); !errors.Is(err, ErrLost) {
				t.Errorf("got %v", err)
			}
			took := time.Since(start)
			if took > limit {
				t.Errorf("noticed after %v, want %v", took, limit)
			}
			t.Logf("noticed after %v: %v", took, p.Err())
		})
	}
}

// A STUN server is asked through the same sockets, and one that never answers
// delays nothing.
func TestSTUN(t *testing.T) {
	checkLeaks(t)
	r := newRelay(t)
	mute, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.Close() })
	for address, answers := range map[string]bool{r.address["udp"]: true, mute.LocalAddr().String(): false} {
		e := newEndpoint(t)
		cfg := both
		cfg.ICEServers = []whip.ICEServer{{URL: "stun:" + address}}
		start := time.Now()
		p := mustDial(t, e, cfg)
		if took := time.Since(start); took > gatherTime {
			t.Errorf("connected after %v", took)
		}
		live(t, e, p)
		<-e.patched
		if found := strings.Contains(p.peer.LocalDescription().SDP, " typ srflx"); found != answers {
			t.Errorf("a reflexive address: %v, want %v", found, answers)
		}
	}
}

// stream sends pictures until the connection is lost.
func stream(p *Publisher) {
	timer, err := monotonic.NewTimer()
	if err != nil {
		return
	}
	defer timer.Close()
	for at := monotonic.Now(); ; at += time.Second / 30 {
		if timer.SleepUntil(context.Background(), at) != nil {
			return
		}
		if err := p.WriteVideo(encoder.AccessUnit{Data: slice(3000), PTS: at}); errors.Is(err, ErrLost) {
			return
		}
	}
}

// With wrong credentials or none the connection goes another way where there is
// one, and the log says what is wrong.
func TestRelayRefuses(t *testing.T) {
	const gone = "turn:127.0.0.1:1?transport=tcp"
	cases := []struct {
		name, url, username, password, want string
	}{
		{"wrong password", "", turnUser, "guess", "no TURN server gave a relay address"},
		{"unknown user", "", "somebody", turnPassword, "no TURN server gave a relay address"},
		{"no credentials", "", "", "", "TURN server left out"},
		{"nobody there", gone, turnUser, turnPassword, "no TURN server gave a relay address"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRelay(t)
			e := newEndpoint(t)
			if c.url == "" {
				c.url = r.url("udp")
			}
			var log logged
			cfg := both
			cfg.Log = log.logger(slog.LevelWarn)
			cfg.ICEServers = []whip.ICEServer{{URL: c.url, Username: c.username, Credential: whip.NewSecret(c.password)}}
			p := mustDial(t, e, cfg)
			live(t, e, p)
			<-e.patched // the candidates have been gathered by then
			if !strings.Contains(log.String(), c.want) {
				t.Errorf("log: %q, want %q", log.String(), c.want)
			}
			if strings.Contains(log.String(), turnPassword) {
				t.Error("the password is in the log")
			}
		})
	}
}

// Without another way Dial fails, and says of what.
func TestRelayOnlyAndRefused(t *testing.T) {
	checkLeaks(t)
	r := newRelay(t)
	e := newEndpoint(t)
	var log logged
	cfg := both
	cfg.Log, cfg.relayOnly = log.logger(slog.LevelWarn), true
	cfg.ICEServers = []whip.ICEServer{{URL: r.url("udp"), Username: turnUser, Credential: whip.NewSecret("guess")}}
	start := time.Now()
	if _, err := dial(t, e, cfg); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "connect to the endpoint") {
		t.Errorf("got %v", err)
	} else {
		t.Logf("after %v: %v", time.Since(start), err)
	}
	if !strings.Contains(log.String(), "no TURN server gave a relay address") {
		t.Errorf("log: %q", log.String())
	}
	e.awaitDelete()
}
