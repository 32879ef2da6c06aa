package staff

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
)

const patience = chromiumtest.Patience

// open goes to the staff's page, and returns once it knows who is there.
func open(t *testing.T, ctx context.Context, url string) {
	t.Helper()
	chromiumtest.Open(t, ctx, url)
	chromiumtest.WaitFor(t, ctx, `window.brilStaff?.state !== "opening"`, patience)
}

// text is what a section shows.
func text(t *testing.T, ctx context.Context, id string) string {
	t.Helper()
	return chromiumtest.Eval[string](t, ctx, fmt.Sprintf(`document.getElementById(%q).innerText`, id))
}

func waitForText(t *testing.T, ctx context.Context, id, want string) {
	t.Helper()
	chromiumtest.WaitFor(t, ctx, fmt.Sprintf(`document.getElementById(%q).innerText.includes(%q)`, id, want), patience)
}

// enter logs in by the keyboard alone, from where the page puts the focus.
func enter(t *testing.T, ctx context.Context, name, password string) {
	t.Helper()
	chromiumtest.Run(t, ctx,
		chromedp.Evaluate(`document.getElementById("name").value = ""; document.getElementById("name").focus()`, nil),
		chromedp.KeyEvent(name), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(password), chromedp.KeyEvent(kb.Enter))
}

// choose picks an option of a select, as its user does.
func choose(t *testing.T, ctx context.Context, id, value string) {
	t.Helper()
	chromiumtest.Eval[bool](t, ctx, fmt.Sprintf(`(() => { const s = document.getElementById(%q); s.value = %q; return s.dispatchEvent(new Event("change")); })()`, id, value))
}

func enterDesk(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	enter(t, ctx, name, password)
	chromiumtest.WaitFor(t, ctx, `brilStaff.state === "desk" && brilStaff.rounds > 0`, patience)
}

// busy gives the office something of everything.
func (o *office) busy() {
	o.t.Helper()
	now := o.clock.Now()
	ada := o.book("antwerp", "anna", "Ada Lovelace", now.Add(-90*time.Minute))
	grace := o.book("antwerp", "ben", "Grace Brewster Murray-Hopper van den Broeck", now.Add(-10*time.Minute))
	missed := o.book("antwerp", "anna", "Charles Babbage", now.Add(-60*time.Minute))
	o.book("antwerp", "anna", "<b>Bobby</b> Tables", now.Add(3*time.Hour))
	bounced := o.book("antwerp", "anna", "Alan Turing", now.Add(4*time.Hour))
	o.book("suva", "sala", "Sitiveni Rabuka", now.Add(time.Hour))
	check(o.t, o.db.SetAppointmentState(o.t.Context(), ada.ID, "done"))
	check(o.t, o.db.SetAppointmentState(o.t.Context(), missed.ID, "missed"))
	first, second := o.talk(ada), o.talk(grace)
	o.sent(first, "sent", "i", "j", "k")
	o.sent(first, "failed", "i")
	o.sent(second, "waits", "i", "j")
	o.sent(second, "outbox", "i")
	o.desk.set([]Conversation{
		{ID: second.ID, Showroom: "antwerp", Glasses: "ben", Kind: "booked", State: "live", Since: now.Add(-8 * time.Minute), Viewers: 1, Network: "poor", Name: "Grace Brewster Murray-Hopper van den Broeck"},
		{ID: "x", Showroom: "antwerp", Glasses: "anna", Kind: "now", State: "ringing", Since: now.Add(-time.Second)},
		{ID: "y", Showroom: "suva", Glasses: "sala", Kind: "now", State: "live", Since: now.Add(-time.Hour), Viewers: 2, Network: "good"},
	},
		mail.Entry{ID: "sent", State: mail.Sent},
		mail.Entry{ID: "failed", State: mail.Failed, Problem: "550 5.1.1 mailbox unavailable: the user is unknown here"},
		mail.Entry{ID: "waits", State: mail.Queued, Attempts: 3, Problem: "connection refused", NextTry: now.Add(10 * time.Minute)},
		mail.Entry{ID: "outbox", State: mail.Outbox},
		mail.Entry{ID: "c", Appointment: bounced.ID, State: mail.Failed, Problem: "550 5.1.2 no such domain"})
	o.rate("antwerp", 9, 2)
}

