package fleet_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opamp-go/protobufs"

	bundles "github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/uplink/fleet"
	"github.com/bril-edge/bril/uplink/fleet/fleettest"
	"github.com/bril-edge/bril/uplink/origin"
)

func TestLinkTellsEverything(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	b := standing(t, s)
	whole := func() bool {
		h := s.Board(device)
		return h.Report.State == "ready" && h.Effective == "video: {}\n" && h.Base == "video: {fps: 30}\n" &&
			h.Health.GetComponentHealthMap()["camera"].GetLastError() == "gone" && h.Full > 0
	}
	s.Await(t, "whole", whole)
	told := map[string]string{}
	d := s.Board(device).Description
	for _, a := range append(d.GetIdentifyingAttributes(), d.GetNonIdentifyingAttributes()...) {
		told[a.GetKey()] = a.GetValue().GetStringValue()
	}
	for key, want := range map[string]string{
		"service.name": "bril", "service.instance.id": device, "service.version": "1.2.3", "host.model": "Test Board 5", "os.type": "linux",
	} {
		if told[key] != want {
			t.Errorf("%s is told as %q", key, told[key])
		}
	}
	b.set(func() { b.serial = 7 })
	b.Tell()
	s.Await(t, "new report", func() bool { return s.Board(device).Report.Running.Serial == 7 })

	full := s.Board(device).Full
	s.Drop()
	s.Await(t, "whole again", func() bool { return s.Board(device).Full > full && whole() })
	b.stands(t, s)
}

func TestLinkTakesOffers(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	b := standing(t, s)
	s.Offer([]byte("first"))
	s.Await(t, "first", func() bool { return b.has("first") && len(s.Board(device).Status.GetLastRemoteConfigHash()) == 32 })
	s.Drop()
	s.OfferByFetch([]byte("second")) // and to whoever comes again
	s.Await(t, "second", func() bool { return b.has("second") })
}

func TestLinkSaysGoodbye(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	b := &board{}
	stop := b.start(t, b.config(t, s))
	b.stands(t, s)
	stop()
	s.Await(t, "goodbye", func() bool { return s.Board(device).Goodbyes == 1 && !s.Board(device).Connected })
}

func TestLinkIsReachedOnceAnswered(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	s.Busy(time.Second)
	b := &board{}
	b.start(t, b.config(t, s))
	s.Await(t, "refusal", func() bool { return b.Status().Trouble != nil })
	select {
	case <-b.Reached():
		t.Fatal("reached by a 503")
	default:
	}
	if got := origin.RetryAfter(b.Status().Trouble); got != time.Second {
		t.Errorf("Retry-After is %v", got)
	}
	s.Busy(0)
	<-b.Reached()
}

func TestLinkTellsNobodyElse(t *testing.T) {
	noneLeft(t)
	enrolled, impostor := fleettest.NewAuthority(t), fleettest.New(t)
	client, err := origin.New(origin.Config{URL: impostor.URL, Identity: enrolled.Identity(device, impostor.URL)})
	if err != nil {
		t.Fatal(err)
	}
	b := &board{}
	cfg := b.config(t, impostor)
	cfg.Client, cfg.Fetch = client, heartbeat
	b.start(t, cfg)
	impostor.Await(t, "handshake", func() bool { return impostor.Refused() > 2 })
	b.failing(t, impostor, origin.ErrCertificate)
	if h := impostor.Board(device); h.Messages != 0 || len(impostor.Fetches()) != 0 {
		t.Errorf("told %d messages and asked %v", h.Messages, impostor.Fetches())
	}
	select {
	case <-b.Reached():
		t.Error("reached")
	default:
	}
}

