package fleet

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-telemetry/opamp-go/protobufs"
	opamp "github.com/open-telemetry/opamp-go/server"
	"github.com/open-telemetry/opamp-go/server/types"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/configs/fleet"
	fleetline "github.com/bril-edge/bril/uplink/fleet"
)

const (
	// silence is how long a device may say nothing: three of its heartbeats, and a bit.
	silence   = 100 * time.Second
	writeTime = 10 * time.Second
	// maxMessage bounds a message of a device, in bytes: two configurations, a report and
	// its log.
	maxMessage = 512 << 10
	maxYAML    = 64 << 10
	// senders are how many offers are written at once.
	senders = 8
)

// line is the connection of a device.
type line struct {
	conn    types.Connection
	offered uint64 // the serial that was offered over it
	renews  bool   // the device was told to ask for its labels
	told    bool   // the device has told everything
}

func (l *line) end() { _ = l.conn.Disconnect() } // it is gone either way

// Line answers a device that opens its line: OpAMP over a WebSocket.
func (s *Service) Line() (func(http.ResponseWriter, *http.Request), error) {
	handle, _, err := opamp.New(nil).Attach(opamp.Settings{
		Callbacks:          types.Callbacks{OnConnecting: s.connecting},
		CustomCapabilities: []string{fleetline.Capability},
	})
	if err != nil {
		return nil, fmt.Errorf("make the fleet's OpAMP server: %w", err)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") == "application/x-protobuf" {
			http.Error(w, "a line is a WebSocket", http.StatusUnsupportedMediaType)
			return
		}
		handle(bounded{w}, r)
	}, nil
}

// connecting lets in enrolled devices, and spreads those that come all at once.
func (s *Service) connecting(r *http.Request) types.ConnectionResponse {
	one, err := s.cfg.Holder(r)
	if err != nil {
		return types.ConnectionResponse{HTTPStatusCode: http.StatusForbidden}
	}
	s.mu.Lock()
	full := s.open >= s.cfg.Lines || s.closing
	s.mu.Unlock()
	if full || !s.accept.Allow() {
		return types.ConnectionResponse{HTTPStatusCode: http.StatusServiceUnavailable,
			HTTPResponseHeader: map[string]string{"Retry-After": strconv.Itoa(1 + rand.IntN(s.spread()))}}
	}
	return types.ConnectionResponse{Accept: true, ConnectionCallbacks: s.callbacks(one)}
}

// spread is over how many seconds those who are turned away are to come back: as long
// as it takes to let in all that are enrolled.
func (s *Service) spread() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 2 + len(s.devices)/s.cfg.Handshakes
}

func (s *Service) callbacks(one records.Device) types.ConnectionCallbacks {
	l := &line{}
	return types.ConnectionCallbacks{
		OnConnected: func(_ context.Context, conn types.Connection) { s.connected(one, l, conn) },
		OnMessage: func(_ context.Context, conn types.Connection, m *protobufs.AgentToServer) *protobufs.ServerToAgent {
			return s.heard(one.ID, l, m)
		},
		OnConnectionClose: func(types.Connection) { s.lost(one.ID, l) },
	}
}

func (s *Service) connected(one records.Device, l *line, conn types.Connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines.Add(1)
	s.open++
	l.conn = conn
	l.fresh()
	if s.closing {
		l.end()
		return
	}
	d := s.known(one)
	if d.line != nil { // the old one is dead, and does not know it
		d.line.end()
	}
	d.line, d.seen = l, s.cfg.Clock()
	s.dirty[d.id] = true
	s.poke()
}

func (s *Service) lost(id string, l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.lines.Done()
	s.open--
	if d := s.devices[id]; d != nil && d.line == l {
		d.line = nil
		s.poke()
	}
}

// closeLines ends all, and returns when they have ended: opamp's own server leaves
// them open.
func (s *Service) closeLines() {
	s.mu.Lock()
	s.closing = true
	for _, d := range s.devices {
		if d.line != nil {
			d.line.end()
		}
	}
	s.mu.Unlock()
	s.lines.Wait()
}

// heard takes what a device tells, and answers each message: the device notices by
// that that the line is not dead.
func (s *Service) heard(id string, l *line, m *protobufs.AgentToServer) *protobufs.ServerToAgent {
	l.fresh()
	answer := &protobufs.ServerToAgent{InstanceUid: m.GetInstanceUid(), Capabilities: uint64(protobufs.ServerCapabilities_ServerCapabilities_AcceptsStatus |
		protobufs.ServerCapabilities_ServerCapabilities_OffersRemoteConfig | protobufs.ServerCapabilities_ServerCapabilities_AcceptsEffectiveConfig)}
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.devices[id]
	if d == nil || d.line != l || !bytes.Equal(m.GetInstanceUid(), instance(id)) {
		l.end()
		return nil
	}
	s.take(d, m)
	if !l.told && m.GetAgentDescription() == nil {
		answer.Flags = uint64(protobufs.ServerToAgentFlags_ServerToAgentFlags_ReportFullState)
	}
	l.told = true
	answer.RemoteConfig, answer.CustomMessage = s.offer(d), s.enrolment(d)
	s.dirty[id] = true
	s.poke()
	return answer
}