func TestPage(t *testing.T) {
	ctx := chromiumtest.Start(t)
	o := newOffice(t, nil)
	o.add("anna", RoleAdvisor, "antwerp")
	o.add("mia", RoleManager, "")
	open(t, ctx, o.url+"/staff?lang=en")
	chromiumtest.Shoot(t, ctx, "staff-door")

	t.Run("wrong", func(t *testing.T) {
		enter(t, ctx, "anna", "not the password")
		waitForText(t, ctx, "wrong", "do not belong together")
		chromiumtest.Shoot(t, ctx, "staff-wrong")
		if got := chromiumtest.Eval[string](t, ctx, `document.activeElement.id`); got != "password" {
			t.Errorf("the focus is on %q", got)
		}
	})
	t.Run("empty", func(t *testing.T) {
		enterDesk(t, ctx, "anna")
		waitForText(t, ctx, "live", "no conversation at the moment")
		waitForText(t, ctx, "today", "no appointments today")
		waitForText(t, ctx, "sent", "Nothing was sent")
		if !chromiumtest.Eval[bool](t, ctx, `document.getElementById("ratings").hidden`) {
			t.Error("an advisor sees ratings")
		}
		chromiumtest.Shoot(t, ctx, "staff-empty")
	})
	t.Run("logged out", func(t *testing.T) {
		chromiumtest.Click(t, ctx, "#logout")
		waitForText(t, ctx, "door", "You are logged out.")
		chromiumtest.Shoot(t, ctx, "staff-logged-out")
	})
	t.Run("full", func(t *testing.T) {
		o.busy()
		enterDesk(t, ctx, "mia")
		waitForText(t, ctx, "live", "3")
		for id, wants := range map[string][]string{
			"live":     {"Grace Brewster", "Showroom Antwerpen · glasses ben · since 10:22 · 1 viewer", "network poor", "Ringing"},
			"today":    {"Tuesday 1 December", "09:00 – 09:30", "<b>Bobby</b> Tables", "Did not come", "E-mail to the customer did not arrive: 550 5.1.2"},
			"sent":     {"1 not delivered", "3 items", "to a…@customers.example · 1 Dec, 10:30", "550 5.1.1 mailbox unavailable", "attempt 3 failed", "No mail server is set up"},
			"ratings":  {"Too few to show: fewer than 10 conversations"},
			"sessions": {"Chrome, Linux", "This browser"},
		} {
			got := text(t, ctx, id)
			for _, want := range wants {
				if !strings.Contains(got, want) {
					t.Errorf("%s: no %q in %q", id, want, got)
				}
			}
		}
		waitForText(t, ctx, "ratings", " of 10 thumbs up")
		chromiumtest.Shoot(t, ctx, "staff-full")
	})
	t.Run("one showroom", func(t *testing.T) {
		choose(t, ctx, "showroom", "suva")
		chromiumtest.WaitFor(t, ctx, `document.querySelectorAll("#live li").length === 1`, patience)
		if got := text(t, ctx, "today"); !strings.Contains(got, "22:30 – 23:00") {
			t.Errorf("the time on Fiji: %q", got)
		}
	})
	t.Run("languages", func(t *testing.T) { testLanguages(t, ctx) })
	t.Run("the server goes and returns", func(t *testing.T) {
		o.setDown(true)
		waitForText(t, ctx, "offline", "No connection to the showroom.")
		if rows := chromiumtest.Eval[int](t, ctx, `document.querySelectorAll("#live li").length`); rows != 1 {
			t.Errorf("%d rows are left", rows)
		}
		chromiumtest.Shoot(t, ctx, "staff-error")
		o.setDown(false)
		chromiumtest.WaitFor(t, ctx, `document.getElementById("offline").hidden`, patience)
	})
	t.Run("revoked while open", func(t *testing.T) {
		check(t, o.admin.RevokeAll(t.Context(), "mia"))
		waitForText(t, ctx, "door", "somebody revoked it")
		if got := text(t, ctx, "main"); strings.Contains(got, "Rabuka") || strings.Contains(chromiumtest.Eval[string](t, ctx, `document.getElementById("desk").innerHTML`), "Rabuka") {
			t.Errorf("the page still holds %q", got)
		}
		chromiumtest.Shoot(t, ctx, "staff-revoked")
	})
}

func testLanguages(t *testing.T, ctx context.Context) {
	for _, c := range [][3]string{{"nl", "Afspraken vandaag", "Direct gesprek"}, {"de", "Termine heute", "Direktes Gespräch"}, {"en", "Appointments today", "Talk now"}} {
		choose(t, ctx, "language", c[0])
		waitForText(t, ctx, "today", c[1])
		waitForText(t, ctx, "live", c[2])
		if got := chromiumtest.Eval[string](t, ctx, `document.documentElement.lang + location.search`); got != c[0]+"?lang="+c[0] {
			t.Errorf("%s: %s", c[0], got)
		}
		chromiumtest.Shoot(t, ctx, "staff-full-"+c[0])
	}
	if stored := chromiumtest.Eval[int](t, ctx, `localStorage.length + sessionStorage.length + document.cookie.length`); stored != 0 {
		t.Error("the page keeps something in the browser")
	}
}

