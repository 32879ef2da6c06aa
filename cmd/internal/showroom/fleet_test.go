package showroom

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/staff"
	"github.com/bril-edge/bril/configs/fleet"
	fleetline "github.com/bril-edge/bril/uplink/fleet"
)

// fleetBench is a server with a fleet: anna's glasses, the managers Marie, by her
// token, and mia, by her session, and the advisor tom.
type fleetBench struct {
	*authorityBench
	key   ed25519.PrivateKey
	anna  *testBoard
	marie string
}

func startFleet(t *testing.T) *fleetBench {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	check(t, err)
	file := filepath.Join(t.TempDir(), "fleet.pub")
	der, err := x509.MarshalPKIXPublicKey(public)
	check(t, err)
	check(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600))
	f := &fleetBench{key: private, authorityBench: startAuthority(t, func(c *Config) { c.ConfigurationKeys = []string{file} })}
	f.anna = f.board()
	f.anna.enrol(f.token(devices.Wanted{}))
	made, err := service.NewAdmin(f.server.records, nil).Add(t.Context(), "Marie")
	check(t, err)
	f.marie = "Bearer " + made.Token
	hash, err := staff.Hash("the manager's password", staff.Params{Memory: 8, Passes: 1, Threads: 1})
	check(t, err)
	accounts := staff.NewAdmin(f.server.records)
	check(t, accounts.Add(t.Context(), staff.Account{Name: "mia", Hash: hash, Role: staff.RoleManager}))
	check(t, accounts.Add(t.Context(), staff.Account{Name: "tom", Hash: hash, Role: staff.RoleAdvisor}))
	return f
}

// visitor is somebody with these headers, and no certificate.
func (f *fleetBench) visitor(header ...string) *testBoard {
	d := f.board()
	d.header = http.Header{}
	for i := 0; i < len(header); i += 2 {
		d.header.Set(header[i], header[i+1])
	}
	return d
}

// colleague is somebody of the staff, logged in.
func (f *fleetBench) colleague(name string) *testBoard {
	f.t.Helper()
	answer, text := f.visitor().exchange("POST", "/api/staff/login", jsonType, `{"name":"`+name+`","password":"the manager's password"}`)
	if answer.StatusCode != http.StatusNoContent {
		f.t.Fatalf("%s logs in: %s %s", name, answer.Status, text)
	}
	d := f.visitor()
	for _, cookie := range answer.Cookies() {
		d.header.Add("Cookie", cookie.Name+"="+cookie.Value)
	}
	return d
}

// bundle is a push of one that f's key signs, unless another does.
func (f *fleetBench) bundle(serial uint64, by ed25519.PrivateKey, dryRun bool) string {
	f.t.Helper()
	envelope, err := fleet.Sign(fleet.Bundle{
		Audience: fleet.Audience{Fleet: DefaultFleet}, Serial: serial, NotBefore: f.clock().Add(-time.Hour), Expires: f.clock().Add(time.Hour),
		Configuration: "video: {max_bitrate: 1M}\n",
	}, by)
	check(f.t, err)
	push, err := json.Marshal(service.Push{Envelope: envelope, Reason: "a test", DryRun: dryRun, Waves: []int{100}})
	check(f.t, err)
	return string(push)
}

// online opens anna's line, which stays until the test ends.
func (f *fleetBench) online() {
	f.t.Helper()
	transport := &http.Transport{TLSClientConfig: f.anna.tls()}
	f.t.Cleanup(transport.CloseIdleConnections)
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	conn, answer, err := websocket.Dial(ctx, f.url+"/api/fleet/opamp", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		f.t.Fatalf("%v %v", answer, err)
	}
	f.t.Cleanup(func() { _ = conn.CloseNow() })
}

const whyText = `{"reason":"a test"}`

// fleetBody is one that the operation understands.
func (o operation) fleetBody() string {
	switch {
	case o.method == http.MethodGet:
		return ""
	case strings.HasSuffix(o.path, "/labels"):
		return `{"labels":{"site":"oslo"},"reason":"a test"}`
	}
	return whyText
}

// What a manager does with the fleet, and what it is told.
func TestFleetOverHTTP(t *testing.T) {
	f := startFleet(t)
	marie := f.visitor("Authorization", f.marie)
	_, other, err := ed25519.GenerateKey(nil)
	check(t, err)
	const post, put, get = "POST", "PUT", "GET"
	for _, step := range []struct {
		method, path, body string
		want               int
	}{
		{post, "/bundles", f.bundle(1, f.key, true), 200},
		{post, "/bundles", f.bundle(1, other, false), 403},
		{post, "/bundles", f.bundle(1, f.key, false), 201},
		{post, "/bundles", f.bundle(1, f.key, false), 409},
		{get, "/bundles", "", 200},
		{get, "/bundles/1", "", 200},
		{get, "/bundles/2", "", 404},
		{get, "/rollouts/1", "", 200},
		{get, "/rollouts/2", "", 404},
		{post, "/rollouts/1/resume", whyText, 409},
		{post, "/rollouts/1/pause", whyText, 200},
		{post, "/rollouts/1/pause", whyText, 409},
		{post, "/rollouts/1/resume", whyText, 200},
		{post, "/rollouts/2/pause", whyText, 404},
		{post, "/rollouts/2/resume", whyText, 404},
		{get, "", "", 200},
		{get, "/audit", "", 200},
		{get, "/audit?last=2", "", 200},
		{get, "/audit?last=0", "", 400},
		{get, "/devices", "", 200},
		{get, "/devices?status=online&text=a&sort=seen&limit=1", "", 200},
		{get, "/devices?sort=mood", "", 400},
		{get, "/devices/anna", "", 200},
		{get, "/devices/nobody", "", 404},
		{put, "/devices/anna/labels", `{"labels":{"site":"oslo"},"reason":"moved"}`, 200},
		{put, "/devices/nobody/labels", `{"labels":{},"reason":"moved"}`, 404},
		{post, "/devices/anna/restart", whyText, 409},
		{post, "/devices/nobody/restart", whyText, 404},
		{post, "/devices/anna/support", whyText, 409},
		{post, "/devices/nobody/support", whyText, 404},
	} {
		status, answer := marie.ask(step.method, "/api/fleet"+step.path, jsonType, step.body)
		wants(t, step.method+" "+step.path, status, answer, step.want, "")
	}
	f.online()
	for _, command := range []string{"restart", "support"} {
		status, answer := marie.ask("POST", "/api/fleet/devices/anna/"+command, jsonType, whyText)
		wants(t, command, status, answer, 200, "")
	}
}