func TestLinkRefuses(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	file := func(name string, body []byte) *protobufs.ServerToAgent {
		return &protobufs.ServerToAgent{RemoteConfig: &protobufs.AgentRemoteConfig{Config: &protobufs.AgentConfigMap{
			ConfigMap: map[string]*protobufs.AgentConfigFile{name: {Body: body}},
		}}}
	}
	b := &board{}
	stop := b.start(t, b.config(t, s))
	b.stands(t, s)
	cases := []struct {
		kind string
		send func()
	}{
		{"packages", s.OfferPackages},
		{"connection settings", func() { s.OfferSettings("wss://elsewhere.example/opamp") }},
		{"another identity", func() {
			s.Send(&protobufs.ServerToAgent{AgentIdentification: &protobufs.AgentIdentification{NewInstanceUid: make([]byte, 16)}})
		}},
		{"a command", func() { s.Send(&protobufs.ServerToAgent{Command: &protobufs.ServerToAgentCommand{Type: 7}}) }},
		{"a message", func() {
			s.Send(&protobufs.ServerToAgent{CustomMessage: &protobufs.CustomMessage{Capability: "org.bril.fleet", Type: "shell\x1b[2J"}})
		}},
		{"unsigned configuration", func() { s.Send(file("bril.yaml", []byte("video: {}"))) }},
		{"a bundle", func() { s.Send(file("bundle.dsse", make([]byte, bundles.MaxEnvelope+1))) }},
	}
	for _, c := range cases {
		c.send()
		c.send()
		s.Await(t, c.kind, problem(s, "fleet: refused "+c.kind+": "))
	}
	s.Await(t, "count", func() bool { return b.Status().Refused == 2*len(cases) })
	stop()
	for _, c := range cases {
		if n := strings.Count(b.log.String(), `kind="`+c.kind+`"`) + strings.Count(b.log.String(), "kind="+c.kind+" "); n != 1 {
			t.Errorf("%s is logged %d times", c.kind, n)
		}
	}
	if offers, restarts := b.taken(); strings.Contains(b.log.String(), "\x1b") || offers+restarts != 0 {
		t.Errorf("%d offers, %d restarts, log %q", offers, restarts, b.log.String())
	}
}

func TestLinkEndsAtAMessageThatIsTooLarge(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	b := standing(t, s)
	before := s.Board(device).Connections
	s.Offer(make([]byte, 1<<20))
	s.OfferByFetch(nil)
	s.Await(t, "new line", func() bool { return s.Board(device).Connections > before && b.Status().Connected })
	if offers, _ := b.taken(); offers != 0 {
		t.Errorf("%d offers", offers)
	}
}

func TestLinkHeedsErrors(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	b := standing(t, s)
	s.Send(&protobufs.ServerToAgent{ErrorResponse: &protobufs.ServerErrorResponse{
		ErrorMessage: "go\x1b[2J away", Type: protobufs.ServerErrorResponseType_ServerErrorResponseType_Unavailable,
		Details: &protobufs.ServerErrorResponse_RetryInfo{RetryInfo: &protobufs.RetryInfo{RetryAfterNanoseconds: 1 << 63}},
	}})
	s.Await(t, "trouble", func() bool { return b.Status().Trouble != nil })
	err := b.Status().Trouble
	if got := origin.RetryAfter(err); got != origin.MaxRetryAfter {
		t.Errorf("Retry-After is %v", got)
	}
	if !strings.Contains(err.Error(), "go[2J away") {
		t.Errorf("%q", err)
	}
}

func TestLinkRestarts(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	b := &board{}
	cfg := b.config(t, s)
	stop := b.start(t, cfg)
	b.stands(t, s)
	for range 10 {
		s.Restart()
	}
	s.Await(t, "refusal", problem(s, "fleet: refused a restart: there were 3 within 1h0m0s"))
	stop()
	if _, restarts := b.taken(); restarts != 3 {
		t.Errorf("%d restarts", restarts)
	}
	next := &board{} // the process that follows
	again := next.config(t, s)
	again.Restarts = cfg.Restarts
	next.start(t, again)
	next.stands(t, s)
	s.Restart()
	s.Await(t, "refusal", func() bool { return next.Status().Refused > 0 })
	if _, restarts := next.taken(); restarts != 0 {
		t.Error("one more restart after three")
	}
}

func TestLinkIsNotRestartedWhileBusy(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	b := standing(t, s)
	b.set(func() { b.busy = errors.New("not now: live") })
	for range 5 {
		s.Restart()
	}
	s.Await(t, "refusal", problem(s, "fleet: refused a restart: not now: live"))
	if _, restarts := b.taken(); restarts != 0 {
		t.Error("restarted while live")
	}
}

