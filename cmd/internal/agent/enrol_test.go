package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/uplink/enrol"
	"github.com/bril-edge/bril/uplink/enrol/enroltest"
	enroltoken "github.com/bril-edge/bril/uplink/enrol/token"
	"github.com/bril-edge/bril/uplink/origin"
)

// An enrolment is taken up at once, or when what runs has ended; never in between.
func TestAnew(t *testing.T) {
	want := func(n *anew) { n.want() }
	in := func(p session.Phase) func(*anew) { return func(n *anew) { n.phase(p) } }
	for _, test := range []struct {
		name  string
		steps []func(*anew)
		ends  bool
	}{
		{"before the start", []func(*anew){want}, false},
		{"idle", []func(*anew){in(session.Ready), want}, true},
		{"wanted before it is idle", []func(*anew){want, in(session.Ready)}, true},
		{"connecting", []func(*anew){in(session.Ready), in(session.Connecting), want}, false},
		{"live", []func(*anew){in(session.Live), want, in(session.Paused), in(session.Live), in(session.Stopping)}, false},
		{"a fault", []func(*anew){in(session.Fault), want}, false},
		{"after the conversation", []func(*anew){in(session.Live), want, in(session.Stopping), in(session.Ready)}, true},
		{"nobody wants it", []func(*anew){in(session.Live), in(session.Ready)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var n anew
			ctx, over := n.over(t.Context())
			defer over()
			for _, step := range test.steps {
				step(&n)
			}
			if got := errors.Is(context.Cause(ctx), ErrAnew); got != test.ends {
				t.Errorf("it ends: %v", got)
			}
		})
	}
}

// enrolAt enrols a board and returns its state directory.
func enrolAt(t *testing.T, e *enroltest.Endpoint) (state string, cfg configs.Config) {
	t.Helper()
	state = t.TempDir()
	i, err := enrol.Enrol(t.Context(), EnrolConfig(state, "test", nil), e.URL, e.Token("anna"))
	if err != nil {
		t.Fatal(err)
	}
	cfg = Enrolled(i.Document()).Defaults()
	cfg.Camera.Source = configs.VideoSource{Kind: configs.Pattern}
	cfg.Microphone.Source = configs.AudioSource{Kind: configs.None}
	return state, cfg
}

// TestEnrolledAgent has an agent ask by its certificate, also for calls; enrols it
// anew, which ends its run; and shows what is refused of a revoked one.
func TestEnrolledAgent(t *testing.T) {
	e := enroltest.New(t)
	var events atomic.Int32
	e.Other = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			events.Add(1)
		}
		w.WriteHeader(http.StatusNotFound)
	})
	state, cfg := enrolAt(t, e)
	a, err := New(cfg, Options{Version: "test", StateDir: state, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(t.Context(), false) }()
	r := running{a, t}
	s := r.until("events", func(s control.Status) bool { return s.State == "ready" && events.Load() > 0 })
	if s.Device == nil || s.Device.Name != "anna" || s.Device.State != "enrolled" || s.Uplink.URL != e.URL+"/whip/anna" {
		t.Errorf("%+v", s)
	}
	if relays, err := a.relays(); err != nil || len(relays) != 1 || relays[0].Credential.Reveal() != "relay-secret" {
		t.Errorf("relays %v, %v", relays, err)
	}
	if _, err := a.Enrol(t.Context(), "", enroltoken.Random([32]byte{})); !errors.Is(err, enrol.ErrPin) {
		t.Errorf("by a token for another endpoint: %v", err)
	}
	e.Revoke()
	if err := a.identity.Tend(t.Context()); !errors.Is(err, enrol.ErrRevoked) {
		t.Fatal(err)
	}
	s = r.until("the fault", func(s control.Status) bool { return len(s.Errors) > 0 })
	if f := s.Errors[0]; f.Component != "enrolment" || f.Hint != "enrol it again, by a fresh token: bril enrol --token-file F" || s.Device.State != "revoked" {
		t.Errorf("%+v, %+v", f, s.Device)
	}
	if got, err := a.Enrol(t.Context(), "", e.Token("anna")); err != nil || got.State != "enrolled" {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := <-done; !errors.Is(err, ErrAnew) {
		t.Errorf("it ended with %v", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// TestImpostor has somebody answer in the place of the enrolled endpoint: nobody of
// the agent tells it anything.
func TestImpostor(t *testing.T) {
	e := enroltest.New(t)
	state, cfg := enrolAt(t, e)
	e.Impostor(t)
	before := e.Requests()
	a, err := New(cfg, Options{Version: "test", StateDir: state, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r := runAgent(t, a, true)
	s := r.until("its refusal", func(s control.Status) bool {
		c := a.events.Load()
		return len(s.Errors) > 0 && c != nil && c.Status().Err != nil
	})
	if err := a.events.Load().Status().Err; !errors.Is(err, origin.ErrCertificate) {
		t.Errorf("calls: %v", err)
	}
	for _, f := range s.Errors {
		if !strings.Contains(f.Hint, "not by the authority that this board was enrolled with") {
			t.Errorf("%+v", f)
		}
	}
	if n := e.Requests() - before; n != 0 {
		t.Errorf("it heard %d requests", n)
	}
}

// A damaged enrolment is a fault, and no reason not to start.
func TestDamagedEnrolment(t *testing.T) {
	e := enroltest.New(t)
	state, cfg := enrolAt(t, e)
	if err := (enrol.Reset(enrol.Config{Dir: configs.EnrolmentPath(state)})); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(configs.EnrolmentPath(state)+"/enrolment.json", []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := New(cfg, Options{Version: "test", StateDir: state, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r := runAgent(t, a, false)
	s := r.until("its start", func(s control.Status) bool { return s.State == "ready" })
	if len(s.Errors) == 0 || s.Errors[0].Component != "enrolment" || s.Errors[0].Hint == "" || s.Device != nil {
		t.Errorf("%+v", s.Errors)
	}
}
