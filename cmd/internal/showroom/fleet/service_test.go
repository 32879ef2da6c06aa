package fleet

import (
	"crypto/ed25519"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opamp-go/protobufs"

	"github.com/bril-edge/bril/configs/fleet"
)

func (o *office) refused(err error, word string) {
	o.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Word != word {
		o.Errorf("%v, want %s", err, word)
	}
}

// Who is no manager hears nothing, on any route, and who is hears what is wrong.
func TestManagersOnly(t *testing.T) {
	o := newOffice(t)
	for pattern := range o.service.Routes() {
		method, path, _ := strings.Cut(pattern, " ")
		if path == "/api/fleet/bundle" { // of devices
			continue
		}
		path = strings.NewReplacer("{device}", "anna", "{serial}", "1").Replace(path)
		for _, token := range []string{"", "bfm1.wrong", "x"} {
			if status := o.ask(method, path, token, `{"reason":"x"}`, nil); status != http.StatusUnauthorized {
				t.Errorf("%s with %q: %d", pattern, token, status)
			}
		}
		want := http.StatusOK
		switch {
		case strings.Contains(path, "/1") || strings.Contains(path, "anna"):
			want = http.StatusNotFound
		case method == http.MethodPost:
			want = http.StatusBadRequest
		}
		body := `{"reason":"x"}`
		if strings.HasSuffix(path, "/labels") {
			body = `{"labels":{},"reason":"x"}`
		}
		if status := o.ask(method, path, o.token, body, nil); status != want {
			t.Errorf("%s: %d, want %d", pattern, status, want)
		}
		if method == http.MethodGet {
			continue
		}
		for _, bad := range []string{"", "{", "[]", `{"strange":1}`, `{"reason":` + strings.Repeat(" ", maxPush+10) + `"x"}`} {
			if status := o.ask(method, path, o.token, bad, nil); status < 400 || status >= 500 {
				t.Errorf("%s of %.20q: %d", pattern, bad, status)
			}
		}
	}
	if err := NewAdmin(o.db, nil).Revoke(t.Context(), "Marie"); err != nil {
		t.Fatal(err)
	}
	if status := o.get("/api/fleet", nil); status != http.StatusUnauthorized {
		t.Errorf("revoked: %d", status)
	}
}

// What a push is refused for.
func TestPushRefuses(t *testing.T) {
	o := newOffice(t)
	bundle := func(change func(*fleet.Bundle)) fleet.Bundle {
		b := fleet.Bundle{Audience: fleet.Audience{Fleet: "bril"}, Serial: 1, NotBefore: time.Now().Add(-time.Hour), Expires: time.Now().Add(time.Hour), Configuration: "video: {max_bitrate: 1M}\n"}
		if change != nil {
			change(&b)
		}
		return b
	}
	for word, change := range map[string]func(*fleet.Bundle){
		"audience": func(b *fleet.Bundle) { b.Audience.Fleet = "other" },
		"expired": func(b *fleet.Bundle) {
			b.NotBefore, b.Expires = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		},
		"configuration": func(b *fleet.Bundle) { b.Configuration = "video: {max_bitrat: 1M}\n" },
	} {
		_, err := o.pushBundle(bundle(change))
		o.refused(err, word)
	}
	_, err := o.service.push(t.Context(), "Marie", Push{Envelope: []byte(`{"payloadType":"x"}`), Reason: "x"})
	o.refused(err, "bundle")
	for _, p := range []Push{{Reason: "x", Waves: []int{50}}, {Reason: "x", Waves: []int{50, 20, 100}}, {Reason: "x", MaxFailures: "many"}, {Reason: "x", SoakSeconds: -1}} {
		_, err := o.service.push(t.Context(), "Marie", p)
		o.refused(err, "rollout")
	}
	_, err = o.service.push(t.Context(), "Marie", Push{})
	o.refused(err, "reason")
	if _, err := o.pushBundle(bundle(nil)); err != nil {
		t.Fatal(err)
	}
	_, err = o.pushBundle(bundle(nil))
	o.refused(err, "serial")
}

