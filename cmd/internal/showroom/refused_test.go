package showroom

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/configs"
)

// What is over stays over, and says so.
func TestOverIsOver(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: dir, Clock: clock.now})
	check(t, err)
	url := runServer(t, s)
	events := glassesOf(t, url, "anna")
	mia, anna := newPerson(t, url), newPerson(t, url)
	cid := mia.ask(201, "POST", "/api/calls", `{"showroom":"showroom","locale":"en"}`).text("conversation")
	await(t, events, "call", cid)
	anna.ask(422, "POST", "/api/glasses/anna/answer", `{"conversation":"`+cid+`","answer":"perhaps"}`)
	anna.ask(204, "POST", "/api/glasses/anna/answer", `{"conversation":"`+cid+`","answer":"accept"}`)
	page, _ := mia.listen("/api/sessions/" + cid + "/events")
	p, _ := publish(t, url, "anna", "")
	defer flow(t, p)()
	await(t, page, "call", `"live"`)
	path := "/api/conversations/" + cid
	for range 5 {
		mia.ask(202, "POST", path+"/send", `{"email":"mia@example.com","name":"","locale":"en"}`)
	}
	mia.ask(429, "POST", path+"/send", `{"email":"mia@example.com","name":"","locale":"en"}`)
	mia.ask(204, "POST", path+"/end", "{}")
	mia.ask(204, "POST", path+"/end", "")
	for _, ask := range []struct{ path, body string }{{"/ring", ""}, {"/status", `{"network":"good","microphone":false}`}} {
		if over := mia.ask(409, "POST", path+ask.path, ask.body); over.text("type") != "urn:bril:problem:ended" {
			t.Errorf("%s: %v", ask.path, over)
		}
	}
	testMissed(t, mia, dir, clock)
}

// testMissed rings after the appointment: it has expired, or is over when the desk
// has noticed that first.
func testMissed(t *testing.T, mia *person, dir string, clock *testClock) {
	t.Helper()
	for n := range 10 {
		b := mia.book(dir, fmt.Sprintf("mia%d@example.com", n), false)
		clock.set(b.start)
		cid := mia.join(b.code)
		clock.set(b.start.Add(2 * time.Hour))
		answer, err := mia.Post(mia.url+"/api/conversations/"+cid+"/ring", "", nil)
		check(t, err)
		answer.Body.Close()
		mia.ask(409, "DELETE", "/api/appointment", "", "Authorization", "Bearer "+b.token)
		switch answer.StatusCode {
		case http.StatusGone:
			return
		case http.StatusConflict:
		default:
			t.Errorf("rung two hours later: %s", answer.Status)
		}
	}
	t.Error("it never expired before it was over")
}

// What the paths of media refuse, beside what all do.
func TestMediaRefuses(t *testing.T) {
	url := startServer(t, Config{DataDir: t.TempDir(), TokenFile: tokenFile(t, "one", "two")})
	one := []string{"Authorization", "Bearer one"}
	liveGlasses(t, url, "anna", "one")
	anybody := newPerson(t, url)
	anybody.ask(409, "PUT", "/api/sessions/anna", `{"state":"paused"}`, "Authorization", "Bearer two")
	anybody.ask(422, "PUT", "/api/sessions/anna", `{"state":"asleep"}`, one...)

	u := newUpload(t, url, itemID, false, []byte("no picture"), one...)
	answer, text := request(t, "POST", u.base, "", append(one, "Tus-Resumable", "1.0.0", "Upload-Length", "1")...)
	expect(t, "an upload without metadata", answer, text, 400)
	u.create(t)
	answer, _ = request(t, "HEAD", u.url, "", append(one, "Tus-Resumable", "1.0.0")...)
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Upload-Offset") != "0" {
		t.Errorf("HEAD: %s %v", answer.Status, answer.Header)
	}
	for path, want := range map[string]int{u.base + strangeID: 404, u.url: 409} {
		answer, text := request(t, "PATCH", path, "x", append(one, "Tus-Resumable", "1.0.0", "Upload-Offset", "7", "Content-Type", "application/offset+octet-stream")...)
		expect(t, path, answer, text, want)
	}
	var header []string
	for key, value := range u.patchHeader() {
		header = append(header, key, value[0])
	}
	answer, text = request(t, "PATCH", u.url, string(u.cipher), header...)
	expect(t, "all of it", answer, text, 204)
	for answer.StatusCode != http.StatusUnprocessableEntity {
		answer, text = request(t, "GET", url+"/api/uploads/"+itemID+"/receipt", "", one...)
		if answer.StatusCode != http.StatusAccepted && answer.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("receipt of what is no picture: %s %s", answer.Status, text)
		}
	}
}

func TestOpenAPIIsServed(t *testing.T) {
	url := startServer(t, Config{})
	answer, text := request(t, "GET", url+"/api/openapi.yaml", "")
	if answer.StatusCode != http.StatusOK || text != string(openAPIText) {
		t.Errorf("%s, %d bytes", answer.Status, len(text))
	}
	answer, text = request(t, "GET", url+"/api/bril.schema.json", "")
	if answer.StatusCode != http.StatusOK || text != configs.JSONSchema() {
		t.Errorf("the schema: %s, %d bytes", answer.Status, len(text))
	}
}

// What goes wrong inside is logged without the path: in it are tokens and codes.
func TestNoTokenIsLogged(t *testing.T) {
	var log bytes.Buffer
	s := &Server{log: slog.New(slog.NewTextHandler(&log, nil))}
	mux := http.NewServeMux()
	mux.Handle("/api/consent/withdraw/{token}", s.answering(func(http.ResponseWriter, *http.Request) error { return errors.New("disk I/O error") }))
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/api/consent/withdraw/SECRET", nil))
	if answer.Code != 500 || strings.Contains(log.String(), "SECRET") || !strings.Contains(log.String(), "/api/consent/withdraw/{token}") {
		t.Errorf("%d; logged is %s", answer.Code, log.String())
	}
}
