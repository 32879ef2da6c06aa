package showroom

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

// From the booking to the mail: the code comes by mail only, opens the door in its
// window, rings; the advisor's press of live accepts; both sides see it end.
func TestBookedConversation(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	url := startServer(t, Config{DataDir: dir, Clock: clock.now})
	jan := newPerson(t, url)
	b := jan.book(dir, "jan@example.com", false)

	clock.set(b.start.Add(-time.Hour))
	early := jan.ask(425, "POST", "/api/join", `{"code":"`+b.code+`"}`)
	if early.text("type") != "urn:bril:problem:early" || early.text("opens_at") != b.start.Add(-10*time.Minute).Format(time.RFC3339) {
		t.Errorf("an hour before: %v", early)
	}
	clock.set(b.start.Add(-time.Minute))
	cid := jan.join(strings.ToLower(b.code))
	events := glassesOf(t, url, "anna")
	page, _ := jan.listen("/api/sessions/" + cid + "/events")
	await(t, page, "call", `"booked"`)
	if c := jan.ask(200, "POST", "/api/conversations/"+cid+"/ring", ""); c.text("state") != "ringing" || c.text("kind") != "booked" {
		t.Errorf("rung: %v", c)
	}
	if call := await(t, events, "call", cid).object(t); call.text("kind") != "booked" || call.text("name") != "Jan Peeters" || call.text("rings_until") == "" {
		t.Errorf("it rings: %v", call)
	}
	await(t, page, "call", `"ringing"`)

	p, room := publish(t, url, "anna", "")
	if room != cid {
		t.Fatalf("published in %q, the conversation is %s", room, cid)
	}
	await(t, page, "call", `"connecting"`)
	stop := flow(t, p)
	await(t, page, "call", `"live"`)
	await(t, events, "conversation", `"live"`)
	testStatus(t, jan, cid, events)

	sendPhotoOf(t, url, cid)
	testAdvisorEnds(t, jan, url, cid, page, events)
	stop()
	testAfter(t, jan, dir, cid, b, events)
}

// testStatus: the advisor learns how the customer's network is.
func testStatus(t *testing.T, jan *person, cid string, events <-chan event) {
	t.Helper()
	jan.ask(204, "POST", "/api/conversations/"+cid+"/status", `{"network":"poor","microphone":true}`)
	if c := await(t, events, "customer", `"poor"`).object(t); c["microphone"] != true || c.text("presence") != "joined" {
		t.Errorf("told the glasses: %v", c)
	}
	jan.ask(422, "POST", "/api/conversations/"+cid+"/status", `{"network":"fine"}`)
}

// testAdvisorEnds: the glasses end it, and nothing of theirs or the customer's is left.
func testAdvisorEnds(t *testing.T, jan *person, url, cid string, page, events <-chan event) {
	t.Helper()
	glasses := newPerson(t, url)
	glasses.ask(204, "POST", "/api/glasses/anna/end", `{"conversation":"`+cid+`"}`)
	await(t, page, "call", `"reason":"advisor"`)
	await(t, events, "conversation", `"ended"`)
	if state := glasses.ask(200, "GET", "/api/sessions/"+cid, "").text("state"); state != "ended" {
		t.Errorf("the agent is told that it is %q", state)
	}
	if c := jan.ask(200, "GET", "/api/conversations/"+cid, ""); c.text("state") != "ended" || c.text("reason") != "advisor" {
		t.Errorf("after the end: %v", c)
	}
	if _, room := publish(t, url, "anna", ""); room != "anna" {
		t.Errorf("published in %s after the end", room)
	}
}

