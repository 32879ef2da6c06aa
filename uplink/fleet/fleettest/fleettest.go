// Package fleettest is the service of a fleet, for tests: opamp-go's server behind TLS
// that asks for a board's certificate, the plain fetch beside it, and a place for support
// bundles. It decides nothing: it keeps what it is told, and sends what a test wants.
package fleettest

import (
	"crypto/tls"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opamp-go/protobufs"
	"github.com/open-telemetry/opamp-go/server"
	"github.com/open-telemetry/opamp-go/server/types"

	"github.com/bril-edge/bril/configs/fleet"
)

// The words of the line, as the two sides have agreed on them.
const (
	path       = "/api/fleet"
	capability = "org.bril.fleet"
	bundleFile = "bundle.dsse"
	maxSupport = 64 << 20
)

// Board is what a board has told.
type Board struct {
	Messages    int // in all
	Connections int // so far
	Connected   bool
	Goodbyes    int
	Full        int // messages that described the board anew
	Description *protobufs.AgentDescription
	Status      *protobufs.RemoteConfigStatus
	Health      *protobufs.ComponentHealth
	Effective   string
	Base        string
	Report      fleet.Report
}

// Service is a fleet's.
type Service struct {
	URL        string // what the enrolment calls fleet_url
	SupportURL string
	Authority  *Authority // of its certificate and of the boards'

	http  *httptest.Server
	opamp http.HandlerFunc

	mu       sync.Mutex
	changed  chan struct{} // is closed when something below changes
	boards   map[string]*Board
	lines    map[types.Connection]string // the boards' IDs, "" before they tell
	envelope []byte
	silent   bool
	busy     time.Duration // Retry-After of 503s; 0 while it is not
	fetches  map[int]int   // by status
	supports [][]byte
	refused  int // connections without a board's certificate
	fetch    http.HandlerFunc
}

// New starts a service, which ends with the test.
func New(t testing.TB) *Service {
	t.Helper()
	return NewBy(t, NewAuthority(t))
}

// NewBy starts a service whose certificate is by an authority.
func NewBy(t testing.TB, by *Authority) *Service {
	t.Helper()
	s := &Service{
		Authority: by, changed: make(chan struct{}), boards: map[string]*Board{},
		lines: map[types.Connection]string{}, fetches: map[int]int{},
	}
	handler, connContext, err := server.New(nil).Attach(server.Settings{
		Callbacks: types.Callbacks{OnConnecting: s.connecting}, CustomCapabilities: []string{capability},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.opamp = http.HandlerFunc(handler)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path+"/opamp", s.line)
	mux.HandleFunc("GET "+path+"/bundle", s.bundle)
	mux.HandleFunc("PUT /support", s.support)
	s.http = httptest.NewUnstartedServer(mux)
	s.http.TLS = &tls.Config{
		Certificates: []tls.Certificate{*by.certificate("")}, ClientCAs: by.pool(), ClientAuth: tls.RequireAndVerifyClientCert,
	}
	s.http.Config.ConnContext = connContext
	s.http.Config.ErrorLog = log.New(counter{s}, "", 0)
	s.http.StartTLS()
	s.URL, s.SupportURL = s.http.URL+path, s.http.URL+"/support"
	t.Cleanup(s.close)
	return s
}

// counter counts the handshakes that failed, each of which the server logs.
type counter struct{ s *Service }

func (c counter) Write(line []byte) (int, error) {
	c.s.change(func() { c.s.refused++ })
	return len(line), nil
}

// close ends the lines too: the server knows nothing of them any more.
func (s *Service) close() {
	s.Drop()
	s.http.CloseClientConnections()
	s.http.Close()
}

// change makes a change that Await sees.
func (s *Service) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Service) connecting(*http.Request) types.ConnectionResponse {
	return types.ConnectionResponse{Accept: true, ConnectionCallbacks: types.ConnectionCallbacks{
		OnMessage:         s.heard,
		OnConnectionClose: s.closed,
	}}
}

// line is where a connection begins.
func (s *Service) line(w http.ResponseWriter, r *http.Request) {
	if s.turnedAway(w) {
		return
	}
	s.opamp(w, r)
}

func (s *Service) turnedAway(w http.ResponseWriter) bool {
	s.mu.Lock()
	busy := s.busy
	s.mu.Unlock()
	if busy == 0 {
		return false
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(busy.Seconds())))
	http.Error(w, "too many at once", http.StatusServiceUnavailable)
	return true
}