func TestNewRefuses(t *testing.T) {
	s := fleettest.New(t)
	elsewhere, err := origin.New(origin.Config{URL: s.URL, Identity: s.Authority.Identity(device, "https://elsewhere.example")})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*fleet.Config){
		"http":                           func(c *fleet.Config) { c.URL = "http://fleet.example/api/fleet" },
		"no client":                      func(c *fleet.Config) { c.Client = nil },
		"no ID":                          func(c *fleet.Config) { c.Device = "glasses-7" },
		"not enrolled there":             func(c *fleet.Config) { c.Client = elsewhere },
		"another origin":                 func(c *fleet.Config) { c.URL = "https://elsewhere.example/api/fleet" },
		"an ID with a terminal sequence": func(c *fleet.Config) { c.Device = "\x1b[2J" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := (&board{}).config(t, s)
			change(&cfg)
			if _, err := fleet.New(cfg); err == nil || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestSupport(t *testing.T) {
	noneLeft(t)
	const sealed = "age-encryption.org/v1\n-> X25519 …"
	s := fleettest.New(t)
	b := &board{}
	cfg := b.config(t, s)
	cfg.Support = func(ctx context.Context) error {
		return fleet.SendSupport(ctx, cfg.Client, s.SupportURL, []byte(sealed))
	}
	b.start(t, cfg)
	b.stands(t, s)
	s.AskSupport()
	s.Await(t, "support bundle", func() bool { return len(s.Supports()) == 1 })
	if got := string(s.Supports()[0]); got != sealed {
		t.Errorf("%q", got)
	}
}

func TestSendSupportRefuses(t *testing.T) {
	s := fleettest.New(t)
	client := s.Client(t, device)
	for name, c := range map[string]struct {
		to     string
		bundle string
		want   string
	}{
		"plain":          {s.SupportURL, "PK\x03\x04", fleet.ErrNotEncrypted.Error()},
		"too large":      {s.SupportURL, "age-encryption.org/v1\n" + strings.Repeat("x", fleet.SupportLimit), "of at most 20"},
		"another origin": {"https://elsewhere.example/support", "age-encryption.org/v1\n", "not an enrolled origin"},
		"no address":     {"", "age-encryption.org/v1\n", "support_url"},
		"not there":      {s.URL + "/nowhere", "age-encryption.org/v1\n", "it was not taken"},
	} {
		err := fleet.SendSupport(t.Context(), client, c.to, []byte(c.bundle))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.Supports()) != 0 {
		t.Error("something was sent")
	}
}

// A service that asks for everything again and again gets it with what is told anyway.
func TestLinkTellsEverythingNotAllTheTime(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	b := &board{}
	cfg := b.config(t, s)
	cfg.Heartbeat = time.Minute
	b.start(t, cfg)
	b.stands(t, s)
	for range 20 {
		s.Send(&protobufs.ServerToAgent{Flags: uint64(protobufs.ServerToAgentFlags_ServerToAgentFlags_ReportFullState)})
	}
	b.set(func() { b.busy = errors.New("live") })
	s.Restart() // what comes after them has been heard once this is refused
	s.Await(t, "refusal", problem(s, "fleet: refused a restart: live"))
	if h := s.Board(device); h.Full != 2 {
		t.Errorf("told everything %d times", h.Full)
	}
}

// A word that the enrolment has something new is passed on, and nothing else of it.
func TestLinkHearsOfTheEnrolment(t *testing.T) {
	noneLeft(t)
	s := fleettest.New(t)
	b := &board{}
	cfg := b.config(t, s)
	asked := make(chan struct{}, 2)
	cfg.Enrolment = func() { asked <- struct{}{} }
	stop := b.start(t, cfg)
	defer stop()
	b.stands(t, s)
	s.Send(&protobufs.ServerToAgent{CustomMessage: &protobufs.CustomMessage{Capability: fleet.Capability, Type: fleet.TypeEnrolment, Data: []byte(`{"labels":{"site":"elsewhere"}}`)}})
	<-asked
	if n := b.Status().Refused; n != 0 {
		t.Errorf("%d refused", n)
	}
}
