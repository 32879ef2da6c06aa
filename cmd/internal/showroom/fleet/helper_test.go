package fleet

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-telemetry/opamp-go/protobufs"
	"github.com/open-telemetry/opamp-go/server/types"

	"github.com/bril-edge/bril/cmd/internal/showroom/hours"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/cmd/internal/showroom/staff"
	"github.com/bril-edge/bril/cmd/internal/showroom/web"
	"github.com/bril-edge/bril/configs/fleet"
	fleetline "github.com/bril-edge/bril/uplink/fleet"
)

var testKey = ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))

// office is a service with its API, the staff's login and the page, without lines.
type office struct {
	*testing.T
	db      *records.DB
	service *Service
	url     string
	token   string
	mux     atomic.Pointer[http.ServeMux]
	down    atomic.Bool
	keys    []string // of the server
}

const password = "correct horse battery"

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{T: t, keys: []string{fleet.FormatKey(testKey.Public().(ed25519.PublicKey))}}
	var err error
	if o.db, err = records.Open(records.Config{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.db.Close() })
	o.open()
	made, err := NewAdmin(o.db, nil).Add(t.Context(), "Marie")
	if err != nil {
		t.Fatal(err)
	}
	o.token = made.Token
	server := httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

// open takes up what is kept, as after a start.
func (o *office) open() {
	o.Helper()
	views, err := staff.New(staff.Config{Records: o.db, Showrooms: []hours.Showroom{}, Passwords: staff.Params{Memory: 64, Passes: 1}})
	if err != nil {
		o.Fatal(err)
	}
	o.service, err = Open(o.Context(), Config{
		Records: o.db, Fleet: "bril", Keys: o.keys, Staff: views.Manager,
		Holder: func(*http.Request) (records.Device, error) {
			return records.Device{}, errors.New("no device asks here")
		}, Support: o.TempDir(),
	})
	if err != nil {
		o.Fatal(err)
	}
	routes := o.service.Routes()
	for pattern, h := range views.Routes() {
		routes[pattern] = h
	}
	routes["GET /fleet"] = web.Fleet.Serve
	routes["GET /assets/{file}"] = web.ServeAsset
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				problem(w, err)
			}
		})
	}
	o.mux.Store(mux)
}

func (o *office) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'none'")
	if o.down.Load() && strings.HasPrefix(r.URL.Path, "/api/") {
		http.Error(w, "down", http.StatusBadGateway)
		return
	}
	o.mux.Load().ServeHTTP(w, r)
}

// problem answers as package showroom does.
func problem(w http.ResponseWriter, err error) {
	status, word, detail := http.StatusInternalServerError, "", err.Error()
	var refused *Error
	var ofStaff *staff.Error
	switch {
	case errors.As(err, &refused):
		status, word = refused.Status, refused.Word
	case errors.As(err, &ofStaff):
		status, word = ofStaff.Status, ofStaff.Word
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	answer := map[string]any{"type": "urn:bril:problem:" + word, "detail": detail, "status": status}
	if refused != nil {
		answer["problems"], answer["next_serial"] = refused.Problems, refused.Next
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// glasses enrols a board, and returns its ID.
func (o *office) glasses(name string) string {
	o.Helper()
	token := records.EnrolmentToken{ID: records.NewID()[:11], Name: name, Expires: time.Now().Add(time.Hour)}
	if err := o.db.AddEnrolmentToken(o.Context(), token, "secret"); err != nil {
		o.Fatal(err)
	}
	d, _, err := o.db.Enrol(o.Context(), token.ID, "secret", records.Device{Serial: name, Model: "Simulated board", Version: "1.2.3", Key: name})
	if err != nil {
		o.Fatal(err)
	}
	o.service.Enrolled(d)
	return d.ID
}

// tells has a board tell something, over a line of its own when it is online.
func (o *office) tells(id string, online bool, r fleet.Report) {
	o.Helper()
	r.SchemaVersion = fleet.SchemaVersion
	data, err := json.Marshal(r)
	if err != nil {
		o.Fatal(err)
	}
	o.service.mu.Lock()
	defer o.service.mu.Unlock()
	d := o.service.devices[id]
	o.service.take(d, &protobufs.AgentToServer{
		CustomMessage: &protobufs.CustomMessage{Capability: fleetline.Capability, Type: fleetline.TypeReport, Data: data},
		EffectiveConfig: &protobufs.EffectiveConfig{ConfigMap: &protobufs.AgentConfigMap{ConfigMap: map[string]*protobufs.AgentConfigFile{
			fleetline.EffectiveFile: {Body: []byte("video:\n  max_bitrate: 2.5M\n")}, fleetline.BaseFile: {Body: []byte("{}\n")}}}},
		Health: &protobufs.ComponentHealth{Healthy: len(r.Problems) == 0},
	})
	d.line = nil
	if online {
		d.line = &line{conn: silent{}} // that is never told anything, as it has not told all
	}
	o.service.dirty[id] = true
}

// silent is a connection over which nothing goes.
type silent struct{ connection }

type connection = types.Connection

func (silent) Disconnect() error { return nil }

func (o *office) push(configuration string, waves ...int) (Rollout, error) {
	o.Helper()
	b := fleet.Bundle{Audience: fleet.Audience{Fleet: "bril"}, Serial: o.service.nextSerial(), NotBefore: time.Now().Add(-time.Hour), Expires: time.Now().Add(time.Hour), Configuration: configuration}
	return o.pushBundle(b, waves...)
}

func (o *office) pushBundle(b fleet.Bundle, waves ...int) (Rollout, error) {
	o.Helper()
	envelope, err := fleet.Sign(b, testKey)
	if err != nil {
		o.Fatal(err)
	}
	answer, err := o.service.push(o.Context(), "Marie", Push{Envelope: envelope, Reason: "a test", Waves: waves})
	if err != nil {
		return Rollout{}, err
	}
	return answer.(Rollout), nil
}

// get asks the API as a manager.
func (o *office) get(path string, to any) int {
	o.Helper()
	return o.ask(http.MethodGet, path, o.token, "", to)
}

func (o *office) ask(method, path, token, body string, to any) int {
	o.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, o.url+path, strings.NewReader(body))
	if err != nil {
		o.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		o.Fatal(err)
	}
	defer answer.Body.Close()
	if to != nil {
		if err := json.NewDecoder(answer.Body).Decode(to); err != nil {
			o.Fatal(fmt.Errorf("%s %s: %s: %w", method, path, answer.Status, err))
		}
	}
	return answer.StatusCode
}