// testAfter: a thumb, once; the mail with the photo, whose link opens it elsewhere.
func testAfter(t *testing.T, jan *person, dir, cid string, b booking, events <-chan event) {
	t.Helper()
	jan.ask(204, "POST", "/api/conversations/"+cid+"/rating", `{"thumb":"up"}`)
	await(t, events, "rating", `"up"`)
	if again := jan.ask(409, "POST", "/api/conversations/"+cid+"/rating", `{"thumb":"down"}`); again.text("type") != "urn:bril:problem:rated" {
		t.Errorf("rated again: %v", again)
	}
	if used := jan.ask(410, "POST", "/api/join", `{"code":"`+b.code+`"}`); used.text("type") != "urn:bril:problem:used" {
		t.Errorf("the code again: %v", used)
	}
	jan.ask(202, "POST", "/api/conversations/"+cid+"/send", `{"email":"jan@example.com","name":"Jan","locale":"de","items":["`+itemID+`"]}`)
	if c := jan.ask(200, "GET", "/api/conversations/"+cid, ""); c["sent"] != true || c["rated"] != true {
		t.Errorf("after all: %v", c)
	}
	key := awaitLetter(t, dir, "jan@example.com", `/c/`+cid+`\?lang=[a-z]+#([A-Za-z0-9_-]{32})`)
	elsewhere := newPerson(t, jan.url)
	elsewhere.ask(401, "GET", "/api/sessions/"+cid+"/media", "")
	elsewhere.ask(204, "POST", "/api/sessions/"+cid+"/access", `{"key":"`+key+`"}`)
	var list mediaAnswer
	data, err := json.Marshal(elsewhere.ask(200, "GET", "/api/sessions/"+cid+"/media", ""))
	check(t, err)
	check(t, json.Unmarshal(data, &list))
	if len(list.Items) != 1 {
		t.Fatalf("%d items", len(list.Items))
	}
	elsewhere.ask(200, "GET", list.Items[0].URL, "")
}

// sendPhotoOf uploads a photo of a conversation, as its glasses do.
func sendPhotoOf(t *testing.T, url, cid string) {
	t.Helper()
	u := newUploadOf(t, url, cid, itemID, false, tinyJPEG(t))
	u.create(t)
	var list []string
	for key, value := range u.patchHeader() {
		list = append(list, key, value[0])
	}
	if answer, text := request(t, http.MethodPatch, u.url, string(u.cipher), list...); answer.StatusCode != http.StatusNoContent {
		t.Fatalf("PATCH: %s %q", answer.Status, text)
	}
	awaitReceipt(t, url)
}

// Talk now rings at once; the advisor answers by a button, and the customer ends it.
func TestTalkNow(t *testing.T) {
	url := startServer(t, Config{DataDir: t.TempDir()})
	mia := newPerson(t, url)
	if busy := mia.ask(409, "POST", "/api/calls", `{"showroom":"showroom","locale":"en"}`); busy.text("type") != "urn:bril:problem:busy" || busy.text("next_slot") == "" {
		t.Errorf("without glasses: %v", busy)
	}
	events := glassesOf(t, url, "anna")
	rooms := mia.ask(200, "GET", "/api/showrooms", "")["showrooms"].([]any)
	if room := rooms[0].(map[string]any); room["free"] != 1.0 || room["open"] != true {
		t.Errorf("with glasses: %v", room)
	}
	c := mia.ask(201, "POST", "/api/calls", `{"showroom":"showroom","locale":"en"}`)
	cid := c.text("conversation")
	if !isConversation(cid) || c.text("state") != "ringing" || c.text("kind") != "now" {
		t.Fatalf("called: %v", c)
	}
	page, _ := mia.listen("/api/sessions/" + cid + "/events")
	await(t, events, "call", cid)
	advisor := newPerson(t, url)
	advisor.ask(204, "POST", "/api/glasses/anna/answer", `{"conversation":"`+cid+`","answer":"accept"}`)
	await(t, page, "call", `"connecting"`)
	p, room := publish(t, url, "anna", "")
	if room != cid {
		t.Fatalf("published in %s", room)
	}
	flow(t, p)
	await(t, page, "call", `"live"`)
	v := rtctest.NewViewer(t, rtctest.Options{})
	status, text := v.Post(url+"/whep/"+cid, "", v.Offer())
	if status != http.StatusUnauthorized {
		t.Errorf("viewed without the key: %d %s", status, text)
	}
	mia.ask(204, "POST", "/api/conversations/"+cid+"/end", "")
	await(t, page, "call", `"reason":"customer"`)
	await(t, events, "conversation", `"ended"`)
	waitGone(t, p.Location)
}

