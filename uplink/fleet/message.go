package fleet

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-telemetry/opamp-go/protobufs"

	"github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/uplink/origin"
)

// The words of this fleet on both sides of the line.
const (
	// Capability is the custom one: reports go up, and the request for a support bundle
	// comes down.
	Capability  = "org.bril.fleet"
	TypeReport  = "report"
	TypeSupport = "support"
	// TypeEnrolment says that the enrolment has something new. What, the board asks the
	// endpoint itself: nothing that comes over the line is believed.
	TypeEnrolment = "enrolment"
	// BundleFile names the envelope in a remote configuration.
	BundleFile = "bundle.dsse"
	// BundleType is its content type.
	BundleType = "application/vnd.dsse.envelope+json"
	// EffectiveFile and BaseFile name the two configurations that are told.
	EffectiveFile = "effective"
	BaseFile      = "base"
)

// capabilities are what this side of the line does: no packages and no settings.
const capabilities = protobufs.AgentCapabilities_AgentCapabilities_ReportsStatus |
	protobufs.AgentCapabilities_AgentCapabilities_AcceptsRemoteConfig |
	protobufs.AgentCapabilities_AgentCapabilities_ReportsRemoteConfig |
	protobufs.AgentCapabilities_AgentCapabilities_ReportsEffectiveConfig |
	protobufs.AgentCapabilities_AgentCapabilities_ReportsHealth |
	protobufs.AgentCapabilities_AgentCapabilities_ReportsHeartbeat |
	protobufs.AgentCapabilities_AgentCapabilities_AcceptsRestartCommand

// message is what is told now.
func (c *connection) message() *protobufs.AgentToServer {
	report := c.cfg.Report()
	report.Problems = append(slices.Clone(report.Problems), c.refusals()...)
	m := &protobufs.AgentToServer{
		InstanceUid: c.id, SequenceNum: c.sequence, Capabilities: uint64(capabilities),
		Health:             health(c.cfg.Health()),
		RemoteConfigStatus: remoteStatus(report, c.lastHash()),
	}
	if data, err := json.Marshal(report); err == nil && (c.full || !bytes.Equal(data, c.report)) {
		c.report = data
		m.CustomMessage = &protobufs.CustomMessage{Capability: Capability, Type: TypeReport, Data: data}
	}
	if c.full {
		m.AgentDescription = c.description()
		m.CustomCapabilities = &protobufs.CustomCapabilities{Capabilities: []string{Capability}}
	}
	effective, base := c.cfg.Effective()
	if sum := sha256.Sum256(slices.Concat(effective, []byte{0}, base)); c.full || sum != c.effective {
		c.effective = sum
		m.EffectiveConfig = &protobufs.EffectiveConfig{ConfigMap: &protobufs.AgentConfigMap{ConfigMap: map[string]*protobufs.AgentConfigFile{
			EffectiveFile: {Body: effective, ContentType: "text/yaml"}, BaseFile: {Body: base, ContentType: "text/yaml"},
		}}}
	}
	return m
}

func (l *Link) lastHash() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hash
}

func (l *Link) description() *protobufs.AgentDescription {
	text := func(key, value string) *protobufs.KeyValue {
		return &protobufs.KeyValue{Key: key, Value: &protobufs.AnyValue{Value: &protobufs.AnyValue_StringValue{StringValue: utf8(value)}}}
	}
	return &protobufs.AgentDescription{
		IdentifyingAttributes: []*protobufs.KeyValue{
			text("service.name", "bril"), text("service.instance.id", l.cfg.Device), text("service.version", l.cfg.Version),
		},
		NonIdentifyingAttributes: []*protobufs.KeyValue{text("os.type", "linux"), text("host.model", l.cfg.Model)},
	}
}

// utf8 is a text that a message can carry: with any other none of it could be told.
func utf8(text string) string { return strings.ToValidUTF8(text, "?") }

func health(h Health) *protobufs.ComponentHealth {
	out := &protobufs.ComponentHealth{Healthy: h.Healthy, Status: utf8(h.Status), LastError: utf8(h.Error)}
	if !h.Since.IsZero() {
		out.StatusTimeUnixNano = uint64(h.Since.UnixNano())
	}
	for name, part := range h.Parts {
		if out.ComponentHealthMap == nil {
			out.ComponentHealthMap = map[string]*protobufs.ComponentHealth{}
		}
		out.ComponentHealthMap[utf8(name)] = health(part)
	}
	return out
}

