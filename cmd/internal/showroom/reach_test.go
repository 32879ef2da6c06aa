package showroom

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/bril-edge/bril/cmd/internal/showroom/relay/fragment"
	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
	"github.com/bril-edge/bril/cmd/internal/showroom/staff"
)

// The tests of this file reach the answers of openapi.yaml that all operations of a
// kind have in common.

// operation is one of the file.
type operation struct {
	method, path string
	*openapi3.Operation
}

func operations(which func(operation) bool) (list []operation) {
	for path, item := range observed.doc.Paths.Map() {
		for method, o := range item.Operations() {
			if op := (operation{method, path, o}); which(op) {
				list = append(list, op)
			}
		}
	}
	slices.SortFunc(list, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return list
}

func (o operation) has(status int) bool { return o.Responses.Status(status) != nil }

func (o operation) takes(kind string) bool {
	return o.RequestBody != nil && o.RequestBody.Value.Content[kind] != nil
}

func (o operation) isOf(tag string) bool { return slices.Contains(o.Tags, tag) }

const strangeID = "abcdefghijklmnopqrstuvwx22"

// at is the operation's path for names that nothing has.
func (o operation) at() string {
	return strings.NewReplacer("{cid}", strangeID, "{name}", "nobody", "{id}", strangeID, "{file}", strangeID+".jpg", "{token}", "x").Replace(o.path)
}

// body is one that is understood.
func (o operation) body() (text, kind string) {
	switch {
	case o.takes(sdp):
		return "v=0", sdp
	case o.takes("application/x-www-form-urlencoded"):
		return "List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"
	case o.takes("application/offset+octet-stream"):
		return "x", "application/offset+octet-stream"
	case !o.takes(jsonType):
		return "", ""
	}
	start := time.Now().Truncate(30 * time.Minute).Add(time.Hour).UTC().Format(time.RFC3339)
	bodies := map[string]string{
		"/api/calls":                      `{"showroom":"nowhere","locale":"en"}`,
		"/api/appointments":               `{"showroom":"nowhere","start":"` + start + `","name":"Jan","email":"jan@example.com","phone":"","locale":"nl","marketing":false}`,
		"/api/appointment":                `{"start":"` + start + `"}`,
		"/api/join":                       `{"code":"0000-0000"}`,
		"/api/consent/confirm":            `{"token":"x"}`,
		"/api/consent/withdraw":           `{"token":"x"}`,
		"/api/conversations/{cid}/rating": `{"thumb":"up"}`,
		"/api/conversations/{cid}/send":   `{"email":"jan@example.com","name":"Jan","locale":"nl"}`,
		"/api/conversations/{cid}/status": `{"network":"good","microphone":false}`,
		"/api/conversations/{cid}/ring":   ``,
		"/api/conversations/{cid}/end":    ``,
		"/api/glasses/{name}/answer":      `{"conversation":"` + strangeID + `","answer":"accept"}`,
		"/api/glasses/{name}/end":         `{"conversation":"` + strangeID + `"}`,
		"/api/sessions/{name}":            `{"state":"paused"}`,
		"/api/sessions/{name}/access":     `{"key":"x"}`,
		"/api/staff/login":                `{"name":"mia","password":"not hers at all"}`,
	}
	return bodies[o.path], jsonType
}

// try asks it, at a path and with a body of its own unless others are given.
func (o operation) try(t *testing.T, url string, want int, header ...string) {
	t.Helper()
	text, kind := o.body()
	o.send(t, url+o.at(), text, kind, want, header...)
}

func (o operation) send(t *testing.T, url, text, kind string, want int, header ...string) {
	t.Helper()
	answer, body := request(t, o.method, url, text, append([]string{"Content-Type", kind, "Tus-Resumable", "1.0.0"}, header...)...)
	expect(t, o.method+" "+url, answer, body, want)
}

// Without a data directory there are no conversations, and everything says so.
func TestWithoutDataDirectory(t *testing.T) {
	url := startServer(t, Config{})
	for _, o := range operations(func(o operation) bool { return o.has(503) && !o.takes(sdp) && o.path != "/api/sessions/{name}/events" }) {
		o.try(t, url, http.StatusServiceUnavailable)
	}
	for _, page := range []string{"/", "/j/K7QF-9T3M", "/c/" + strangeID, "/appointment", "/news", "/unsubscribe", "/privacy", "/staff", "/anna"} {
		if answer, _ := request(t, http.MethodGet, url+page, ""); answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", page, answer.Status)
		}
	}
}

