package rtc

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/netwatch"
	"github.com/bril-edge/bril/uplink/whip"
)

// lab is two networks joined by two cables. The endpoint's HTTP address is
// behind both, as one on the Internet is:
//
//	glasses  10.0.0.1 one ═══ one 10.0.0.2  endpoint
//	         10.0.1.1 two ═══ two 10.0.1.2  10.9.9.9
type lab struct {
	t        *testing.T
	endpoint *process
}

func newLab(t *testing.T, env ...string) lab {
	t.Helper()
	l := lab{t, startProcess(t, "10.9.9.9:0", syscall.CLONE_NEWNET, env...)}
	there := strconv.Itoa(l.endpoint.cmd.Process.Pid)
	l.ip("link", "set", "lo", "up")
	l.ipThere("link", "set", "lo", "up")
	l.ipThere("addr", "add", "10.9.9.9/32", "dev", "lo")
	for i, name := range []string{"one", "two"} {
		l.ip("link", "add", name, "type", "veth", "peer", "name", name, "netns", there)
		for _, where := range []func(...string){l.ip, l.ipThere} {
			where("link", "set", name, "addrgenmode", "none") // no IPv6 of its own making
			where("link", "set", name, "up")
		}
		l.ipThere("addr", "add", "10.0."+strconv.Itoa(i)+".2/24", "dev", name)
	}
	l.join("one")
	l.endpoint.listen()
	return l
}

// join gives the glasses an address on a cable, and the way out by it.
func (l lab) join(cable string) {
	l.t.Helper()
	net := map[string]string{"one": "10.0.0.", "two": "10.0.1."}[cable]
	l.ip("addr", "add", net+"1/24", "dev", cable)
	l.ip("route", "add", "10.9.9.9", "via", net+"2")
}

func (l lab) ip(args ...string) { l.run("ip", args...) }

func (l lab) ipThere(args ...string) {
	l.run("nsenter", append([]string{"--target", strconv.Itoa(l.endpoint.cmd.Process.Pid), "--net", "ip"}, args...)...)
}

func (l lab) run(name string, args ...string) {
	l.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		l.t.Fatalf("%s %v: %v", name, args, err)
	}
}

