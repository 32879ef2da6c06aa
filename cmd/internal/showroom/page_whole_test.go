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
	open(t, ctx, url+"/")
	click(t, ctx, "[data-action=talk]")
	arrive(t, ctx, "/c/now")
	click(t, ctx, "#join")
	stateIs(t, ctx, "ringing")
	id := strings.TrimPrefix(chromiumtest.Eval[string](t, ctx, `location.pathname`), "/c/")
	await(t, glasses, "call", id)

	a.publish(url + "/whip/anna") // which accepts
	stateIs(t, ctx, "live")
	await(t, glasses, "conversation", `"live"`)
	click(t, ctx, "#microphone")
	await(t, glasses, "customer", `"microphone":true`)
	ear := hearing(t, url+"/hear/"+id, "")
	rtctest.Next(t, "the customer's voice", ear.Audio)
	click(t, ctx, "#microphone")
	await(t, glasses, "customer", `"microphone":false`)

	device{t, url, id}.photo("mandelbrot", true)
	chromiumtest.WaitFor(t, ctx, `document.querySelector("#popup img")?.naturalWidth > 0`, patience)
	newPerson(t, url).ask(http.StatusNoContent, "POST", "/api/glasses/anna/end", `{"conversation":"`+id+`"}`)
	a.stop()
	stateIs(t, ctx, "ended")
	textIs(t, ctx, "#closing-title", "closing.thanks")
	click(t, ctx, "#thumb-up")
	await(t, glasses, "rating", `"up"`)
	click(t, ctx, "#send-open")
	typeInto(t, ctx, "#send-email", "ada@example.org")
	click(t, ctx, "#send-form [type=submit]")
	textIs(t, ctx, "#sent-text", "send.done")
	click(t, ctx, "#sent-close")

	// Another call, which the customer ends.
	open(t, ctx, url+"/c/now")
	click(t, ctx, "#join")
	stateIs(t, ctx, "ringing")
	click(t, ctx, "#leave")
	click(t, ctx, "#end")
	await(t, glasses, "call_gone", `"customer"`)
	stateIs(t, ctx, "ended")
}

// A booking on the page, against the server itself.
func TestWholeBooking(t *testing.T) {
	ctx := chromiumtest.Start(t)
	dir := t.TempDir()
	url := startServer(t, Config{DataDir: dir})
	glassesOf(t, url, "anna")
	open(t, ctx, url+"/?lang=nl")
	click(t, ctx, "[data-action=book]")
	click(t, ctx, "label:has(input[name=time])")
	typeInto(t, ctx, "#name", "Ada")
	typeInto(t, ctx, "#email", "ada@example.org")
	click(t, ctx, "#details [type=submit]")
	textIs(t, ctx, "#booked-title", "home.booked")
	code := awaitLetter(t, dir, "ada@example.org", `([0-9A-Z]{4}-[0-9A-Z]{4})`)
	token := awaitLetter(t, dir, "ada@example.org", `/appointment\?lang=nl#(\S+)`)
	open(t, ctx, awaitLetter(t, dir, "ada@example.org", `(http\S+/j/\S+#[a-z2-7]{26})`))
	chromiumtest.WaitFor(t, ctx, `["early", "ready"].includes(document.getElementById("lobby").dataset.look)`, patience)
	open(t, ctx, url+"/appointment#"+token)
	click(t, ctx, "#show")
	click(t, ctx, "label:has(input[name=time]):last-child")
	click(t, ctx, "#move")
	textIs(t, ctx, "#said", "appointment.moved")
	click(t, ctx, "#cancel")
	click(t, ctx, "#yes")
	textIs(t, ctx, "#said", "appointment.cancelled")
	open(t, ctx, url+"/j/"+code)
	textIs(t, ctx, "#lobby-title", "lobby.cancelled")
}
