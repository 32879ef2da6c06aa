package showroom

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
)

// textIs waits until an element has a text of the catalogue.
func textIs(t *testing.T, ctx context.Context, selector, key string) {
	t.Helper()
	chromiumtest.WaitFor(t, ctx, fmt.Sprintf(`(() => {
		const element = document.querySelector(%q);
		return element?.dataset.t === %q && element.checkVisibility() && element.textContent.trim() !== "";
	})()`, selector, key), patience)
}

func inDark(t *testing.T, ctx context.Context, dark bool) {
	t.Helper()
	value := "light"
	if dark {
		value = "dark"
	}
	chromiumtest.Run(t, ctx, emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}))
}

func TestHomePage(t *testing.T) {
	t.Parallel()
	ctx := chromiumtest.Start(t, chromiumtest.ComputedNames())
	s := startStub(t)
	s.showrooms()
	chromiumtest.Open(t, ctx, s.url+"/?lang=de")
	chromiumtest.WaitFor(t, ctx, `document.querySelectorAll(".card").length === 2`, patience)
	if lang := chromiumtest.Eval[string](t, ctx, `document.documentElement.lang`); lang != "de" {
		t.Errorf("the page asked for in German is in %s", lang)
	}
	if href := chromiumtest.Eval[string](t, ctx, `document.querySelector("[data-action=talk]").getAttribute("href")`); href != "/c/now?showroom=utrecht&lang=de" {
		t.Errorf("talk now leads to %s", href)
	}
	kept := chromiumtest.Eval[bool](t, ctx, `(async () => {
		const book = document.querySelector("[data-id=berlin] [data-action=book]");
		book.focus();
		document.dispatchEvent(new Event("visibilitychange"));
		await new Promise((resolve) => new PerformanceObserver(resolve).observe({type: "resource"}));
		await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
		return document.activeElement === book;
	})()`)
	if !kept {
		t.Error("a look at who is free takes the focus away")
	}
	if !chromiumtest.Eval[bool](t, ctx, `document.querySelector("[data-id=berlin] [data-action=talk]").hidden`) {
		t.Error("one can talk to a showroom that is closed")
	}
	lookInAll(t, ctx, "home")
	inDark(t, ctx, true)
	look(t, ctx, "home-dark")
	inDark(t, ctx, false)
	t.Run("an appointment", func(t *testing.T) { testBooking(t, ctx, s) })
	t.Run("a code", func(t *testing.T) {
		chromiumtest.Type(t, ctx, "#code", "ABCD-2345")
		chromiumtest.Press(t, ctx, kb.Enter)
		chromiumtest.Arrive(t, ctx, "/j/ABCD-2345")
	})
	t.Run("nobody is reached", func(t *testing.T) {
		s.on("GET /api/showrooms", 500, `{}`)
		chromiumtest.Open(t, ctx, s.url+"/")
		textIs(t, ctx, "#trouble", "trouble.server")
	})
	t.Run("a server without data", func(t *testing.T) {
		chromiumtest.Open(t, ctx, startServer(t, Config{})+"/")
		textIs(t, ctx, "#trouble", "trouble.noData")
		lookInAll(t, ctx, "home-no-data")
	})
}