// call publishes, streams until the connection is lost, and watches the network
// as the agent does.
func call(t *testing.T, to *process, cfg Config) *Publisher {
	t.Helper()
	client, err := whip.New(whip.Config{URL: to.url + "/whip/demo", RootCAs: to.roots})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	p, err := Dial(t.Context(), client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	streaming := make(chan struct{})
	go func() { defer close(streaming); stream(p) }()
	t.Cleanup(func() {
		_ = p.Close(t.Context()) // the endpoint may be gone
		<-streaming
	})
	return p
}

// watch calls NetworkChanged until the end of the test, and tells of each call.
func watch(t *testing.T, p *Publisher) (told chan struct{}) {
	told = make(chan struct{}, 8)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- netwatch.Run(ctx, func() {
			if err := p.NetworkChanged(ctx); err != nil {
				t.Log(err)
			}
			note(told)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return told
}

// The address in use goes and another comes: the session and its DTLS go on.
func TestICERestart(t *testing.T) {
	if !alone(t) {
		return
	}
	l := newLab(t)
	keyFrames := make(chan struct{}, 8)
	p := call(t, l.endpoint, Config{Video: both.Video, KeyFrame: func() { note(keyFrames) }})
	l.endpoint.awaitPackets(0, 10)
	watch(t, p)
	for _, way := range [][2]string{{"one", "two"}, {"two", "one"}} {
		before, err := l.endpoint.counts()
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		l.ip("addr", "flush", "dev", way[0])
		l.join(way[1])
		after := l.endpoint.awaitPackets(before.Packets+5, 10) // five may have been under way
		t.Logf("%v to %v: pictures again after %v, %+v", way[0], way[1], time.Since(start), after)
		if after.Posts != 1 {
			t.Errorf("%d POSTs", after.Posts)
		}
		if p.Err() != nil {
			t.Fatal(p.Err())
		}
		select {
		case <-keyFrames:
		case <-time.After(5 * time.Second):
			t.Error("no key frame was asked for")
		}
	}
}

// Addresses that are not in use may come and go.
func TestOtherAddressesDoNotMatter(t *testing.T) {
	if !alone(t) {
		return
	}
	l := newLab(t)
	p := call(t, l.endpoint, Config{Video: both.Video})
	before := l.endpoint.awaitPackets(0, 10)
	l.ip("addr", "add", "10.0.1.1/24", "dev", "two")
	for range 2 {
		if err := p.NetworkChanged(t.Context()); err != nil {
			t.Error(err)
		}
		l.ip("addr", "flush", "dev", "two")
	}
	if after := l.endpoint.awaitPackets(before.Packets, 30); after.Patches != before.Patches {
		t.Errorf("%d PATCHes", after.Patches-before.Patches)
	}
}

// An endpoint that takes no restart is lost at once, and can be called again.
func TestEndpointWithoutICERestart(t *testing.T) {
	if !alone(t) {
		return
	}
	l := newLab(t, noRestart+"=1")
	p := call(t, l.endpoint, Config{Video: both.Video})
	l.endpoint.awaitPackets(0, 10)
	watch(t, p)
	start := time.Now()
	l.ip("addr", "flush", "dev", "one")
	l.join("two")
	err := awaitLost(t, p)
	t.Logf("lost after %v: %v", time.Since(start), err)
	if !errors.Is(err, ErrLost) || !errors.Is(err, whip.ErrNoPatch) {
		t.Errorf("got %v", err)
	}
	before, err := l.endpoint.counts()
	if err != nil {
		t.Fatal(err)
	}
	call(t, l.endpoint, Config{Video: both.Video})
	if after := l.endpoint.awaitPackets(before.Packets, 10); after.Posts != 2 {
		t.Errorf("%d POSTs", after.Posts)
	}
}

// The network goes: that is no reason to restart anything, and silence ends the
// connection. It comes back, and the endpoint can be called again.
func TestNetworkGoesAndComesBack(t *testing.T) {
	if !alone(t) {
		return
	}
	l := newLab(t)
	p := call(t, l.endpoint, Config{Video: both.Video})
	l.endpoint.awaitPackets(0, 10)
	watch(t, p)
	start := time.Now()
	l.ip("link", "set", "one", "down")
	err := awaitLost(t, p)
	took := time.Since(start)
	t.Logf("lost after %v: %v", took, err)
	if took < silence-500*time.Millisecond || took > silence+1200*time.Millisecond {
		t.Errorf("lost after %v", took)
	}
	l.ip("link", "set", "one", "up")
	l.ip("route", "add", "10.9.9.9", "via", "10.0.0.2")
	before, err := l.endpoint.counts()
	if err != nil {
		t.Fatal(err)
	}
	call(t, l.endpoint, Config{Video: both.Video})
	l.endpoint.awaitPackets(before.Packets, 10)
}

// A short break, after which the old address is back, is none.
func TestShortBreak(t *testing.T) {
	if !alone(t) {
		return
	}
	l := newLab(t)
	p := call(t, l.endpoint, Config{Video: both.Video})
	l.endpoint.awaitPackets(0, 10)
	told := watch(t, p)
	before, err := l.endpoint.counts()
	if err != nil {
		t.Fatal(err)
	}
	l.ip("addr", "flush", "dev", "one")
	<-told
	l.join("one")
	if after := l.endpoint.awaitPackets(before.Packets, 60); after.Posts != 1 || after.Patches != before.Patches {
		t.Errorf("%+v, before %+v", after, before)
	}
	if p.Err() != nil {
		t.Error(p.Err())
	}
}

// An endpoint that stops answering is lost after 2.5 to 3.5 s; one that is
// killed on a host that says so, in a third of a second.
func TestEndpointFallsSilent(t *testing.T) {
	cases := []struct {
		name     string
		signal   syscall.Signal
		from, to time.Duration
		want     string
	}{
		{"stopped", syscall.SIGSTOP, silence - 200*time.Millisecond, silence + 1100*time.Millisecond, "nothing heard"},
		{"killed", syscall.SIGKILL, 0, 500 * time.Millisecond, "refuses packets"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := startProcess(t, "127.0.0.1:0", 0)
			e.listen()
			p := call(t, e, Config{Video: both.Video, Loopback: true})
			e.awaitPackets(0, 10)
			start := time.Now()
			e.signal(c.signal)
			err := awaitLost(t, p)
			took := time.Since(start)
			t.Logf("lost after %v: %v", took, err)
			if took < c.from || took > c.to || !strings.Contains(err.Error(), c.want) {
				t.Errorf("lost after %v: %v", took, err)
			}
			if err := p.WriteVideo(encoder.AccessUnit{Data: slice(10), PTS: monotonic.Now()}); !errors.Is(err, ErrLost) {
				t.Errorf("write: %v", err)
			}
		})
	}
}
