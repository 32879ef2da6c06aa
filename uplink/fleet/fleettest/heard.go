package fleettest

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/open-telemetry/opamp-go/protobufs"
	"github.com/open-telemetry/opamp-go/server/types"

	"github.com/bril-edge/bril/configs/fleet"
)

// heard keeps what a board tells, and answers it.
func (s *Service) heard(_ context.Context, line types.Connection, m *protobufs.AgentToServer) *protobufs.ServerToAgent {
	device := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(m.GetInstanceUid()))
	answer := &protobufs.ServerToAgent{InstanceUid: m.GetInstanceUid()}
	s.change(func() {
		b := s.boards[device]
		if b == nil {
			b = &Board{}
			s.boards[device] = b
		}
		if s.lines[line] == "" {
			b.Connections++
			if len(s.envelope) > 0 {
				answer.RemoteConfig = remote(s.envelope)
			}
		}
		s.lines[line] = device
		b.hear(m)
		if s.silent {
			answer = nil
		}
	})
	return answer
}

func (b *Board) hear(m *protobufs.AgentToServer) {
	b.Messages++
	b.Connected = true
	if m.GetAgentDisconnect() != nil {
		b.Goodbyes++
		return
	}
	if d := m.GetAgentDescription(); d != nil {
		b.Description = d
		b.Full++
	}
	if st := m.GetRemoteConfigStatus(); st != nil {
		b.Status = st
	}
	if h := m.GetHealth(); h != nil {
		b.Health = h
	}
	if e := m.GetEffectiveConfig(); e != nil {
		files := e.GetConfigMap().GetConfigMap()
		b.Effective, b.Base = string(files["effective"].GetBody()), string(files["base"].GetBody())
	}
	if c := m.GetCustomMessage(); c.GetCapability() == capability && c.GetType() == "report" {
		var r fleet.Report
		if json.Unmarshal(c.GetData(), &r) == nil { // one that cannot be read is none: the test misses it
			b.Report = r
		}
	}
}

func (s *Service) closed(line types.Connection) {
	s.change(func() {
		device := s.lines[line]
		delete(s.lines, line)
		if b := s.boards[device]; b != nil {
			b.Connected = false
			for _, other := range s.lines {
				b.Connected = b.Connected || other == device
			}
		}
	})
}

func remote(envelope []byte) *protobufs.AgentRemoteConfig {
	sum := sha256.Sum256(envelope)
	return &protobufs.AgentRemoteConfig{ConfigHash: sum[:], Config: &protobufs.AgentConfigMap{ConfigMap: map[string]*protobufs.AgentConfigFile{
		bundleFile: {Body: envelope, ContentType: "application/vnd.dsse.envelope+json"},
	}}}
}

// bundle is the fetch beside the line.
func (s *Service) bundle(w http.ResponseWriter, r *http.Request) {
	if s.turnedAway(w) {
		s.change(func() { s.fetches[http.StatusServiceUnavailable]++ })
		return
	}
	s.mu.Lock()
	envelope, other := s.envelope, s.fetch
	s.mu.Unlock()
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(envelope))
	status := http.StatusOK
	switch {
	case other != nil:
		other(w, r)
	case len(envelope) == 0:
		status = http.StatusNoContent
		w.WriteHeader(status)
	case r.Header.Get("If-None-Match") == tag:
		status = http.StatusNotModified
		w.WriteHeader(status)
	default:
		w.Header().Set("ETag", tag)
		_, _ = w.Write(envelope) // who does not take it will ask again
	}
	s.change(func() { s.fetches[status]++ })
}

func (s *Service) support(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSupport))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.change(func() { s.supports = append(s.supports, data) })
	w.WriteHeader(http.StatusCreated)
}

// Board returns what a board has told so far, the zero value where it has nothing.
func (s *Service) Board(device string) Board {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.boards[device]; b != nil {
		return *b
	}
	return Board{}
}

// Fetches are how many fetches were answered with each status.
func (s *Service) Fetches() map[int]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.fetches)
}

// Supports are the support bundles that came.
func (s *Service) Supports() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.supports...)
}

// Refused is how many handshakes failed.
func (s *Service) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}