// remoteStatus says in OpAMP's words what became of what was offered last.
func remoteStatus(r fleet.Report, hash []byte) *protobufs.RemoteConfigStatus {
	s := &protobufs.RemoteConfigStatus{LastRemoteConfigHash: hash, Status: protobufs.RemoteConfigStatuses_RemoteConfigStatuses_UNSET}
	a := r.Attempted
	if a == nil {
		return s
	}
	switch a.Phase {
	case fleet.Confirmed:
		s.Status = protobufs.RemoteConfigStatuses_RemoteConfigStatuses_APPLIED
	case fleet.Refused, fleet.Returned:
		s.Status = protobufs.RemoteConfigStatuses_RemoteConfigStatuses_FAILED
		s.ErrorMessage = utf8(fmt.Sprintf("%s %s: %s", a.During, a.Element, a.Error))
	default:
		s.Status = protobufs.RemoteConfigStatuses_RemoteConfigStatuses_APPLYING
	}
	return s
}

// hear does what the service may ask for, and refuses the rest.
func (c *connection) hear(m *protobufs.ServerToAgent) error {
	if e := m.GetErrorResponse(); e != nil {
		return c.unavailable(e)
	}
	if r := m.GetRemoteConfig(); r != nil {
		c.configured(r)
	}
	if m.GetConnectionSettings() != nil {
		c.refuse("connection settings", "a board reaches what it was enrolled at")
	}
	if m.GetPackagesAvailable() != nil {
		c.refuse("packages", "software comes by the package's own repository")
	}
	if m.GetAgentIdentification() != nil {
		c.refuse("another identity", "a board is who it was enrolled as")
	}
	if m.GetCommand() != nil {
		c.command(m.GetCommand())
	}
	if custom := m.GetCustomMessage(); custom != nil {
		c.custom(custom)
	}
	if m.GetFlags()&uint64(protobufs.ServerToAgentFlags_ServerToAgentFlags_ReportFullState) != 0 {
		c.full = true // with the next heartbeat at the latest
		if time.Since(c.fullAt) > fullEvery {
			c.Tell()
		}
	}
	return nil
}

// configured takes the one file of a remote configuration that there can be.
func (c *connection) configured(r *protobufs.AgentRemoteConfig) {
	file := r.GetConfig().GetConfigMap()[BundleFile]
	if file == nil || len(r.GetConfig().GetConfigMap()) != 1 {
		c.refuse("unsigned configuration", "configuration is a signed bundle, and nothing else")
		return
	}
	if err := c.offer(file.GetBody()); err != nil {
		c.refuse("a bundle", err.Error())
	}
	c.Tell()
}

func (c *connection) command(command *protobufs.ServerToAgentCommand) {
	if command.GetType() != protobufs.CommandType_CommandType_Restart || c.cfg.Restart == nil {
		c.refuse("a command", "the only one is a restart")
		return
	}
	if err := c.restart.make(c.cfg.Restart); err != nil {
		c.refuse("a restart", err.Error())
		return
	}
	c.cfg.Log.Info("restarting, as the fleet's service asks for it")
}

func (c *connection) custom(m *protobufs.CustomMessage) {
	switch {
	case m.GetCapability() == Capability && m.GetType() == TypeEnrolment:
		c.cfg.Enrolment()
	case m.GetCapability() == Capability && m.GetType() == TypeSupport && c.cfg.Support != nil:
		select {
		case c.support <- struct{}{}:
		default: // one is on its way
		}
	default:
		c.refuse("a message", "of this kind there is none: "+origin.Clean(m.GetCapability()+" "+m.GetType()))
	}
}

// unavailable is an error that the service answers with, and for how long it wants to
// be left alone.
func (c *connection) unavailable(e *protobufs.ServerErrorResponse) error {
	err := errors.New("the fleet's service refuses: " + origin.Clean(e.GetErrorMessage()))
	after := time.Duration(min(e.GetRetryInfo().GetRetryAfterNanoseconds(), uint64(origin.MaxRetryAfter)))
	return &origin.Error{Op: "tell", URL: origin.Show(c.line), Err: err, RetryAfter: after}
}