// TestStep takes a rollout through its waves by what its devices do.
func TestStep(t *testing.T) {
	begun := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	p, err := newPlan(Push{Waves: []int{10, 100}, SoakSeconds: 60, MaxFailures: "10%"}, begun)
	if err != nil {
		t.Fatal(err)
	}
	second := p
	second.Wave = 1
	for _, test := range []struct {
		name  string
		from  plan
		waves []Wave
		after time.Duration
		state string
		wave  int
	}{
		{"at it", p, []Wave{{Devices: 10, Offered: 3, Confirmed: 7}, {Devices: 90, Pending: 90}}, time.Hour, StateRunning, 0},
		{"before the soak", p, []Wave{{Devices: 10, Confirmed: 10}, {Devices: 90, Pending: 90}}, 59 * time.Second, StateRunning, 0},
		{"after it", p, []Wave{{Devices: 10, Confirmed: 10}, {Devices: 90, Pending: 90}}, time.Minute, StateRunning, 1},
		{"some are in a drawer", p, []Wave{{Devices: 10, Confirmed: 1, Offline: 9}, {Devices: 90, Pending: 90}}, time.Minute, StateRunning, 1},
		{"all are", p, []Wave{{Devices: 10, Offline: 10}, {Devices: 90, Pending: 90}}, time.Hour, StateRunning, 0},
		{"nobody is in it", p, []Wave{{}, {Devices: 90, Pending: 90}}, 0, StateRunning, 1},
		{"one of ten fails", p, []Wave{{Devices: 10, Confirmed: 9, Failed: 1}, {Devices: 90, Pending: 90}}, time.Minute, StateRunning, 1},
		{"two do", p, []Wave{{Devices: 10, Confirmed: 7, Failed: 2, Offered: 1}, {Devices: 90, Pending: 90}}, 0, StateStopped, 0},
		{"one of nine fails", p, []Wave{{Devices: 9, Confirmed: 8, Failed: 1}, {Devices: 90, Pending: 90}}, 0, StateStopped, 0},
		{"the last one is over", second, []Wave{{Devices: 10, Confirmed: 10}, {Devices: 90, Confirmed: 40, Offline: 50}}, time.Minute, StateDone, 1},
		{"all that are not away fail, as they may", second, []Wave{{Devices: 10, Failed: 1}, {Devices: 90, Failed: 9, Offline: 81}}, time.Minute, StateDone, 1},
		{"one fails after all", plan{State: StateDone, Waves: p.Waves, Wave: 1, MaxFailures: "0"}, []Wave{{Devices: 10, Confirmed: 9, Failed: 1}, {Devices: 90}}, time.Hour, StateStopped, 1},
		{"one fails when another took its place", plan{State: StateDone, Waves: p.Waves, Wave: 1, MaxFailures: "0", Final: []Wave{}}, []Wave{{Devices: 10, Failed: 1}, {}}, time.Hour, StateDone, 1},
		{"it is held", plan{State: StatePaused, Waves: p.Waves}, []Wave{{Devices: 10, Failed: 10}, {}}, time.Hour, StatePaused, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.from.step(test.waves, begun.Add(test.after))
			if got.State != test.state || got.Wave != test.wave || (got.State == StateStopped) != (got.Why != "") {
				t.Errorf("%s in wave %d: %s", got.State, got.Wave, got.Why)
			}
		})
	}
}

// What was stopped stays so once another has come for the same devices: they would not
// take it, and it would count as done by what they run since.
func TestOldStaysStopped(t *testing.T) {
	o := newOffice(t)
	anna := o.glasses("anna")
	r, err := o.push("video: {max_bitrate: 1M}\n", 100)
	if err != nil {
		t.Fatal(err)
	}
	o.tells(anna, true, fleet.Report{Attempted: &fleet.Attempt{Serial: 1, Content: r.Content, Phase: fleet.Refused, At: time.Now()}, State: "ready"})
	o.service.look(t.Context())
	if _, err = o.push("video: {max_bitrate: 2M}\n", 100); err != nil {
		t.Fatal(err)
	}
	if status := o.ask("POST", "/api/fleet/rollouts/1/resume", o.token, `{"reason":"x"}`, nil); status != http.StatusConflict {
		t.Errorf("an old one goes on: %d", status)
	}
	if o.get("/api/fleet/rollouts/1", &r); r.State != StateStopped {
		t.Errorf("it is %s", r.State)
	}
}

