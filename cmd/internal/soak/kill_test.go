package soak

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
)

const (
	conversation = "conversation-of-anna"
	label        = "Glasses of the showroom in Gent"
)

const config = `
session: {name: ` + conversation + `}
media: {label: "` + label + `"}
clip: {pre_roll: 3s}
upload: {live_share: 100}
video: {max_bitrate: 8M}
`

// number reads a variable of the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// siege is one run of the kill test.
type siege struct {
	t        *testing.T
	rand     *rand.Rand
	endpoint *endpoint
	agent    *agent
	disk     string // the whole of the device's
	ledger   *ledger
	search   *search
	watcher  *watcher
	planted  planted

	hits          map[string]int // kills, by what they were aimed at; those that hit
	refusals      map[string]int
	endpointKills int
	early         int
}

// TestKills kills the agent at any moment while photos and clips are taken and
// sent, and at times the endpoint, and starts them again. Then what was promised
// has to be at the endpoint, once and unchanged, and on the device nothing.
//
// BRIL_KILLS is how often, BRIL_SEED repeats the choices of another run; when
// exactly something is hit depends on the machine, too.
func TestKills(t *testing.T) {
	kills, seed := int(number(t, "BRIL_KILLS", 50)), number(t, "BRIL_SEED", rand.Uint64N(1_000_000))
	t.Logf("BRIL_SEED=%d BRIL_KILLS=%d", seed, kills)
	begun := time.Now()
	s := newSiege(t, seed)
	for n := range kills {
		s.round(newPlan(s.rand))
		if n == kills/2 {
			s.planted.again(t, s.agent.spool(), s.ledger)
		}
		if (n+1)%50 == 0 {
			t.Logf("%d kills in %s: %s", n+1, time.Since(begun).Round(time.Second), s.ledger)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	killing := time.Since(begun)
	s.leaveAlone()
	verdict := s.judge()
	t.Logf("figure: seed %d: %d kills of the agent in %.0f s (%d of them while it started) and %d of the endpoint; %s; %s; %d MB searched",
		seed, kills, killing.Seconds(), s.early, s.endpointKills, s.ledger, verdict, s.search.bytes>>20)
	t.Logf("hit: %v", s.hits)
	t.Logf("no promise: %v", s.refusals)
}

func newSiege(t *testing.T, seed uint64) *siege {
	t.Helper()
	s := &siege{
		t: t, rand: rand.New(rand.NewPCG(seed, 0)), endpoint: newEndpoint(t), search: newSearch(conversation, label),
		hits: map[string]int{}, refusals: map[string]int{},
	}
	s.endpoint.begin()
	s.agent = newAgent(t, s.endpoint, config)
	temp := t.TempDir()
	s.agent.env = []string{"TMPDIR=" + temp, "HOME=" + temp}
	s.disk = temp
	identity, err := media.LoadIdentity(s.endpoint.data)
	if err != nil {
		t.Fatal(err)
	}
	s.ledger = newLedger(identity)
	s.planted = plant(t, s.agent.spool(), s.ledger)
	s.watcher = watch(t, map[string]string{
		inState: s.agent.state, inSpool: s.agent.spool(),
		inUploads: filepath.Join(s.endpoint.data, "uploads"), inIncoming: filepath.Join(s.endpoint.data, "incoming"),
		inReceipts: filepath.Join(s.endpoint.data, "receipts"), inSessions: filepath.Join(s.endpoint.data, "sessions"),
	})
	return s
}

// round is one life of the agent.
func (s *siege) round(p plan) {
	s.t.Helper()
	s.watcher.forget()
	if p.live {
		s.agent.start("--live")
	} else {
		s.agent.start()
	}
	if !s.endpoint.alive() {
		s.endpoint.begin()
	}
	if p.live && !p.early {
		s.agent.waitArmed()
		s.watcher.forget()
	}
	var hands *pressing
	if p.live {
		hands = press(s.agent, s.ledger, s.rand, p.hold(), s.refusals)
	}
	s.killEndpoint(p)
	if p.await(s.watcher, s.agent.done) {
		s.hits[p.name]++
	}
	if !s.agent.alive() {
		s.t.Errorf("the agent ended by itself")
	}
	if p.both {
		s.endpoint.end(syscall.SIGKILL)
		s.endpointKills++
	}
	s.agent.end(syscall.SIGKILL)
	if p.early {
		s.early++
	}
	if hands != nil {
		hands.end()
	}
	s.inspect()
	if !s.endpoint.alive() && !p.away {
		s.endpoint.begin()
	}
}

// killEndpoint kills the endpoint alone, early in a round, and starts it again.
func (s *siege) killEndpoint(p plan) {
	s.t.Helper()
	if p.endpointAlone == 0 {
		return
	}
	<-time.After(p.endpointAlone) // the moment itself
	s.endpoint.end(syscall.SIGKILL)
	s.endpointKills++
	s.endpoint.begin()
}

// inspect looks at the disk of the dead agent.
func (s *siege) inspect() {
	s.t.Helper()
	err := s.ledger.inspect(s.agent.spool(), func(plain []byte) error {
		if s.search.in(plain) == "" {
			return fmt.Errorf("the search would not find this item in clear")
		}
		return nil
	})
	if err != nil {
		s.t.Errorf("the spool: %v", err)
	}
	found, err := s.search.all(s.agent.state, s.disk)
	if err != nil || len(found) > 0 {
		s.t.Errorf("on the device's disk: %q, %v", found, err)
	}
}

// leaveAlone lets the agent send what there is.
func (s *siege) leaveAlone() {
	s.t.Helper()
	if !s.endpoint.alive() {
		s.endpoint.begin()
	}
	begun := time.Now()
	s.agent.start()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for left := s.left(); len(left) > 0; left = s.left() {
		if time.Since(begun) > 2*patience {
			s.t.Fatalf("still on the device: %+v", left)
		}
		<-tick.C
	}
	s.agent.end(syscall.SIGTERM)
	s.inspect()
	s.t.Logf("the spool is empty after %s", time.Since(begun).Round(time.Millisecond))
}

// left is what waits in the spool, and is not of what was planted.
func (s *siege) left() []control.SpoolItem {
	spool, err := s.agent.client.Spool(s.t.Context())
	if err != nil {
		return []control.SpoolItem{{Problem: err.Error()}}
	}
	return slices.DeleteFunc(spool.Items, func(i control.SpoolItem) bool { return s.planted.settled(i) })
}

func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d photos and %d clips promised, %d clips begun and cut (%d of them before anything was durable), %d items seen on the disk",
		len(l.photos), len(l.finished), len(l.cut)+len(l.empty), len(l.empty), len(l.disk))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