// Sessions are ended on the page.
func TestPageRevokes(t *testing.T) {
	ctx := chromiumtest.Start(t)
	o := newOffice(t, nil)
	o.add("anna", RoleAdvisor, "antwerp")
	other := o.loggedIn("anna")
	open(t, ctx, o.url+"/staff?lang=en")
	enterDesk(t, ctx, "anna")
	chromiumtest.WaitFor(t, ctx, `document.querySelectorAll("#sessions li").length === 2`, patience)
	label := chromiumtest.Eval[string](t, ctx, `[...document.querySelectorAll("#sessions li button")].map((b) => b.getAttribute("aria-label")).join()`)
	if label != "End session: Chrome, Linux,End session: Unknown program" && label != "End session: Unknown program,End session: Chrome, Linux" {
		t.Errorf("the buttons are called %q", label)
	}
	chromiumtest.Shoot(t, ctx, "staff-sessions")
	chromiumtest.Click(t, ctx, `#sessions li button[aria-label$="Unknown program"]`)
	chromiumtest.WaitFor(t, ctx, `document.querySelectorAll("#sessions li").length === 1 && document.getElementById("said").textContent === "The session is ended."`, patience)
	other.must(401, "GET", "/api/staff/me", "")
	chromiumtest.Click(t, ctx, "#revoke-all")
	waitForText(t, ctx, "door", "You are logged out.")
	open(t, ctx, o.url+"/staff?lang=en")
	if got := chromiumtest.Eval[string](t, ctx, `brilStaff.state`); got != "door" {
		t.Errorf("the page is at %s", got)
	}
}

// A page that nobody touches does not keep its session alive.
func TestPageIdles(t *testing.T) {
	ctx := chromiumtest.Start(t)
	o := newOffice(t, nil)
	o.add("anna", RoleAdvisor, "antwerp")
	chromiumtest.Run(t, ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		// The next look is at once, and the clock can be moved.
		_, err := page.AddScriptToEvaluateOnNewDocument(`window.ahead = 0; const now = Date.now; Date.now = () => now() + ahead;
			const set = setTimeout; window.setTimeout = (what, after) => set(what, after === 4000 ? 50 : after);`).Do(ctx)
		return err
	}))
	open(t, ctx, o.url+"/staff?lang=en")
	enterDesk(t, ctx, "anna")
	chromiumtest.Eval[int](t, ctx, `window.ahead = 120e3`)
	for range 3 {
		o.clock.advance(50 * time.Minute)
		rounds := chromiumtest.Eval[int](t, ctx, `brilStaff.rounds`)
		chromiumtest.WaitFor(t, ctx, fmt.Sprintf(`brilStaff.rounds > %d || brilStaff.state === "door"`, rounds+1), patience)
	}
	chromiumtest.WaitFor(t, ctx, `brilStaff.state === "door"`, patience)
}

// What a screen reader needs, and colours that can be told apart.
func TestPageIsAccessible(t *testing.T) {
	ctx := chromiumtest.Start(t)
	o := newOffice(t, nil)
	o.add("mia", RoleManager, "")
	o.busy()
	foreign := make(chan string, 100)
	chromedp.ListenTarget(ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok && !strings.HasPrefix(e.Request.URL, o.url) {
			select {
			case foreign <- e.Request.URL:
			default:
			}
		}
	})
	chromiumtest.Run(t, ctx, network.Enable(), emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}))
	open(t, ctx, o.url+"/staff?lang=en")
	inspect(t, ctx)
	enterDesk(t, ctx, "mia")
	waitForText(t, ctx, "live", "Grace")
	inspect(t, ctx)
	if got := chromiumtest.Eval[string](t, ctx, `document.activeElement.id`); got != "desk-title" {
		t.Errorf("after the login the focus is on %q", got)
	}
	close(foreign)
	for url := range foreign {
		t.Errorf("the page asked %s", url)
	}
}

// inspect finds controls without a name, targets that are too small, and text of
// too little contrast (WCAG 2.2, 1.4.3 and 2.5.8).
func inspect(t *testing.T, ctx context.Context) {
	t.Helper()
	found := chromiumtest.Eval[[]string](t, ctx, `(() => {
		const seen = (e) => e.checkVisibility() && e.getClientRects().length > 0;
		const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
		const colour = (text) => text.match(/[\d.]+/g).map(Number);
		const ground = (e) => { for (; e; e = e.parentElement) { const c = colour(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [0, 0, 0]; };
		const problems = [];
		for (const e of document.querySelectorAll("button, input, select, a")) {
			if (!seen(e)) continue;
			const name = e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent;
			if (!name.trim()) problems.push("no name: " + e.outerHTML);
			const box = e.getBoundingClientRect();
			if (box.height < 24 || box.width < 24) problems.push("small: " + e.outerHTML);
		}
		for (const e of document.querySelectorAll("main *, header *")) {
			if (!seen(e) || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
			const [a, b] = [light(colour(getComputedStyle(e).color).slice(0, 3)), light(ground(e))].sort((x, y) => y - x);
			if ((a + .05) / (b + .05) < 4.5) problems.push("contrast " + ((a + .05) / (b + .05)).toFixed(1) + ": " + e.textContent);
		}
		if (document.querySelectorAll("main").length !== 1 || ![...document.querySelectorAll("h1")].some(seen)) problems.push("no main or no h1");
		return problems;
	})()`)
	for _, problem := range found {
		t.Error(problem)
	}
}

// The catalogue says everything in every language, and nothing that nobody reads.
func TestWords(t *testing.T) {
	ctx := chromiumtest.Start(t)
	o := newOffice(t, nil)
	open(t, ctx, o.url+"/staff")
	chromiumtest.Words(t, ctx, "/assets/staff-words.js", "WORDS", 50)
	chromiumtest.Words(t, ctx, "/assets/language.js", "DOOR", 10)
}