// A rollout stops by failures, is looked at, and goes on; all of it is there after a
// start, and nothing of the audit can be changed without that showing.
func TestStopsAndGoesOn(t *testing.T) {
	o := newOffice(t)
	anna, ben := o.glasses("anna"), o.glasses("ben")
	r, err := o.push("video: {max_bitrate: 1M}\n", 100)
	if err != nil {
		t.Fatal(err)
	}
	failed := &fleet.Attempt{Serial: 1, Content: r.Content, Phase: fleet.Returned, During: fleet.Probation, Element: "whip", Error: "404", At: time.Now()}
	o.tells(anna, true, fleet.Report{Attempted: failed, State: "ready"})
	o.tells(ben, false, fleet.Report{State: "ready"})
	o.service.look(t.Context())
	var d DeviceDetail
	if o.get("/api/fleet/devices/anna", &d); d.Attempted == nil || d.Attempted.Element != "whip" {
		t.Errorf("%+v", d.Device)
	}
	if o.get("/api/fleet/rollouts/1", &r); r.State != StateStopped || r.Waves[0].Failed != 1 {
		t.Fatalf("%+v", r)
	}
	if status := o.ask("POST", "/api/fleet/rollouts/1/pause", o.token, `{"reason":"x"}`, nil); status != http.StatusConflict {
		t.Errorf("a stopped one is paused: %d", status)
	}
	if status := o.ask("POST", "/api/fleet/rollouts/1/resume", o.token, `{"reason":"anna alone"}`, &r); status != 200 || r.State != StateRunning {
		t.Errorf("%d, %s", status, r.State)
	}
	o.tells(ben, true, fleet.Report{Running: fleet.Running{Serial: 1, Content: r.Content}, State: "ready"})
	o.service.look(t.Context())
	o.service.flush(t.Context())
	o.open()
	var overview Overview
	if o.get("/api/fleet", &overview); overview.Devices.Current != 1 || overview.Devices.Failed != 1 || overview.Rollouts[0].State != StateDone || overview.NextSerial != 2 {
		t.Errorf("after a start: %+v", overview)
	}
	var all Audit
	if o.get("/api/fleet/audit", &all); !all.Intact || len(all.Entries) < 4 || all.Entries[len(all.Entries)-2].Reason != "anna alone" {
		t.Errorf("%+v", all)
	}
}

// A bundle for labels that a device has not heard of waits until it has, and the device
// is told to ask, once over a line for each change.
func TestNewLabels(t *testing.T) {
	o := newOffice(t)
	anna := o.glasses("anna")
	o.tells(anna, true, fleet.Report{State: "ready", Labels: map[string]string{}})
	says := func() (offered, asks bool) {
		o.service.mu.Lock()
		defer o.service.mu.Unlock()
		for _, l := range o.service.offers() {
			offered, asks = l.message.RemoteConfig != nil, l.message.CustomMessage != nil
		}
		return offered, asks
	}
	label := func(value string) {
		t.Helper()
		if status := o.ask("PUT", "/api/fleet/devices/anna/labels", o.token, `{"labels":{"site":"`+value+`"},"reason":"moved"}`, nil); status != 200 {
			t.Fatal(status)
		}
	}
	want := func(what string, wantOffered, wantAsks bool, why string) {
		t.Helper()
		if offered, asks := says(); offered != wantOffered || asks != wantAsks {
			t.Errorf("%s: offered %v, asks %v", what, offered, asks)
		}
		var d DeviceDetail
		if o.get("/api/fleet/devices/anna", &d); d.Why != why {
			t.Errorf("%s: %s", what, d.Why)
		}
	}
	o.service.devices[anna].line.told = true
	label("ghent")
	if _, err := o.pushBundle(fleet.Bundle{Audience: fleet.Audience{Fleet: "bril", Labels: map[string]string{"site": "ghent"}}, Serial: 1,
		NotBefore: time.Now().Add(-time.Hour), Expires: time.Now().Add(time.Hour), Configuration: "video: {max_bitrate: 1M}\n"}, 100); err != nil {
		t.Fatal(err)
	}
	const unheard = "has not heard of its labels yet"
	want("a new label", false, true, unheard)
	want("and again", false, false, unheard)
	label("oslo")
	label("ghent")
	want("changed twice", false, true, unheard)
	line := o.service.devices[anna].line
	o.tells(anna, true, fleet.Report{State: "ready", Labels: map[string]string{"site": "ghent"}})
	o.service.devices[anna].line = line // the same one
	want("it has heard", true, false, "offered")
}

