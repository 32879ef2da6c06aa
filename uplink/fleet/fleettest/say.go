package fleettest

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/open-telemetry/opamp-go/protobufs"
	"github.com/open-telemetry/opamp-go/server/types"
)

// awaitTime bounds Await: what takes longer does not come.
const awaitTime = 20 * time.Second

// Await waits until something holds. It is looked at whenever anything changes here, and
// now and then, as the boards' side tells nobody.
func (s *Service) Await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	late := time.NewTimer(awaitTime)
	defer late.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-look.C:
		case <-late.C:
			t.Fatalf("no %s within %v", what, awaitTime)
		}
	}
}

// Offer offers an envelope to all boards that are there, and to each that comes, on
// the line and to a fetch.
func (s *Service) Offer(envelope []byte) {
	s.change(func() { s.envelope = envelope })
	s.Send(&protobufs.ServerToAgent{RemoteConfig: remote(envelope)})
}

// OfferByFetch offers an envelope to fetches only, and to connections that come.
func (s *Service) OfferByFetch(envelope []byte) { s.change(func() { s.envelope = envelope }) }

// Send sends a message to all boards that are there.
func (s *Service) Send(m *protobufs.ServerToAgent) {
	for _, line := range s.all() {
		_ = line.Send(context.Background(), m) // it may be lost already
	}
}

func (s *Service) all() (list []types.Connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range s.lines {
		list = append(list, line)
	}
	return list
}

// Restart asks all boards that are there for a restart.
func (s *Service) Restart() {
	s.Send(&protobufs.ServerToAgent{Command: &protobufs.ServerToAgentCommand{Type: protobufs.CommandType_CommandType_Restart}})
}

// AskSupport asks all boards that are there for a support bundle.
func (s *Service) AskSupport() {
	s.Send(&protobufs.ServerToAgent{CustomMessage: &protobufs.CustomMessage{Capability: capability, Type: "support"}})
}

// OfferPackages offers software to all boards that are there, as no honest service does.
func (s *Service) OfferPackages() {
	s.Send(&protobufs.ServerToAgent{PackagesAvailable: &protobufs.PackagesAvailable{
		AllPackagesHash: []byte{1}, Packages: map[string]*protobufs.PackageAvailable{"bril": {Version: "6.6.6"}},
	}})
}

// OfferSettings offers another address to all boards that are there, likewise.
func (s *Service) OfferSettings(to string) {
	s.Send(&protobufs.ServerToAgent{ConnectionSettings: &protobufs.ConnectionSettingsOffers{
		Hash: []byte{1}, Opamp: &protobufs.OpAMPConnectionSettings{DestinationEndpoint: to},
	}})
}

// Silence has messages heard and not answered, or answered again.
func (s *Service) Silence(silent bool) { s.change(func() { s.silent = silent }) }

// Busy has new connections and fetches answered with 503 and this Retry-After; 0 ends it.
func (s *Service) Busy(retryAfter time.Duration) { s.change(func() { s.busy = retryAfter }) }

// AnswerFetch has fetches answered by a handler; nil ends it.
func (s *Service) AnswerFetch(by http.HandlerFunc) { s.change(func() { s.fetch = by }) }

// Drop ends all lines, without a word.
func (s *Service) Drop() {
	for _, line := range s.all() {
		_ = line.Disconnect() // it may be lost already
	}
}
