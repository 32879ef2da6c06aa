package fleet

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/cmd/internal/showroom/staff"
	"github.com/bril-edge/bril/configs/fleet"
)

const patience = chromiumtest.Patience

// account makes a login.
func (o *office) account(name, role string) {
	o.Helper()
	hash, err := staff.Hash(password, staff.Params{Memory: 64, Passes: 1})
	if err == nil {
		err = staff.NewAdmin(o.db).Add(o.Context(), staff.Account{Name: name, Role: role, Hash: hash})
	}
	if err != nil {
		o.Fatal(err)
	}
}

// day is a fleet in which something of everything goes on: n glasses more than five.
func (o *office) day(n int) {
	o.Helper()
	anna, ben, cleo, dirk := o.glasses("anna"), o.glasses("ben"), o.glasses("cleo"), o.glasses("dirk")
	o.glasses("never-seen")
	for i := range n {
		o.glasses(fmt.Sprintf("pair-%04d", i))
	}
	first, err := o.push("video: {max_bitrate: 1M}\n", 100)
	if err != nil {
		o.Fatal(err)
	}
	runs := fleet.Running{Serial: 1, Content: first.Content, Since: time.Now()}
	battery := 81
	o.tells(anna, true, fleet.Report{Running: runs, State: "live", Version: "1.2.3", Battery: &battery})
	o.tells(ben, true, fleet.Report{Running: runs, State: "ready", Version: "1.2.3"})
	o.tells(cleo, true, fleet.Report{Running: runs, State: "ready", Version: "1.2.2", Problems: []string{"camera: open camera /dev/video0: device in use by another process"}})
	o.tells(dirk, false, fleet.Report{Running: runs, State: "ready", Version: "1.2.3"})
	second, err := o.push("uplink: {whip_url: 'https://showroom.example/nothing/here'}\n", 25, 100)
	if err != nil {
		o.Fatal(err)
	}
	o.service.mu.Lock()
	o.service.bundles[1].plan.Wave, o.service.bundles[1].plan.MaxFailures = 1, "100%"
	o.service.mu.Unlock()
	o.tells(ben, true, fleet.Report{Running: runs, State: "ready", Version: "1.2.3", Attempted: &fleet.Attempt{
		Serial: 2, Content: second.Content, Phase: fleet.Returned, During: fleet.Probation, Element: "whip",
		Error: "publish to https://showroom.example/nothing/here: 404 Not Found", Hint: "is the address right?",
		Log: []string{"time=2026-12-01T09:00:00Z level=INFO msg=ready", "time=2026-12-01T09:00:01Z level=ERROR msg=\"it does not work\""}, At: time.Now()}})
	o.tells(anna, true, fleet.Report{Running: runs, State: "live", Version: "1.2.3", Battery: &battery, Attempted: &fleet.Attempt{
		Serial: 2, Content: second.Content, Phase: fleet.Staged, Waits: "live", At: time.Now()}})
}

func enter(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	chromiumtest.WaitFor(t, ctx, `window.brilFleet?.state === "door"`, patience)
	chromiumtest.Eval[string](t, ctx, `document.getElementById("name").value = ""`)
	chromiumtest.Type(t, ctx, "#name", name)
	chromiumtest.Type(t, ctx, "#password", password)
	chromiumtest.Click(t, ctx, "#enter")
}

func waitText(t *testing.T, ctx context.Context, id, want string) {
	t.Helper()
	chromiumtest.WaitFor(t, ctx, fmt.Sprintf(`document.getElementById(%q).textContent.includes(%q)`, id, want), patience)
}