// A wave waits for devices that have just lost their line, as all do that try something,
// and not for those in a drawer.
func TestJustGone(t *testing.T) {
	o := newOffice(t)
	anna, ben, cleo := o.glasses("anna"), o.glasses("ben"), o.glasses("cleo")
	r, err := o.push("video: {max_bitrate: 1M}\n", 100)
	if err != nil {
		t.Fatal(err)
	}
	o.tells(anna, true, fleet.Report{Running: fleet.Running{Serial: 1, Content: r.Content}, State: "ready"})
	o.tells(ben, false, fleet.Report{State: "ready", Attempted: &fleet.Attempt{Serial: 1, Content: r.Content, Phase: fleet.Probation, At: time.Now()}})
	o.tells(cleo, false, fleet.Report{State: "ready"})
	for _, step := range []struct {
		ago   time.Duration
		waits Wave
		state string
	}{
		{0, Wave{Percent: 100, Devices: 3, Confirmed: 1, Offered: 1, Pending: 1}, StateRunning},
		{awayTime, Wave{Percent: 100, Devices: 3, Confirmed: 1, Offline: 2}, StateDone},
	} {
		o.service.mu.Lock()
		for _, id := range []string{ben, cleo} {
			o.service.devices[id].seen = time.Now().Add(-step.ago)
		}
		o.service.mu.Unlock()
		o.service.look(t.Context())
		if o.get("/api/fleet/rollouts/1", &r); r.State != step.state || r.Waves[0] != step.waits {
			t.Errorf("%v: %s, %+v", step.ago, r.State, r.Waves)
		}
	}
}

// What a device would not take is not offered to it: it would only fail.
func TestNotOffered(t *testing.T) {
	o := newOffice(t)
	anna := o.glasses("anna")
	for range 3 {
		if _, err := o.push("video: {max_bitrate: 1M}\n", 100); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		what   string
		states [3]string
		report fleet.Report
		wanted uint64
	}{
		{"the newest", [3]string{StateDone, StateDone, StateRunning}, fleet.Report{Floor: 1}, 3},
		{"one that was stopped", [3]string{StateDone, StateDone, StateStopped}, fleet.Report{Floor: 1}, 2},
		{"one below its floor", [3]string{StateDone, StateDone, StateStopped}, fleet.Report{Floor: 3}, 0},
		{"what it runs", [3]string{StateDone, StateDone, StateStopped}, fleet.Report{Floor: 3, Running: fleet.Running{Serial: 2}}, 2},
		{"one that was superseded", [3]string{StateDone, StateSuperseded, StateStopped}, fleet.Report{}, 1},
		{"one that was superseded, which it runs", [3]string{StateDone, StateSuperseded, StateStopped}, fleet.Report{Floor: 2, Running: fleet.Running{Serial: 2}}, 2},
	} {
		o.service.mu.Lock()
		for i, b := range o.service.bundles {
			b.plan.State = test.states[i]
		}
		o.service.mu.Unlock()
		o.tells(anna, true, test.report)
		var d DeviceDetail
		if o.get("/api/fleet/devices/anna", &d); d.Wanted != test.wanted {
			t.Errorf("%s: %d is wanted, %d should be", test.what, d.Wanted, test.wanted)
		}
	}
}