// Hostile bodies: another type, broken, with fields that nobody knows, too large.
func TestHostileBodies(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	check(t, err)
	url := runServer(t, s)
	key := []string{"Authorization", "Bearer " + s.keys.Key(strangeID)}
	for _, o := range operations(func(o operation) bool { return o.takes(jsonType) && !o.isOf("devices") && !o.isOf("fleet") }) {
		o.send(t, url+o.at(), "{}", "text/plain", 415, key...)
		o.send(t, url+o.at(), "{", jsonType, 400, key...)
		o.send(t, url+o.at(), `{"x":"`+strings.Repeat("x", maxBody)+`"}`, jsonType, 413, key...)
		if o.isOf("staff") || strings.HasPrefix(o.path, "/api/sessions/") { // as pages of before read on
			continue
		}
		for _, body := range []string{`{"strange":1}`, `{} {}`, `[]`, "{\"code\":\"\xff\"}", `{"code":["x"],"token":7,"start":"yesterday","conversation":{},"thumb":[],"email":1,"network":{},"showroom":0}`} {
			o.send(t, url+o.at(), body, jsonType, 400, key...)
		}
	}
	o := operations(func(o operation) bool { return o.path == "/api/consent/withdraw/{token}" && o.method == "POST" })[0]
	o.send(t, url+o.at(), "List-Unsubscribe=One-Click", "text/plain", 415)
	o.send(t, url+o.at(), "List-Unsubscribe="+strings.Repeat("x", maxBody), "application/x-www-form-urlencoded", 400)
}

// What nobody has: other conversations' customers, names, tokens and codes look the
// same as none.
func TestNothingIsThere(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	check(t, err)
	url := runServer(t, s)
	key := []string{"Authorization", "Bearer " + s.keys.Key(strangeID)}
	for _, o := range operations(func(o operation) bool { return o.has(404) && !o.isOf("staff") && !o.isOf("media") && !o.isOf("fleet") }) {
		path := o.at()
		switch {
		case strings.HasPrefix(o.path, "/api/glasses/"):
			path = strings.Replace(path, "nobody", strangeID, 1) // the name of a conversation
		case strings.HasPrefix(o.path, "/api/sessions/") && o.method != http.MethodPut:
			path = strings.Replace(path, "nobody", "a.b", 1)
		case strings.HasPrefix(o.path, "/api/showrooms/"):
			path = "/api/showrooms/nowhere/slots"
		}
		text, kind := o.body()
		o.send(t, url+path, text, kind, 404, key...)
	}
	for _, o := range operations(func(o operation) bool { return o.isOf("customer") && strings.Contains(o.path, "{cid}") }) {
		path := strings.Replace(o.path, "{cid}", "anna", 1)
		text, kind := o.body()
		o.send(t, url+path, text, kind, 404, key...)
	}
	answer, body := request(t, "GET", url+"/api/sessions/"+strangeID+"/events", "", key...)
	expect(t, "events of nothing", answer, body, 404)
}

// Without what opens it, each says 401 before it says anything else. Devices are asked
// for theirs over TLS; TestEnrolment does. A fleet is there with TLS only, too:
// TestFleetRefuses.
func TestCredentialsAreAskedFor(t *testing.T) {
	url := startServer(t, Config{DataDir: t.TempDir(), RequireKey: true, TokenFile: tokenFile(t, "one")})
	for _, o := range operations(func(o operation) bool { return o.has(401) && !o.isOf("devices") && !o.isOf("fleet") }) {
		o.try(t, url, http.StatusUnauthorized)
	}
}

// An address that asks all the time waits, wherever it asks.
func TestVisitsAreBounded(t *testing.T) {
	url := startServer(t, Config{DataDir: t.TempDir(), Clock: newClock().now})
	for range visitBurst {
		answer, body := request(t, "GET", url+"/api/showrooms", "")
		expect(t, "within the bound", answer, body, 200)
	}
	for _, o := range operations(func(o operation) bool { return o.isOf("public") }) {
		o.try(t, url, http.StatusTooManyRequests)
	}
	answer, _ := request(t, "GET", url+"/api/showrooms", "")
	if wait, err := strconv.Atoi(answer.Header.Get("Retry-After")); err != nil || wait < 1 {
		t.Errorf("Retry-After is %q", answer.Header.Get("Retry-After"))
	}
}