func testBooking(t *testing.T, ctx context.Context, s *stub) {
	chromiumtest.Click(t, ctx, "[data-id=utrecht] [data-action=book]")
	chromiumtest.WaitFor(t, ctx, `document.querySelectorAll("input[name=day]").length === 3 && document.querySelectorAll("input[name=time]").length === 6`, patience)
	if chromiumtest.Eval[bool](t, ctx, `document.querySelector("[name=marketing]").checked`) {
		t.Error("the consent is ticked before anybody was asked")
	}
	chromiumtest.Press(t, ctx, kb.Escape)
	chromiumtest.Click(t, ctx, "#details [type=submit]")
	textIs(t, ctx, "#name-problem", "field.name.missing")
	if at := chromiumtest.Eval[string](t, ctx, `document.activeElement.id`); at != "name" {
		t.Errorf("the focus is at %q", at)
	}
	lookInAll(t, ctx, "booking-problems")
	chromiumtest.Type(t, ctx, "#name", "Ada")
	chromiumtest.Type(t, ctx, "#email", "nonsense")
	chromiumtest.Click(t, ctx, "#details [type=submit]")
	textIs(t, ctx, "#email-problem", "field.email.wrong")
	chromiumtest.Type(t, ctx, "#email", "ada@example.org")
	chromiumtest.Click(t, ctx, "#details [type=submit]")
	textIs(t, ctx, "#details [data-part=problem]", "home.choose")

	// By the keyboard: the second time.
	chromiumtest.Run(t, ctx, chromedp.Focus("input[name=time]", chromedp.ByQuery))
	chromiumtest.Press(t, ctx, kb.ArrowRight)
	textIs(t, ctx, "#when", "home.chosen")
	s.problem("POST /api/appointments", 409, "taken", "")
	chromiumtest.Click(t, ctx, "#details [type=submit]")
	textIs(t, ctx, "#details [data-part=problem]", "home.taken")
	s.next(t, "POST /api/appointments")

	chromiumtest.Click(t, ctx, "label:has(input[name=time])")
	s.problem("POST /api/appointments", 422, "fields", `,"errors":[{"field":"phone","detail":"too short"}]`)
	chromiumtest.Click(t, ctx, "#details [type=submit]")
	textIs(t, ctx, "#phone-problem", "field.phone.wrong")
	s.next(t, "POST /api/appointments")

	s.on("POST /api/appointments", 201, `{"schema_version":1,"start":"`+someday+`T09:00:00Z","end":"`+someday+`T09:30:00Z","email":"ada@example.org"}`)
	chromiumtest.Click(t, ctx, "#details [type=submit]")
	s.expect(t, "POST /api/appointments", map[string]any{
		"showroom": "utrecht", "start": someday + "T09:00:00Z", "name": "Ada", "email": "ada@example.org", "phone": "", "marketing": false, "locale": "en",
	})
	textIs(t, ctx, "#booked-title", "home.booked")
	if text := chromiumtest.Eval[string](t, ctx, `document.getElementById("booked-when").textContent`); !strings.Contains(text, "10:00") {
		t.Errorf("booked at 9:00 UTC in Amsterdam: %q", text)
	}
	lookInAll(t, ctx, "booked")
}

func TestAppointmentPage(t *testing.T) {
	t.Parallel()
	ctx := chromiumtest.Start(t, chromiumtest.ComputedNames())
	s := startStub(t)
	s.showrooms()
	appointment := func(start, state string) string {
		return `{"schema_version":1,"showroom":"utrecht","title":"Utrecht","time_zone":"Europe/Amsterdam","start":"` + start + `","end":"` + start + `","state":"` + state + `","name":"Ada"}`
	}
	s.on("GET /api/appointment", 200, appointment(someday+"T09:00:00Z", "booked"))
	chromiumtest.Open(t, ctx, s.url+"/appointment#manage-token")
	chromiumtest.WaitFor(t, ctx, `!document.getElementById("actions").hidden`, patience)
	lookInAll(t, ctx, "appointment")

	chromiumtest.Click(t, ctx, "#show")
	chromiumtest.Click(t, ctx, "label:has(input[name=time])")
	look(t, ctx, "appointment-move")
	s.problem("PUT /api/appointment", 409, "taken", "")
	chromiumtest.Click(t, ctx, "#move")
	textIs(t, ctx, "#said", "appointment.conflict")
	s.on("PUT /api/appointment", 200, appointment("2031-03-05T09:00:00Z", "booked"))
	s.next(t, "PUT /api/appointment")
	chromiumtest.Click(t, ctx, "#show")
	chromiumtest.Click(t, ctx, "label:has(input[name=time])")
	chromiumtest.Click(t, ctx, "#move")
	if got := s.next(t, "PUT /api/appointment"); got.body != `{"start":"`+someday+`T09:00:00Z"}` || got.authorization != "Bearer manage-token" {
		t.Errorf("moved by %+v", got)
	}
	textIs(t, ctx, "#said", "appointment.moved")

	chromiumtest.Click(t, ctx, "#cancel")
	look(t, ctx, "appointment-cancel")
	chromiumtest.Click(t, ctx, "#yes")
	s.next(t, "DELETE /api/appointment")
	textIs(t, ctx, "#said", "appointment.cancelled")
	look(t, ctx, "appointment-cancelled")

	s.problem("GET /api/appointment", 401, "unknown", "")
	chromiumtest.Run(t, ctx, chromedp.Reload())
	textIs(t, ctx, "#said", "appointment.unknown")
}