// A refusal by another key has no serial; the hash says which bundle it is about.
func TestRefusedUnread(t *testing.T) {
	o := newOffice(t)
	anna := o.glasses("anna")
	if _, err := o.push("video: {max_bitrate: 1M}\n", 100); err != nil {
		t.Fatal(err)
	}
	o.tells(anna, true, fleet.Report{Attempted: &fleet.Attempt{Phase: fleet.Refused, During: fleet.Received, Element: "signature", Error: "not signed by a key of this fleet", At: time.Now()}})
	o.service.mu.Lock()
	o.service.take(o.service.devices[anna], &protobufs.AgentToServer{RemoteConfigStatus: &protobufs.RemoteConfigStatus{
		LastRemoteConfigHash: o.service.bundles[0].hash, Status: protobufs.RemoteConfigStatuses_RemoteConfigStatuses_FAILED}})
	o.service.mu.Unlock()
	o.service.look(t.Context())
	var d DeviceDetail
	if o.get("/api/fleet/devices/anna", &d); d.Status != statusFailed || !strings.Contains(d.Why, "signature") {
		t.Errorf("%s: %s", d.Status, d.Why)
	}
	var r Rollout
	if o.get("/api/fleet/rollouts/1", &r); r.State != StateStopped {
		t.Errorf("%s: %+v", r.State, r.Waves)
	}
}

// Of a small fleet somebody goes first, whatever chance says.
func TestSomebodyGoesFirst(t *testing.T) {
	o := newOffice(t)
	for _, name := range []string{"anna", "ben", "cleo"} {
		o.glasses(name)
	}
	for range 20 {
		r, err := o.push("video: {max_bitrate: 1M}\n", 1, 100)
		if err != nil {
			t.Fatal(err)
		}
		if n := r.Waves[0].Devices; n < 1 || n > 2 {
			t.Errorf("bundle %d: %d devices go first", r.Serial, n)
		}
	}
}

// A key that was succeeded signs nothing but its successor, for boards that have not
// heard of it; a server that has lost a key starts, and offers nothing of it.
func TestKeysEnd(t *testing.T) {
	o := newOffice(t)
	old := o.service.cfg.Keys[0]
	next := ed25519.NewKeyFromSeed([]byte("another seed of 32 bytes, longer")[:32])
	successor := fleet.FormatKey(next.Public().(ed25519.PublicKey))
	bundle := func(serial uint64, successor string) fleet.Bundle {
		return fleet.Bundle{Audience: fleet.Audience{Fleet: "bril"}, Serial: serial, NotBefore: time.Now().Add(-time.Hour), Expires: time.Now().Add(time.Hour),
			Configuration: "video: {max_bitrate: 1M}\n", Successor: successor}
	}
	if _, err := o.pushBundle(bundle(1, successor)); err != nil {
		t.Fatal(err)
	}
	_, err := o.pushBundle(bundle(2, ""))
	o.refused(err, "signature")
	if _, err := o.pushBundle(bundle(2, successor)); err != nil {
		t.Errorf("for who slept: %v", err)
	}
	_, err = o.pushBundle(bundle(5000, successor))
	o.refused(err, "serial")
	if keys := o.service.Keys(); len(keys) != 1 || keys[0] != old {
		t.Errorf("before the server has the successor: %v", keys)
	}
	o.keys = []string{old, successor}
	o.open()
	if keys := o.service.Keys(); len(keys) != 1 || keys[0] != successor {
		t.Errorf("boards are told to trust %v", keys)
	}
	o.keys = []string{fleet.FormatKey(ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey))}
	o.open()
	anna := o.glasses("anna")
	o.tells(anna, true, fleet.Report{State: "ready"})
	var b Bundles
	var d DeviceDetail
	if o.get("/api/fleet/bundles", &b); len(b.Bundles) != 2 {
		t.Errorf("%d bundles are left", len(b.Bundles))
	}
	if o.get("/api/fleet/devices/anna", &d); d.Wanted != 0 {
		t.Errorf("bundle %d is wanted", d.Wanted)
	}
}
