package showroom

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"filippo.io/age"
	"golang.org/x/net/netutil"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/cmd/internal/showroom/relay"
	"github.com/bril-edge/bril/cmd/internal/showroom/staff"
)

// What a slow client is allowed. Streams do not pass here, so that every request
// is over at once, but for a page's wait for news and for photos and clips, which
// have limits of their own.
const (
	headerTimeout   = 5 * time.Second
	readTimeout     = 10 * time.Second // of a whole request
	writeTimeout    = 10 * time.Second
	idleTimeout     = time.Minute
	maxHeader       = 16 << 10 // bytes
	shutdownTimeout = 3 * time.Second
)

// Server is the endpoint.
type Server struct {
	cfg        Config
	addr       netip.AddrPort
	advertised netip.Addr // none when not valid
	log        *slog.Logger
	tokens     tokens
	keys       *Keys               // nil without a data directory: then viewing is open
	locksAll   bool                // asks for the key of every room, not of conversations only
	plan       hours.Plan          // of all showrooms
	identity   *age.X25519Identity // nil without a data directory: then nothing is stored
	tls        *tls.Config
	authority  *devices.Authority // nil without TLS or a data directory: then nobody is enrolled
	configKeys []string           // of Config.ConfigurationKeys, as devices are told them

	readTimeout, writeTimeout time.Duration                   // of tests
	observe                   func(http.Handler) http.Handler // likewise

	visits *visits // of those who have no key yet

	uploading underway // of devices

	// While Run runs; some are nil without a data directory.
	relay    *relay.Relay
	media    *media.Store      // may be nil
	records  *records.DB       // may be nil
	desk     *desk.Desk        // may be nil
	staff    *staff.Staff      // may be nil
	rooms    *rooms            // may be nil
	devices  *devices.Registry // may be nil
	fleet    *fleet.Service    // may be nil
	instance string            // tells pages that the server was started anew
	serving  context.Context   // ends when Run is to
}

// defaultConnections are those of pages and streams, and a line for each of a fleet's
// devices.
const defaultConnections = 2048 + 8192

// New checks the configuration and reads the files that it names. A refusal is a
// *ConfigError. Nothing is started.
func New(cfg Config) (*Server, error) {
	addr, err := cfg.listenAddr()
	if err != nil {
		return nil, err
	}
	if err := cfg.check(addr); err != nil {
		return nil, err
	}
	advertised, err := cfg.advertised()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, addr: addr, advertised: advertised, log: cfg.Log, visits: newVisits()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Limits.Connections == 0 {
		s.cfg.Limits.Connections = defaultConnections
	}
	if s.tokens, err = readTokens(cfg.TokenFile); err != nil {
		return nil, err
	}
	if s.plan, err = hours.Load(cmp.Or(cfg.Hours, "always")); err != nil {
		return nil, withHint(err)
	}
	return s, s.readSecrets()
}

// withHint makes a refusal of what another package was configured with.
func withHint(err error) error {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return &ConfigError{Problem: err, Hint: hinted.Hint()}
	}
	return err
}

// now is the time that everything of conversations goes by.
func (s *Server) now() time.Time {
	if s.cfg.Clock != nil {
		return s.cfg.Clock()
	}
	return time.Now()
}

func (s *Server) readSecrets() (err error) {
	if s.cfg.TLSCert != "" {
		certificate, err := tls.LoadX509KeyPair(s.cfg.TLSCert, s.cfg.TLSKey)
		if err != nil {
			return refuse("check --tls-cert and --tls-key", "read the TLS certificate: %w", err)
		}
		s.tls = tlsConfig()
		s.tls.Certificates = []tls.Certificate{certificate}
	}
	s.locksAll = s.cfg.RequireKey || !s.addr.Addr().Unmap().IsLoopback()
	if s.cfg.DataDir == "" {
		return nil
	}
	if s.keys, err = LoadKeys(s.cfg.DataDir); err != nil {
		return err
	}
	if s.identity, err = LoadIdentity(s.cfg.DataDir); err != nil {
		return err
	}
	return s.readAuthority()
}

// tlsConfig has no h2: `make build` leaves HTTP/2 out, and a page has few requests.
func tlsConfig() *tls.Config {
	return &tls.Config{NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
}

// Run serves until ctx ends, which is no error, and returns after everything
// that it started has stopped. It calls ready, which may be nil, with the
// server's URL once requests are answered. It may be called once at a time.
func (s *Server) Run(ctx context.Context, ready func(url string)) error {
	listener, err := net.Listen("tcp", s.addr.String())
	if err != nil {
		return fmt.Errorf("listen on %v: %w", s.addr, err)
	}
	at := listener.Addr().(*net.TCPAddr).AddrPort()
	defer listener.Close()
	if s.relay, err = relay.Listen(s.relayConfig(at)); err != nil {
		return err
	}
	defer s.relay.Close()
	s.instance = rand.Text()
	serve := func(ctx context.Context) error {
		return s.serve(ctx, listener, func() {
			if ready != nil {
				ready(s.url(at))
			}
		})
	}
	return s.withRecords(func() error {
		return s.withMedia(ctx, func(ctx context.Context) error {
			return s.withOffice(ctx, cmp.Or(strings.TrimSuffix(s.cfg.PublicURL, "/"), s.url(at)), serve)
		})
	})
}

func (s *Server) relayConfig(at netip.AddrPort) relay.Config {
	l := s.cfg.Limits
	return relay.Config{
		Addr: netip.AddrPortFrom(s.addr.Addr(), at.Port()), Advertise: s.advertised, Log: s.log,
		Publishers: l.Publishers, Viewers: l.Viewers, Sessions: l.Sessions, Watchers: l.Watchers,
		ConnectTimeout: l.ConnectTimeout, Silence: l.Silence, Grace: l.Grace,
	}
}

func (s *Server) url(at netip.AddrPort) string {
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	if s.tls != nil {
		return "https://" + at.String()
	}
	return "http://" + at.String()
}

// Link returns the address of a conversation's page under base, with its access
// key where one is asked for.
func (s *Server) Link(base, name string) string {
	if !s.locked(name) {
		return base + "/" + name
	}
	return s.keys.Link(base, name)
}

func (s *Server) serve(ctx context.Context, listener net.Listener, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.serving = ctx
	handler := s.routes()
	if s.observe != nil {
		handler = s.observe(handler)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       cmp.Or(s.readTimeout, readTimeout),
		WriteTimeout:      cmp.Or(s.writeTimeout, writeTimeout),
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(debugLog{s.log}, "", 0),
	}
	listener = netutil.LimitListener(listener, s.cfg.Limits.Connections)
	if s.tls != nil {
		listener = tls.NewListener(listener, s.tls)
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	ready()
	select {
	case err := <-failed:
		return fmt.Errorf("serve %v: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	return stop(server, failed)
}

// stop lets requests finish for a moment, then cuts them off.
func stop(server *http.Server, failed <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// debugLog takes what net/http says of broken clients.
type debugLog struct{ log *slog.Logger }

func (d debugLog) Write(line []byte) (int, error) {
	d.log.Debug("http", "text", string(line))
	return len(line), nil
}