// A call that nobody takes: declined, and there is no other pair.
func TestDeclined(t *testing.T) {
	url := startServer(t, Config{DataDir: t.TempDir()})
	events := glassesOf(t, url, "anna")
	mia := newPerson(t, url)
	cid := mia.ask(201, "POST", "/api/calls", `{"showroom":"showroom","locale":"en"}`).text("conversation")
	page, _ := mia.listen("/api/sessions/" + cid + "/events")
	await(t, events, "call", cid)
	advisor := newPerson(t, url)
	advisor.ask(204, "POST", "/api/glasses/anna/answer", `{"conversation":"`+cid+`","answer":"decline"}`)
	await(t, page, "call", `"ended"`)
	await(t, events, "call_gone", cid)
	if gone := advisor.ask(409, "POST", "/api/glasses/anna/answer", `{"conversation":"`+cid+`","answer":"accept"}`); gone.text("type") != "urn:bril:problem:gone" {
		t.Errorf("accepted after all: %v", gone)
	}
	if gone := advisor.ask(409, "POST", "/api/glasses/bert/end", `{"conversation":"`+cid+`"}`); gone.text("type") != "urn:bril:problem:gone" {
		t.Errorf("ended by others: %v", gone)
	}
}

// The link in the mail shows, moves and cancels the appointment.
func TestManagedAppointment(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	url := startServer(t, Config{DataDir: dir, Clock: clock.now})
	jan := newPerson(t, url)
	b := jan.book(dir, "jan@example.com", true)
	bearer := []string{"Authorization", "Bearer " + b.token}
	if a := jan.ask(200, "GET", "/api/appointment", "", bearer...); a.text("state") != "booked" || a.text("name") != "Jan Peeters" {
		t.Errorf("seen: %v", a)
	}
	later := b.start.Add(4 * time.Hour).Format(time.RFC3339)
	if a := jan.ask(200, "PUT", "/api/appointment", `{"start":"`+later+`"}`, bearer...); a.text("start") != later {
		t.Errorf("moved: %v", a)
	}
	if wrong := jan.ask(422, "PUT", "/api/appointment", `{"start":"2026-12-01T12:34:00Z"}`, bearer...); len(wrong["errors"].([]any)) != 1 {
		t.Errorf("moved between slots: %v", wrong)
	}
	jan.ask(204, "DELETE", "/api/appointment", "", bearer...)
	if code := jan.ask(410, "POST", "/api/join", `{"code":"`+b.code+`"}`); code.text("type") != "urn:bril:problem:cancelled" {
		t.Errorf("the code of what was cancelled: %v", code)
	}
	token := awaitLetter(t, dir, "jan@example.com", `/news\?lang=[a-z]+#([A-Za-z0-9_-]+)`)
	for range 2 { // twice is no error
		jan.ask(204, "POST", "/api/consent/confirm", `{"token":"`+token+`"}`)
	}
	jan.ask(404, "POST", "/api/consent/confirm", `{"token":"`+token+`x"}`)
	testWithdrawal(t, jan, token)
	if p := jan.ask(409, "POST", "/api/consent/confirm", `{"token":"`+token+`"}`); p.text("type") != "urn:bril:problem:withdrawn" {
		t.Errorf("confirmed after it was withdrawn: %v", p)
	}
}

// testWithdrawal: by the page, by a mail program, and by who opens the link; twice
// is no error.
func testWithdrawal(t *testing.T, jan *person, token string) {
	t.Helper()
	path := "/api/consent/withdraw/" + token
	answer, text := request(t, "GET", jan.url+path, "")
	if answer.StatusCode != 303 || answer.Header.Get("Location") != "/unsubscribe#"+token {
		t.Errorf("opened: %s %s %v", answer.Status, text, answer.Header)
	}
	const form = "application/x-www-form-urlencoded"
	for body, want := range map[string]int{"List-Unsubscribe=One-Click": 204, "List-Unsubscribe=Two-Clicks": 400} {
		answer, text := request(t, "POST", jan.url+path, body, "Content-Type", form)
		expect(t, body, answer, text, want)
	}
	jan.ask(204, "POST", "/api/consent/withdraw", `{"token":"`+token+`"}`)
	jan.ask(404, "POST", "/api/consent/withdraw", `{"token":"`+token+`x"}`)
}