// Who may not, and what cannot be read.
func TestFleetRefuses(t *testing.T) {
	f := startFleet(t)
	nobody, marie := f.visitor(), f.visitor("Authorization", f.marie)
	mia, tom := f.colleague("mia"), f.colleague("tom")
	names := strings.NewReplacer("{device}", "anna", "{serial}", "1")
	for _, o := range operations(func(o operation) bool { return o.isOf("fleet") }) {
		path, body := names.Replace(o.path), o.fleetBody()
		status, answer := nobody.ask(o.method, path, jsonType, body)
		wants(t, o.method+" "+path+" by nobody", status, answer, 401, "")
		switch signed := o.has(403) && o.path != "/api/fleet/bundles" || o.method == http.MethodGet; {
		case signed:
			status, answer = tom.ask(o.method, path, jsonType, body)
			wants(t, o.method+" "+path+" by an advisor", status, answer, 403, "managers-only")
		default: // a session does not open it, whoever has it
			status, answer = mia.ask(o.method, path, jsonType, body)
			wants(t, o.method+" "+path+" by a session", status, answer, 401, "token")
		}
		if o.method == http.MethodGet {
			continue
		}
		status, answer = marie.ask(o.method, path, jsonType, "{")
		wants(t, path+" broken", status, answer, 400, "")
		status, answer = marie.ask(o.method, path, jsonType, `{"reason":"`+strings.Repeat("x", 2*fleet.MaxEnvelope)+`"}`)
		wants(t, path+" too large", status, answer, 413, "")
	}
	mia.header.Set("Sec-Fetch-Site", "cross-site")
	status, answer := mia.ask("POST", "/api/fleet/rollouts/1/pause", jsonType, whyText)
	wants(t, "from another site", status, answer, 403, "cross-origin")
}

// What glasses ask for themselves.
func TestFleetOfTheDevice(t *testing.T) {
	f := startFleet(t)
	marie := f.visitor("Authorization", f.marie)
	bundle := func(what, tag string, want int) string {
		t.Helper()
		f.anna.header = http.Header{"If-None-Match": {tag}}
		answer, text := f.anna.exchange("GET", "/api/fleet/bundle", "", "")
		wants(t, what, answer.StatusCode, text, want, "")
		return answer.Header.Get("ETag")
	}
	bundle("there is none", "", 204)
	status, answer := marie.ask("POST", "/api/fleet/bundles", jsonType, f.bundle(1, f.key, false))
	wants(t, "a push", status, answer, 201, "")
	tag := bundle("a new one", "", 200)
	bundle("the same", tag, 304)

	const secret = "age-encryption.org/v1\n"
	f.online()
	status, answer = marie.ask("POST", "/api/fleet/devices/anna/support", jsonType, whyText)
	wants(t, "asking for a support bundle", status, answer, 200, "")
	for _, support := range []struct {
		body string
		want int
	}{{"a log", 400}, {secret + strings.Repeat("x", fleetline.SupportLimit), 413}, {secret, 201}, {secret, 403}} {
		status, answer = f.anna.ask("PUT", "/api/device/support", "application/vnd.age", support.body)
		wants(t, "a support bundle", status, answer, support.want, "")
	}
	status, answer = f.anna.ask("GET", "/api/fleet/opamp", "", "")
	wants(t, "a line that is no WebSocket", status, answer, 400, "")
	status, answer = f.anna.ask("GET", "/api/fleet/opamp", "application/x-protobuf", "")
	wants(t, "OpAMP without a WebSocket", status, answer, 415, "")

	for _, o := range []struct{ method, path string }{{"GET", "/api/fleet/bundle"}, {"GET", "/api/fleet/opamp"}, {"PUT", "/api/device/support"}} {
		status, answer = f.visitor().ask(o.method, o.path, "", "")
		wants(t, o.path+" without a certificate", status, answer, 401, "not-enrolled")
	}
	_, err := f.server.deviceAdmin().Revoke(t.Context(), "anna")
	check(t, err)
	for _, o := range []struct{ method, path string }{{"GET", "/api/fleet/bundle"}, {"GET", "/api/fleet/opamp"}, {"PUT", "/api/device/support"}} {
		status, answer = f.anna.ask(o.method, o.path, "", "")
		wants(t, o.path+" of who is revoked", status, answer, 403, "device-revoked")
	}
}