// What the desk refuses of one conversation.
func TestDeskRefuses(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	url := startServer(t, Config{DataDir: dir, Clock: clock.now})
	jan := newPerson(t, url)
	b := jan.book(dir, "jan@example.com", false)
	other := newPerson(t, url)
	body := func(start time.Time) string {
		return `{"showroom":"showroom","start":"` + start.Format(time.RFC3339) + `","name":"Eva","email":"eva@example.com","phone":"","locale":"nl"}`
	}
	if taken := other.ask(409, "POST", "/api/appointments", body(b.start)); taken.text("type") != "urn:bril:problem:taken" {
		t.Errorf("the same slot: %v", taken)
	}
	fields := other.ask(422, "POST", "/api/appointments", `{"showroom":"showroom","start":"`+b.start.Format(time.RFC3339)+`","name":"","email":"nonsense","phone":"","locale":"xx"}`)
	if list, _ := fields["errors"].([]any); len(list) != 3 {
		t.Errorf("wrong fields: %v", fields)
	}
	bearer := []string{"Authorization", "Bearer " + b.token}
	other.ask(201, "POST", "/api/appointments", body(b.start.Add(30*time.Minute)))
	evas := awaitLetter(t, dir, "eva@example.com", codePattern)
	jan.ask(409, "PUT", "/api/appointment", `{"start":"`+b.start.Add(30*time.Minute).Format(time.RFC3339)+`"}`, bearer...)
	other.ask(400, "GET", "/api/showrooms/showroom/slots?days=0", "")
	other.ask(400, "GET", "/api/showrooms/showroom/slots?from=yesterday", "")
	other.ask(200, "GET", "/api/showrooms/showroom/slots?from=2026-12-02&days=1", "")

	clock.set(b.start.Add(-time.Minute))
	cid := jan.join(b.code)
	path := "/api/conversations/" + cid
	jan.ask(409, "POST", path+"/rating", `{"thumb":"up"}`)
	jan.ask(422, "POST", path+"/rating", `{"thumb":"sideways"}`)
	jan.ask(409, "POST", path+"/send", `{"email":"jan@example.com","name":"","locale":"nl"}`)
	jan.ask(422, "POST", path+"/send", `{"email":"nobody","name":"","locale":"nl"}`)
	clock.set(b.start.Add(2 * time.Hour))
	jan.ask(409, "PUT", "/api/appointment", `{"start":"`+b.start.Add(24*time.Hour).Format(time.RFC3339)+`"}`, bearer...)
	if late := other.ask(410, "POST", "/api/join", `{"code":"`+evas+`"}`); late.text("type") != "urn:bril:problem:expired" {
		t.Errorf("two hours later: %v", late)
	}
}

// An appointment that is moved while its customer waits at the door.
func TestMovedAtTheDoor(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	url := startServer(t, Config{DataDir: dir, Clock: clock.now})
	jan := newPerson(t, url)
	b := jan.book(dir, "jan@example.com", false)
	clock.set(b.start.Add(-time.Minute))
	cid := jan.join(b.code)
	jan.ask(200, "PUT", "/api/appointment", `{"start":"`+b.start.Add(24*time.Hour).Format(time.RFC3339)+`"}`, "Authorization", "Bearer "+b.token)
	if early := jan.ask(425, "POST", "/api/conversations/"+cid+"/ring", ""); early.text("opens_at") == "" {
		t.Errorf("rung a day before: %v", early)
	}
}

// Each kind of media session has a resource of the same behaviour.
func TestResources(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	check(t, err)
	url := runServer(t, s)
	p := liveGlasses(t, url, "anna", "")
	v := rtctest.NewViewer(t, rtctest.Options{})
	connectViewer(t, v, url+"/whep/anna")
	mouth := rtctest.NewPublisher(t, soundOnly)
	mouth.Connect(url+"/talk/anna", "")
	ear := hearing(t, url+"/hear/anna", "")
	const candidate = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 2122260223 127.0.0.1 9 typ host\r\na=end-of-candidates\r\n"
	const restart = "a=ice-ufrag:zzzz\r\na=ice-pwd:0123456789012345678901\r\n" + candidate
	for _, c := range []*rtctest.Client{ear.Client, mouth.Client, v.Client, p.Client} {
		for _, patch := range []struct {
			match, kind, body string
			want              int
		}{
			{c.ETag, fragment.ContentType, candidate, 204},
			{c.ETag, "", candidate, 415},
			{"", fragment.ContentType, candidate, 428},
			{`"old"`, fragment.ContentType, candidate, 412},
			{c.ETag, fragment.ContentType, "\x00\x01", 400},
			{"*", fragment.ContentType, restart, 200},
		} {
			answer, body := request(t, "PATCH", c.Location, patch.body, "If-Match", patch.match, "Content-Type", patch.kind)
			expect(t, c.Location+" "+patch.match, answer, body, patch.want)
		}
		answer, body := request(t, "PATCH", c.Location+"x", candidate, "If-Match", c.ETag, "Content-Type", fragment.ContentType)
		expect(t, "another's", answer, body, 404)
		answer, body = request(t, "DELETE", c.Location, "")
		expect(t, c.Location, answer, body, 200)
		answer, body = request(t, "DELETE", c.Location+"x", "")
		expect(t, "another's", answer, body, 404)
	}
}