func TestNewsPage(t *testing.T) {
	t.Parallel()
	ctx := chromiumtest.Start(t, chromiumtest.ComputedNames())
	s := startStub(t)
	chromiumtest.Open(t, ctx, s.url+"/news#consent-token")
	chromiumtest.WaitFor(t, ctx, `document.getElementById("confirm").textContent !== ""`, patience)
	lookInAll(t, ctx, "news")
	chromiumtest.Click(t, ctx, "#confirm")
	s.expect(t, "POST /api/consent/confirm", map[string]any{"token": "consent-token"})
	textIs(t, ctx, "#said", "news.confirm.done.text")
	look(t, ctx, "news-confirmed")
	chromiumtest.Click(t, ctx, "#withdraw")
	s.expect(t, "POST /api/consent/withdraw", map[string]any{"token": "consent-token"})
	textIs(t, ctx, "#said", "news.withdraw.done.text")
	for status, said := range map[int]string{404: "unsubscribe.unknown", 409: "news.withdrawn"} {
		s.problem("POST /api/consent/confirm", status, "any", "")
		chromiumtest.Run(t, ctx, chromedp.Reload())
		chromiumtest.Click(t, ctx, "#confirm")
		textIs(t, ctx, "#said", said)
	}
}

func TestUnsubscribePage(t *testing.T) {
	t.Parallel()
	ctx := chromiumtest.Start(t, chromiumtest.ComputedNames())
	s := startStub(t)
	chromiumtest.Open(t, ctx, s.url+"/unsubscribe#consent-token")
	chromiumtest.WaitFor(t, ctx, `document.getElementById("withdraw").textContent !== ""`, patience)
	lookInAll(t, ctx, "unsubscribe")
	chromiumtest.Click(t, ctx, "#withdraw")
	s.expect(t, "POST /api/consent/withdraw", map[string]any{"token": "consent-token"})
	textIs(t, ctx, "#said", "unsubscribe.done.text")
	look(t, ctx, "unsubscribed")
	s.problem("POST /api/consent/withdraw", 404, "unknown", "")
	chromiumtest.Run(t, ctx, chromedp.Reload())
	chromiumtest.Click(t, ctx, "#withdraw")
	textIs(t, ctx, "#said", "unsubscribe.unknown")

	chromiumtest.Open(t, ctx, s.url+"/privacy")
	chromiumtest.WaitFor(t, ctx, `document.querySelector("h1").textContent !== ""`, patience)
	lookInAll(t, ctx, "privacy")
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	ctx := chromiumtest.Start(t)
	s := startStub(t)
	chromiumtest.Open(t, ctx, s.url+"/privacy")
	got := chromiumtest.Eval[string](t, ctx, `import("/assets/words.js").then(({choose}) => [
		choose("nl", ["de"]), choose("DE-at", ["nl"]), choose(null, ["fr", "nl-BE", "de"]), choose("fr", ["fr"]), choose("constructor", []), choose("", ["en-US"]),
	].join(" "))`)
	if want := "nl de nl en en en"; got != want {
		t.Errorf("the languages are %s, want %s", got, want)
	}
	speakIn(t, ctx, "nl")
	if got := chromiumtest.Eval[string](t, ctx, `location.search + document.querySelector("header a").getAttribute("href")`); got != "?lang=nl/?lang=nl" {
		t.Errorf("the address and the link home have %s", got)
	}
}
