package showroom

import (
	"net/http"
	"strings"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/showroom/chromiumtest"
	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

// The pages and the server itself, without a stub: talk now, be accepted, see,
// speak and be heard, end, and come back.
func TestWholeCall(t *testing.T) {
	ctx := chromiumtest.Start(t, withMicrophone()...)
	url := startServer(t, Config{DataDir: t.TempDir()})
	glasses := glassesOf(t, url, "anna")
	a := startAgent(t)
	chromiumtest.Open(t, ctx, url+"/")
	chromiumtest.Click(t, ctx, "[data-action=talk]")
	chromiumtest.Arrive(t, ctx, "/c/now")
	chromiumtest.Click(t, ctx, "#join")
	stateIs(t, ctx, "ringing")
	id := strings.TrimPrefix(chromiumtest.Eval[string](t, ctx, `location.pathname`), "/c/")
	await(t, glasses, "call", id)

	a.publish(url + "/whip/anna") // which accepts
	stateIs(t, ctx, "live")
	await(t, glasses, "conversation", `"live"`)
	chromiumtest.Click(t, ctx, "#microphone")
	await(t, glasses, "customer", `"microphone":true`)
	ear := hearing(t, url+"/hear/"+id, "")
	rtctest.Next(t, "the customer's voice", ear.Audio)
	chromiumtest.Click(t, ctx, "#microphone")
	await(t, glasses, "customer", `"microphone":false`)

	device{t, url, id}.photo("mandelbrot", true)
	chromiumtest.WaitFor(t, ctx, `document.querySelector("#popup img")?.naturalWidth > 0`, patience)
	newPerson(t, url).ask(http.StatusNoContent, "POST", "/api/glasses/anna/end", `{"conversation":"`+id+`"}`)
	a.stop()
	stateIs(t, ctx, "ended")
	textIs(t, ctx, "#closing-title", "closing.thanks")
	chromiumtest.Click(t, ctx, "#thumb-up")
	await(t, glasses, "rating", `"up"`)
	chromiumtest.Click(t, ctx, "#send-open")
	chromiumtest.Type(t, ctx, "#send-email", "ada@example.org")
	chromiumtest.Click(t, ctx, "#send-form [type=submit]")
	textIs(t, ctx, "#sent-text", "send.done")
	chromiumtest.Click(t, ctx, "#sent-close")

	// Another call, which the customer ends.
	chromiumtest.Open(t, ctx, url+"/c/now")
	chromiumtest.Click(t, ctx, "#join")
	stateIs(t, ctx, "ringing")
	chromiumtest.Click(t, ctx, "#leave")
	chromiumtest.Click(t, ctx, "#end")
	await(t, glasses, "call_gone", `"customer"`)
	stateIs(t, ctx, "ended")
}

// A booking on the page, against the server itself.
func TestWholeBooking(t *testing.T) {
	ctx := chromiumtest.Start(t)
	dir := t.TempDir()
	url := startServer(t, Config{DataDir: dir})
	glassesOf(t, url, "anna")
	chromiumtest.Open(t, ctx, url+"/?lang=nl")
	chromiumtest.Click(t, ctx, "[data-action=book]")
	chromiumtest.Click(t, ctx, "label:has(input[name=time])")
	chromiumtest.Type(t, ctx, "#name", "Ada")
	chromiumtest.Type(t, ctx, "#email", "ada@example.org")
	chromiumtest.Click(t, ctx, "#details [type=submit]")
	textIs(t, ctx, "#booked-title", "home.booked")
	code := awaitLetter(t, dir, "ada@example.org", `([0-9A-Z]{4}-[0-9A-Z]{4})`)
	token := awaitLetter(t, dir, "ada@example.org", `/appointment\?lang=nl#(\S+)`)
	chromiumtest.Open(t, ctx, awaitLetter(t, dir, "ada@example.org", `(http\S+/j/\S+#[a-z2-7]{26})`))
	chromiumtest.WaitFor(t, ctx, `["early", "ready"].includes(document.getElementById("lobby").dataset.look)`, patience)
	chromiumtest.Open(t, ctx, url+"/appointment#"+token)
	chromiumtest.Click(t, ctx, "#show")
	chromiumtest.Click(t, ctx, "label:has(input[name=time]):last-child")
	chromiumtest.Click(t, ctx, "#move")
	textIs(t, ctx, "#said", "appointment.moved")
	chromiumtest.Click(t, ctx, "#cancel")
	chromiumtest.Click(t, ctx, "#yes")
	textIs(t, ctx, "#said", "appointment.cancelled")
	chromiumtest.Open(t, ctx, url+"/j/"+code)
	textIs(t, ctx, "#lobby-title", "lobby.cancelled")
}