// TestPage takes a manager through a day: what runs where, why one failed, a rollout
// held and let go; an advisor is sent away.
func TestPage(t *testing.T) {
	ctx := chromiumtest.Start(t)
	o := newOffice(t)
	o.account("mia", staff.RoleManager)
	o.account("alex", staff.RoleAdvisor)
	chromiumtest.Open(t, ctx, o.url+"/fleet?lang=en")
	enter(t, ctx, "alex")
	waitText(t, ctx, "why", "This page is for managers.")
	enter(t, ctx, "mia")
	chromiumtest.WaitFor(t, ctx, `brilFleet.state === "desk" && brilFleet.rounds > 0`, patience)
	waitText(t, ctx, "empty", "No glasses are enrolled yet")
	chromiumtest.Shoot(t, ctx, "fleet-empty")

	o.day(300)
	waitText(t, ctx, "glance", "305all")
	waitText(t, ctx, "glance", "1failed")
	waitText(t, ctx, "rollout-text", "bundle 2 for bril, by Marie")
	if rows := chromiumtest.Eval[int](t, ctx, `document.querySelectorAll("#rows tr").length`); rows != 50 {
		t.Errorf("%d rows", rows)
	}
	chromiumtest.Shoot(t, ctx, "fleet-day")

	chromiumtest.Click(t, ctx, `#glance [data-filter=failed]`)
	waitText(t, ctx, "shown", "1 of 305")
	waitText(t, ctx, "rows", "returned in probation, whip: publish to")
	chromiumtest.Shoot(t, ctx, "fleet-failed")
	chromiumtest.Click(t, ctx, `#rows .link`)
	chromiumtest.WaitFor(t, ctx, `document.getElementById("detail").open`, patience)
	waitText(t, ctx, "detail-body", "404 Not Found")
	waitText(t, ctx, "detail-body", "it does not work")
	chromiumtest.Shoot(t, ctx, "fleet-detail")
	chromiumtest.Click(t, ctx, "#close")
	chromiumtest.Click(t, ctx, `#glance [data-filter=failed]`)
	chromiumtest.Type(t, ctx, "#search", "waits: live")
	waitText(t, ctx, "shown", "1 of 305")
	waitText(t, ctx, "rows", "anna")

	chromiumtest.Click(t, ctx, "#turn")
	chromiumtest.Click(t, ctx, "#yes")
	waitText(t, ctx, "ask-wrong", "Say why")
	chromiumtest.Type(t, ctx, "#reason", "until the weekend")
	chromiumtest.Shoot(t, ctx, "fleet-ask")
	chromiumtest.Click(t, ctx, "#yes")
	waitText(t, ctx, "rollout-state", "paused")
	waitText(t, ctx, "entries", "until the weekend")
	var r Rollout
	if o.get("/api/fleet/rollouts/2", &r); r.State != StatePaused || r.Why != "until the weekend" {
		t.Errorf("%+v", r)
	}
	chromiumtest.Shoot(t, ctx, "fleet-paused")
	chromiumtest.Accessible(t, ctx, "the fleet")

	o.down.Store(true)
	chromiumtest.WaitFor(t, ctx, `!document.getElementById("offline").hidden`, patience)
	o.down.Store(false)
	chromiumtest.WaitFor(t, ctx, `document.getElementById("offline").hidden`, patience)
	chromiumtest.Click(t, ctx, "#logout")
	waitText(t, ctx, "why", "You are logged out.")
	chromiumtest.Shoot(t, ctx, "fleet-door")
}

// TestManyGlasses: of 5,000 the page loads what it shows, and finds the others.
func TestManyGlasses(t *testing.T) {
	const many = 5000
	ctx := chromiumtest.Start(t)
	o := newOffice(t)
	o.account("mia", staff.RoleManager)
	o.day(0)
	for i := range many - 5 {
		o.service.Enrolled(records.Device{ID: records.NewID(), Name: fmt.Sprintf("pair-%04d", i)})
	}
	chromiumtest.Open(t, ctx, o.url+"/fleet?lang=en")
	enter(t, ctx, "mia")
	waitText(t, ctx, "glance", "5000all")
	waitText(t, ctx, "shown", "5000 of 5000")
	rows := func() int { return chromiumtest.Eval[int](t, ctx, `document.querySelectorAll("#rows tr").length`) }
	if n := rows(); n != 50 {
		t.Errorf("%d rows", n)
	}
	chromiumtest.Shoot(t, ctx, "fleet-many")
	chromiumtest.Click(t, ctx, "#more")
	chromiumtest.WaitFor(t, ctx, `document.querySelectorAll("#rows tr").length === 100`, patience)
	chromiumtest.Type(t, ctx, "#search", "PAIR-4711")
	waitText(t, ctx, "shown", "1 of 5000")
	waitText(t, ctx, "rows", "pair-4711")
	chromiumtest.Eval[string](t, ctx, `document.getElementById("search").value = ""`)
	chromiumtest.Click(t, ctx, `#glance [data-filter=failed]`)
	waitText(t, ctx, "shown", "1 of 5000")
	// All that a round loads, in bytes: a fleet that grows makes it no longer.
	const loads = `Promise.all(["", "/devices?limit=50", "/audit?last=20"].map((path) => fetch("/api/fleet" + path).then((r) => r.text())))
		.then((texts) => texts.join("").length)`
	if n := chromiumtest.Eval[int](t, ctx, loads); n > 64<<10 {
		t.Errorf("a round loads %d bytes", n)
	} else {
		t.Logf("a round loads %d bytes", n)
	}
}

// The catalogue says everything in every language.
func TestWords(t *testing.T) {
	ctx := chromiumtest.Start(t)
	o := newOffice(t)
	chromiumtest.Open(t, ctx, o.url+"/fleet")
	chromiumtest.Words(t, ctx, "/assets/fleet-words.js", "WORDS", 50)
}
