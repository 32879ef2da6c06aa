package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"
)

// visitor is a customer, as far as their page speaks HTTP: the picture is for others.
type visitor struct {
	t    *testing.T
	base string
	http http.Client
	cid  string
	told <-chan turn
}

// turn is what a page is told of its conversation.
type turn struct{ State, Reason string }

func newVisitor(t *testing.T, base string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, base: base, http: http.Client{Jar: jar}}
	t.Cleanup(v.http.CloseIdleConnections)
	return v
}

// ask sends JSON, or nothing for "", and decodes what is answered into answer, unless
// that is nil.
func (v *visitor) ask(method, path, body string, answer any) (status int) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	r, err := v.http.Do(v.request(ctx, method, path, body))
	if err != nil {
		v.t.Fatal(err)
	}
	defer r.Body.Close()
	if answer != nil && r.StatusCode < 300 {
		if err := json.NewDecoder(r.Body).Decode(answer); err != nil {
			v.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return r.StatusCode
}

func (v *visitor) request(ctx context.Context, method, path, body string) *http.Request {
	v.t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, v.base+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	return request
}

// calls talks now, and stays on the page until the test ends. It returns false when
// nobody is free.
func (v *visitor) calls() bool {
	v.t.Helper()
	var shops struct{ Showrooms []struct{ ID string } }
	v.ask("GET", "/api/showrooms", "", &shops)
	var made struct{ Conversation string }
	switch status := v.ask("POST", "/api/calls", `{"showroom":"`+shops.Showrooms[0].ID+`","locale":"nl"}`, &made); status {
	case http.StatusCreated:
		v.open(made.Conversation)
		return true
	case http.StatusConflict:
		return false
	default:
		v.t.Fatalf("a call is answered with %d", status)
		return false
	}
}

// open is to be on the page of a conversation until the test ends.
func (v *visitor) open(cid string) {
	v.t.Helper()
	v.cid = cid
	ctx, cancel := context.WithCancel(context.Background())
	v.t.Cleanup(cancel)
	page, err := v.http.Do(v.request(ctx, "GET", "/api/sessions/"+cid+"/events", ""))
	if err != nil {
		v.t.Fatal(err)
	}
	told := make(chan turn, 64) // more than a conversation has
	v.told = told
	done := make(chan struct{})
	v.t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		defer page.Body.Close()
		event := ""
		for lines := bufio.NewScanner(page.Body); lines.Scan(); {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); {
			case name == "event":
				event = value
			case name == "":
				event = ""
			case name == "data" && event == "call":
				var now turn
				if err := json.Unmarshal([]byte(value), &now); err != nil {
					v.t.Errorf("the page is told %s: %v", value, err)
				}
				told <- now
			}
		}
	}()
}

// expect waits until the page is told so, which may be after the longest time that a
// conversation rings or connects.
func (v *visitor) expect(state, reason string) {
	v.t.Helper()
	timeout := time.After(patience + 30*time.Second)
	var last turn
	for {
		select {
		case last = <-v.told:
			if last == (turn{state, reason}) {
				return
			}
		case <-timeout:
			v.t.Fatalf("the page is not told %s %s; the last was %+v", state, reason, last)
		}
	}
}

// quiet fails if the page has been told anything since.
func (v *visitor) quiet() {
	v.t.Helper()
	select {
	case now := <-v.told:
		v.t.Errorf("the page is told %+v", now)
	default:
	}
}

func (v *visitor) ends() {
	v.t.Helper()
	if status := v.ask("POST", "/api/conversations/"+v.cid+"/end", "", nil); status != http.StatusNoContent {
		v.t.Errorf("the end is answered with %d", status)
	}
}

// media returns the photos and clips that have arrived.
func (v *visitor) media() (ids []string) {
	v.t.Helper()
	var list struct{ Items []struct{ ID string } }
	v.ask("GET", "/api/sessions/"+v.cid+"/media", "", &list)
	for _, item := range list.Items {
		ids = append(ids, item.ID)
	}
	return ids
}
