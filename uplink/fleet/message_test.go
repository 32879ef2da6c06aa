package fleet

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-telemetry/opamp-go/protobufs"
	"google.golang.org/protobuf/proto"

	"github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/uplink/origin"
)

func TestFloodWaitsInTheNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, written := &network{}, atomic.Int64{}
		n.answer = func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "/opamp") {
				return status(http.StatusNoContent), nil
			}
			return upgraded(r, func(c net.Conn) {
				defer c.Close()
				go func() { _, _ = io.Copy(io.Discard, c) }() // until c is closed
				for {
					if _, err := c.Write([]byte{0x82, 1, header}); err != nil {
						return
					}
					written.Add(1)
				}
			}), nil
		}
		run(t, time.Minute, n.link(t))
		if got, most := int(written.Load()), hearBurst+int(time.Minute/hearEvery); got < hearBurst || got > most+10 {
			t.Errorf("%d messages in a minute, of at most %d", got, most)
		}
	})
}

func TestRemoteStatus(t *testing.T) {
	const (
		unset    = protobufs.RemoteConfigStatuses_RemoteConfigStatuses_UNSET
		applying = protobufs.RemoteConfigStatuses_RemoteConfigStatuses_APPLYING
		applied  = protobufs.RemoteConfigStatuses_RemoteConfigStatuses_APPLIED
		failed   = protobufs.RemoteConfigStatuses_RemoteConfigStatuses_FAILED
	)
	for _, c := range []struct {
		attempt *fleet.Attempt
		want    protobufs.RemoteConfigStatuses
		message string
	}{
		{nil, unset, ""},
		{&fleet.Attempt{Phase: fleet.Received}, applying, ""},
		{&fleet.Attempt{Phase: fleet.Verified}, applying, ""},
		{&fleet.Attempt{Phase: fleet.Staged, Waits: "live"}, applying, ""},
		{&fleet.Attempt{Phase: fleet.Probation}, applying, ""},
		{&fleet.Attempt{Phase: fleet.Confirmed}, applied, ""},
		{&fleet.Attempt{Phase: fleet.Refused, During: fleet.Schema, Element: "video.fps", Error: "unknown key"}, failed, "schema video.fps: unknown key"},
		{&fleet.Attempt{Phase: fleet.Returned, During: fleet.Probation, Element: "encoder", Error: "no frames"}, failed, "probation encoder: no frames"},
	} {
		got := remoteStatus(fleet.Report{Attempted: c.attempt}, []byte{1})
		if got.GetStatus() != c.want || got.GetErrorMessage() != c.message || len(got.GetLastRemoteConfigHash()) != 1 {
			t.Errorf("%+v is told as %v", c.attempt, got)
		}
	}
}

func TestTextsThatAreNoUTF8AreTold(t *testing.T) {
	const odd = "camera \xff\xfe"
	l := (&network{}).link(t)
	l.cfg.Version, l.cfg.Model = odd, odd
	l.cfg.Health = func() Health { return Health{Status: odd, Error: odd, Parts: map[string]Health{odd: {Error: odd}}} }
	l.cfg.Report = func() fleet.Report {
		return fleet.Report{State: odd, Attempted: &fleet.Attempt{Phase: fleet.Refused, Element: odd, Error: odd}, Problems: []string{odd}}
	}
	if _, err := encode((&connection{Link: l, full: true}).message()); err != nil {
		t.Error(err)
	}
}

// FuzzHear hears what a hostile service may send.
func FuzzHear(f *testing.F) {
	for _, m := range []*protobufs.ServerToAgent{
		{},
		{Flags: 1, Command: &protobufs.ServerToAgentCommand{}},
		{RemoteConfig: &protobufs.AgentRemoteConfig{Config: &protobufs.AgentConfigMap{ConfigMap: map[string]*protobufs.AgentConfigFile{BundleFile: {Body: []byte("{}")}}}}},
		{CustomMessage: &protobufs.CustomMessage{Capability: Capability, Type: TypeSupport}},
		{CustomMessage: &protobufs.CustomMessage{Capability: Capability, Type: TypeEnrolment}},
		{ErrorResponse: &protobufs.ServerErrorResponse{ErrorMessage: "\x1b[2J", Details: &protobufs.ServerErrorResponse_RetryInfo{RetryInfo: &protobufs.RetryInfo{RetryAfterNanoseconds: 1 << 63}}}},
		{PackagesAvailable: &protobufs.PackagesAvailable{}, ConnectionSettings: &protobufs.ConnectionSettingsOffers{}, AgentIdentification: &protobufs.AgentIdentification{}},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte{header}, data...))
	}
	f.Add([]byte{})
	f.Add([]byte{1, 0})
	client, err := origin.New(origin.Config{URL: "https://fleet.example", Identity: &origin.Identity{Origins: []string{"https://fleet.example"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(data)
		if err != nil {
			return
		}
		l, err := New(Config{URL: "https://fleet.example/api", Device: "ivzgs3bnmzwgkzluor2gk43uge", Client: client,
			Restart: func() error { t.Error("restarted without a count"); return nil },
			Offer: func(envelope []byte) {
				if len(envelope) == 0 || len(envelope) > fleet.MaxEnvelope {
					t.Errorf("offered %d bytes", len(envelope))
				}
			}})
		if err != nil {
			t.Fatal(err)
		}
		c := &connection{Link: l}
		if err := c.hear(m); err != nil {
			if after := origin.RetryAfter(err); after < 0 || after > origin.MaxRetryAfter {
				t.Errorf("left alone for %v", after)
			}
			if strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("%q", err)
			}
		}
		for _, line := range l.refusals() {
			if strings.ContainsAny(line, "\x1b\n") {
				t.Errorf("%q", line)
			}
		}
		if _, err := encode(c.message()); err != nil {
			t.Error(err)
		}
	})
}
