package boardtest

import (
	"encoding/json"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/porttest"
	"github.com/bril-edge/bril/cmd/internal/showroom"
	"github.com/bril-edge/bril/hardware/virtualboard"
)

// endpoint is a showroom on this machine's loopback that the guest reaches at the
// same address.
type endpoint struct{ url string }

func (r *rig) endpoint() endpoint {
	r.Helper()
	return r.storing("")
}

// storing is an endpoint that keeps photos and clips in a directory; "": that takes
// none.
func (r *rig) storing(dir string) endpoint {
	r.Helper()
	return r.serving(showroom.Config{DataDir: dir})
}

// serving is an endpoint of a configuration.
func (r *rig) serving(cfg showroom.Config) endpoint {
	r.Helper()
	cfg.Listen, cfg.Advertise = porttest.Address(r), virtualboard.HostAddress // one that no connection of the guest has
	server, err := showroom.New(cfg)
	if err != nil {
		r.Fatal(err)
	}
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- server.Run(r.Context(), func(url string) { ready <- url }) }()
	r.Cleanup(func() { // runs after the context has ended
		if err := <-done; err != nil {
			r.Errorf("endpoint: %v", err)
		}
	})
	e := endpoint{<-ready}
	r.lead(e)
	return e
}

// lead makes the guest's loopback lead to an endpoint.
func (r *rig) lead(e endpoint) {
	r.Helper()
	at, err := url.Parse(e.url)
	if err != nil {
		r.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		r.Fatal(err)
	}
	if err := r.guest.Forward(r.Context(), port); err != nil {
		r.Fatal(err)
	}
}

// TestForwardTwice: one board has many endpoints, and two may get the same port.
func TestForwardTwice(t *testing.T) {
	r := board(t)
	e := r.endpoint()
	r.lead(e)
	r.publish(e)
}

const socket = "/run/bril.sock"

// agent starts `bril run` in the guest, publishing to e as /whip/demo.
func (r *rig) agent(e endpoint, args ...string) *daemon {
	r.Helper()
	return r.start(append([]string{"bril", "run", "--whip", e.url + "/whip/demo", "--control", socket, "--state", "/tmp/state", "--interface", "eth0"}, args...)...)
}

func (r *rig) status() control.Status {
	r.Helper()
	var s control.Status
	if result := r.try("bril", "status", "--json", "--control", socket); result.Code == 0 {
		if err := json.Unmarshal(result.Stdout, &s); err != nil {
			r.Fatalf("%v in %s", err, result.Stdout)
		}
	}
	return s
}

// until asks for the status until it is as wanted.
func (r *rig) until(what string, is func(status) bool) control.Status {
	r.Helper()
	for end := time.Now().Add(patience); ; {
		s := r.status()
		if is(s) {
			return s
		}
		if time.Now().After(end) {
			text, _ := json.MarshalIndent(s, "", " ")
			r.Fatalf("not %s within %v:\n%s", what, patience, text)
		}
	}
}

// status is what `bril status --json` prints.
type status = control.Status

func live(s status) bool { return s.State == "live" && s.Video.Sent > 0 }

// TestPublishes sends the pattern, encoded in software, from the board to a viewer.
func TestPublishes(t *testing.T) {
	r := board(t)
	e := r.endpoint()
	r.agent(e, "--camera", "pattern:320x180@10", "--microphone", "tone", "--live")
	r.until("live", live)
	v := r.watch(e)
	v.pictures(20)
	v.decodes(320, 180)
}