// An offer that is no offer, of each kind.
func TestOffers(t *testing.T) {
	url := startServer(t, Config{Limits: Limits{Sessions: 2}})
	liveGlasses(t, url, "anna", "")
	mouth := rtctest.NewPublisher(t, soundOnly)
	mouth.Connect(url+"/talk/anna", "")
	full := map[string]string{
		"/whip/bert": rtctest.NewPublisher(t, rtctest.Options{}).Offer(), "/whep/anna": rtctest.NewViewer(t, rtctest.Options{}).Offer(),
		"/talk/anna": rtctest.NewPublisher(t, soundOnly).Offer(), "/hear/anna": rtctest.NewViewer(t, soundOnly).Offer(),
	}
	for path, offer := range full {
		for _, c := range []struct {
			path, body, kind string
			want             int
		}{
			{path, offer, sdp, 503},
			{path, "garbage", sdp, 400},
			{path, strings.Replace(strings.Replace(offer, "sendonly", "sendrecv", -1), "recvonly", "sendrecv", -1), sdp, 406},
			{path, offer, jsonType, 415},
			{path, strings.Repeat("a=x\r\n", 20000), sdp, 413},
			{path[:len("/whip/")] + "a.b", offer, sdp, 404},
		} {
			for deadline := time.Now().Add(rtctest.Timeout); ; { // the relay may not have seen the end of DTLS
				answer, body := request(t, "POST", url+c.path, c.body, "Content-Type", c.kind)
				if answer.StatusCode != http.StatusConflict || time.Now().After(deadline) {
					expect(t, c.path, answer, body, c.want)
					break
				}
			}
		}
	}
}

// Staff over the whole server.
func TestStaffOverHTTP(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	check(t, err)
	url := runServer(t, s)
	hash, err := staff.Hash("the manager's password", staff.Params{Memory: 8, Passes: 1, Threads: 1})
	check(t, err)
	accounts := staff.NewAdmin(s.records)
	check(t, accounts.Add(t.Context(), staff.Account{Name: "mia", Hash: hash, Role: staff.RoleManager}))
	check(t, accounts.Add(t.Context(), staff.Account{Name: "tom", Hash: hash, Role: staff.RoleAdvisor}))
	mia := newPerson(t, url)
	mia.ask(204, "POST", "/api/staff/login", `{"name":"mia","password":"the manager's password"}`)
	for _, o := range operations(func(o operation) bool { return o.isOf("staff") }) {
		text, kind := o.body()
		if o.method == "GET" {
			mia.ask(200, "GET", o.path, "")
		} else {
			o.send(t, url+o.at(), text, kind, 403, "Sec-Fetch-Site", "cross-site")
		}
	}
	mia.ask(422, "GET", "/api/staff/media-sent?days=0", "")
	mia.ask(404, "DELETE", "/api/staff/sessions/"+strangeID, "")
	sessions := mia.ask(200, "GET", "/api/staff/sessions", "")["sessions"].([]any)
	mia.ask(204, "DELETE", "/api/staff/sessions/"+sessions[0].(map[string]any)["id"].(string), "")
	mia.ask(401, "GET", "/api/staff/me", "")
	tom := newPerson(t, url)
	tom.ask(204, "POST", "/api/staff/login", `{"name":"tom","password":"the manager's password"}`)
	tom.ask(403, "GET", "/api/staff/ratings", "")
	tom.ask(204, "DELETE", "/api/staff/sessions", "")
	tom.ask(204, "POST", "/api/staff/logout", "")
	for range 100 {
		answer, _ := request(t, "POST", url+"/api/staff/login", `{"name":"tom","password":"guessed"}`, "Content-Type", jsonType)
		if answer.StatusCode == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("100 guesses, and it goes on")
}
