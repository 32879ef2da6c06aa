package fleetsim

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet/manager"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/configs/fleet"
)

// gate is the fleet's service in this process, with a bound on new lines that a few
// hundred boards reach.
type gate struct {
	*testing.T
	fleet      *Fleet
	db         *records.DB
	registry   *devices.Registry
	handshakes int
	url        string

	mu      sync.Mutex
	handler http.Handler // nil while it is down
	later   []int        // what Retry-After said, in seconds
}

func newGate(t *testing.T, f *Fleet, handshakes int) *gate {
	t.Helper()
	g := &gate{T: t, fleet: f, handshakes: handshakes}
	var err error
	if g.db, err = records.Open(records.Config{Dir: f.Dir}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.db.Close() })
	authority, err := devices.OpenAuthority(f.Dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := authority.OwnServer(f.Dir, []string{"127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	g.registry = devices.New(devices.Config{
		Records: g.db, Authority: authority, Clock: time.Now, Log: slog.New(slog.DiscardHandler), Endpoint: func(string, string) devices.Endpoint { return devices.Endpoint{} },
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{GetCertificate: authority.ServerCertificate, ClientAuth: tls.RequestClientCert, NextProtos: []string{"http/1.1"}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(g.serve))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of boards that hang up
	server.Listener.Close()
	server.Listener = tls.NewListener(listener, config)
	server.Start()
	t.Cleanup(server.Close)
	g.url = "https://" + listener.Addr().String()
	return g
}

func (g *gate) serve(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	handler := g.handler
	g.mu.Unlock()
	if handler == nil {
		http.Error(w, "it starts", http.StatusBadGateway)
		return
	}
	handler.ServeHTTP(&counted{w, g}, r)
}

// counted notes which lines are not let in.
type counted struct {
	http.ResponseWriter
	*gate
}

func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *counted) WriteHeader(status int) {
	if status == http.StatusServiceUnavailable {
		after, err := strconv.Atoi(c.Header().Get("Retry-After"))
		if err != nil {
			c.Errorf("a refusal without a Retry-After in seconds: %v", err)
		}
		c.mu.Lock()
		c.later = append(c.later, after)
		c.mu.Unlock()
	}
	c.ResponseWriter.WriteHeader(status)
}

// start runs a new service on what the last has kept; stop ends it and all its lines.
func (g *gate) start() (stop func()) {
	g.Helper()
	s, err := service.Open(g.Context(), service.Config{
		Records: g.db, Fleet: "fleet", Keys: []string{fleet.FormatKey(g.fleet.Key.Public().(ed25519.PublicKey))}, Handshakes: g.handshakes,
		Holder: func(r *http.Request) (records.Device, error) {
			return g.registry.Holder(r.Context(), r.TLS.PeerCertificates[0])
		},
	})
	if err != nil {
		g.Fatal(err)
	}
	handle, err := s.Line()
	if err != nil {
		g.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/fleet/opamp", handle)
	for pattern, h := range s.Routes() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		})
	}
	ctx, end := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil && ctx.Err() == nil {
			g.Errorf("the service ended: %v", err)
		}
	}()
	g.set(mux)
	return func() {
		g.set(nil)
		end()
		<-done
	}
}

func (g *gate) set(h http.Handler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handler = h
}

// TestStorm: boards that lose their line all at once, in the middle of a rollout, are
// let in at the rate that the service bears; the others are told when to come again, not
// all at the same time, and do. None applies anything twice.
func TestStorm(t *testing.T) {
	const boards, handshakes = 120, 12 // which a slow machine reaches too
	f, err := Prepare(t.Context(), t.TempDir(), boards, nil)
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(t, f, handshakes)
	d := &day{T: t, fleet: f, server: &Server{output: &tail{}}}
	if d.client, err = manager.New(manager.Config{Server: g.url, Token: f.Token, Roots: f.Roots}); err != nil {
		t.Fatal(err)
	}
	stop := g.start()
	defer func() { stop() }()
	d.crowd = NewCrowd(f, g.url, Behaviour{Probation: 3 * time.Second, FleetName: "fleet"})
	ctx, off := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.crowd.Run(ctx)
	}()
	defer func() {
		off()
		<-done
	}()
	d.until("all are online", func() bool { return d.crowd.Look() == boards })
	r := d.push("video:\n  max_bitrate: 1.5M\n", 100)
	d.until("some have it", func() bool { return applied(d.crowd, r.Serial) >= boards/4 })

	stop()
	g.mu.Lock()
	g.later = nil
	g.mu.Unlock()
	lost := time.Now()
	stop = g.start()
	d.until("all are back", func() bool { return len(d.crowd.Since(lost)) == boards })
	took := time.Since(lost)
	d.until("it is done", func() bool { return d.rollout(r.Serial).State == service.StateDone })
	g.spread(took)
	for _, b := range d.crowd.Boards {
		if n := b.Applied(r.Serial); n != 1 {
			t.Errorf("%s has applied it %d times", b.ID(), n)
		}
	}
}

func TestBusiest(t *testing.T) {
	begin := time.Unix(0, 0)
	var moments []time.Time
	for _, ms := range []int{0, 400, 999, 1000, 1300, 5000} {
		moments = append(moments, begin.Add(time.Duration(ms)*time.Millisecond))
	}
	if got := Busiest(moments); got != 4 { // from 400 to 1300
		t.Errorf("the busiest second has %d", got)
	}
	if got := Busiest(nil); got != 0 {
		t.Errorf("of none, the busiest second has %d", got)
	}
}

// spread checks that a storm was one, and that it was spread.
func (g *gate) spread(took time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Logf("%d lines, %d a second: all are back after %.1f s, %d refusals", len(g.fleet.Boards), g.handshakes, took.Seconds(), len(g.later))
	// The first second lets in twice the rate.
	if least := time.Duration(len(g.fleet.Boards)/g.handshakes-2) * time.Second; took < least {
		g.Errorf("all were back after %v, and the rate allows that after %v", took, least)
	}
	different := map[int]bool{}
	for _, after := range g.later {
		different[after] = true
		if most := 2 + len(g.fleet.Boards)/g.handshakes; after < 1 || after > most {
			g.Errorf("a board is told to come again after %d s, which is not within 1 to %d s", after, most)
		}
	}
	if len(g.later) < 10 || len(different) < 3 {
		g.Errorf("%d refusals, with %d different times", len(g.later), len(different))
	}
}