func (s *Service) take(d *device, m *protobufs.AgentToServer) {
	d.seen = s.cfg.Clock()
	if c := m.GetCustomMessage(); c.GetCapability() == fleetline.Capability && c.GetType() == fleetline.TypeReport {
		var r fleet.Report
		if json.Unmarshal(c.GetData(), &r) == nil && r.SchemaVersion == fleet.SchemaVersion {
			d.report = r
		}
	}
	s.attribute(d, m.GetRemoteConfigStatus())
	if files := m.GetEffectiveConfig().GetConfigMap().GetConfigMap(); files != nil {
		d.effective, d.base = text(files[fleetline.EffectiveFile]), text(files[fleetline.BaseFile])
	}
	if h := m.GetHealth(); h != nil {
		d.health = healthOf(h)
	}
	for _, a := range m.GetAgentDescription().GetNonIdentifyingAttributes() {
		if a.GetKey() == "host.model" && a.GetValue().GetStringValue() != "" {
			d.model = a.GetValue().GetStringValue()
		}
	}
}

// attribute says which bundle a device has refused before it had read a serial: one by
// another key, say.
func (s *Service) attribute(d *device, status *protobufs.RemoteConfigStatus) {
	a := d.report.Attempted
	if a == nil || a.Serial != 0 || a.Phase != fleet.Refused || status.GetStatus() != protobufs.RemoteConfigStatuses_RemoteConfigStatuses_FAILED {
		return
	}
	for _, b := range slices.Backward(s.bundles) {
		if bytes.Equal(b.hash, status.GetLastRemoteConfigHash()) {
			about := *a
			about.Serial, about.Content = b.Serial, b.content
			d.report.Attempted = &about
			return
		}
	}
}

func text(f *protobufs.AgentConfigFile) string {
	if body := f.GetBody(); len(body) <= maxYAML {
		return string(body)
	}
	return ""
}

// part is the health of a part, as it is told.
type part struct {
	Healthy bool            `json:"healthy"`
	Status  string          `json:"status,omitempty"`
	Error   string          `json:"error,omitempty"`
	Parts   map[string]part `json:"parts,omitempty"`
}

func healthOf(h *protobufs.ComponentHealth) json.RawMessage {
	all := part{Healthy: h.GetHealthy(), Status: h.GetStatus(), Error: h.GetLastError(), Parts: map[string]part{}}
	for name, one := range h.GetComponentHealthMap() {
		all.Parts[name] = part{Healthy: one.GetHealthy(), Status: one.GetStatus(), Error: one.GetLastError()}
	}
	data, _ := json.Marshal(all) // texts and flags can be written
	return data
}

// offer is what a device is to be told to run; nil when it has been told, or failed at
// it before.
func (s *Service) offer(d *device) *protobufs.AgentRemoteConfig {
	b := s.wanted(d)
	if b == nil || d.line == nil || !d.line.told || d.line.offered == b.Serial || d.report.Running.Serial >= b.Serial {
		return nil
	}
	if _, failed := d.ended(b.Serial); failed || !b.Audience.Includes(s.told(d)) {
		return nil
	}
	d.line.offered = b.Serial
	return &protobufs.AgentRemoteConfig{ConfigHash: b.hash, Config: &protobufs.AgentConfigMap{ConfigMap: map[string]*protobufs.AgentConfigFile{
		fleetline.BundleFile: {Body: b.envelope, ContentType: fleetline.BundleType},
	}}}
}

// enrolment has a device ask for its labels, which it does by its own way; nil when it
// knows them, or has been told. It would refuse a bundle for labels that it does not know.
func (s *Service) enrolment(d *device) *protobufs.CustomMessage {
	if d.line == nil || !d.line.told || d.line.renews || d.knows() {
		return nil
	}
	d.line.renews = true
	return &protobufs.CustomMessage{Capability: fleetline.Capability, Type: fleetline.TypeEnrolment}
}

// letter is a message for a device.
type letter struct {
	line    *line
	message *protobufs.ServerToAgent
}

// offers are those that are due.
func (s *Service) offers() (list []letter) {
	for _, d := range s.devices {
		if config, word := s.offer(d), s.enrolment(d); config != nil || word != nil {
			list = append(list, letter{d.line, &protobufs.ServerToAgent{InstanceUid: instance(d.id), RemoteConfig: config, CustomMessage: word}})
		}
	}
	return list
}

// instance is the 128 bits of a device's ID: of its last character two bits are lost, so
// that not the other way round.
func instance(id string) []byte {
	uid, _ := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(id)) // IDs are ours
	return uid
}

// send writes letters, some at once: a device whose line is full keeps few waiting.
func send(list []letter) {
	next := make(chan letter)
	var writers sync.WaitGroup
	for range min(senders, len(list)) {
		writers.Go(func() {
			for l := range next {
				l.line.write(l.message)
			}
		})
	}
	for _, l := range list {
		next <- l
	}
	close(next)
	writers.Wait()
}

func (l *line) write(m *protobufs.ServerToAgent) {
	_ = l.conn.Connection().SetWriteDeadline(time.Now().Add(writeTime)) // a connection that is closed says so below
	if err := l.conn.Send(context.Background(), m); err != nil {
		l.end()
	}
}

// fresh lets the next message come, and the next answer go.
func (l *line) fresh() {
	conn := l.conn.Connection()
	now := time.Now()
	_ = conn.SetReadDeadline(now.Add(silence)) // as above
	_ = conn.SetWriteDeadline(now.Add(silence))
	if b, ok := conn.(*boundedConn); ok {
		b.read.Store(0)
	}
}

// bounded hands out a connection that bounds a message: opamp's server reads whatever
// comes.
type bounded struct{ http.ResponseWriter }

// Hijack implements http.Hijacker.
func (b bounded) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(b.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &boundedConn{Conn: conn}, buffered, nil
}

type boundedConn struct {
	net.Conn
	read atomic.Int64 // bytes since the last message
}

var errTooLong = errors.New("a device's message is too long")

func (b *boundedConn) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if b.read.Add(int64(n)) > maxMessage {
		return n, errTooLong
	}
	return n, err
}

func sum(data []byte) []byte {
	h := sha256.Sum256(data)
	return h[:]
}
