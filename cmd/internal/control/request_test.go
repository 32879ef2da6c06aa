package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const someID = "kq3x5vjm2n7abcdefghijklmno"

func (f *fake) did(what string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(what, args...))
	return f.err
}

func (f *fake) Photo(ctx context.Context, show bool) (Photo, error) {
	if f.hold != nil {
		return Photo{}, f.hold(ctx)
	}
	return Photo{ID: someID, Frames: 5, ChooseMS: 60.5, EncodeMS: 9, StoreMS: 14}, f.did("photo %t", show)
}

func (f *fake) Clip(_ context.Context, action ClipAction) (Clip, error) {
	c := Clip{ID: someID}
	if action == StopClip {
		c.DurationSeconds = 12.5
	}
	return c, f.did("clip %s", action)
}

func (f *fake) Spool() Spool {
	if f.spool != nil {
		return Spool{Items: f.spool}
	}
	return Spool{Items: []SpoolItem{{ID: someID, Kind: "photo", State: "ready", Bytes: 200, DeleteAfter: time.Unix(1e9, 0).UTC()}}}
}

func (f *fake) Call(_ context.Context, action CallAction) (string, error) {
	return "accepted", f.did("call %s", action)
}

func (f *fake) Mute(on bool) (Talkback, error) {
	return Talkback{State: "hearing", Muted: on}, f.did("mute %t", on)
}

func (f *fake) SpoolAct(_ context.Context, action SpoolAction, id string) error {
	return f.did("spool %s %q", action, id)
}

func TestWhatIsKept(t *testing.T) {
	daemon := &fake{}
	path, _ := serve(t, Server{Daemon: daemon})
	c := client(t, path)
	for _, show := range []bool{false, true} {
		if p, err := c.Photo(t.Context(), show); err != nil || p != (Photo{someID, 5, 60.5, 9, 14}) {
			t.Errorf("photo: %+v, %v", p, err)
		}
	}
	if clip, err := c.Clip(t.Context(), StartClip); err != nil || clip != (Clip{ID: someID}) {
		t.Errorf("clip start: %+v, %v", clip, err)
	}
	if clip, err := c.Clip(t.Context(), StopClip); err != nil || clip != (Clip{someID, 12.5}) {
		t.Errorf("clip stop: %+v, %v", clip, err)
	}
	s, err := c.Spool(t.Context())
	if err != nil || s.SchemaVersion != SchemaVersion || len(s.Items) != 1 || s.Items[0] != daemon.Spool().Items[0] {
		t.Errorf("spool: %+v, %v", s, err)
	}
	for _, id := range []string{"", someID} {
		if s, err := c.SpoolAct(t.Context(), Retry, id); err != nil || len(s.Items) != 1 {
			t.Errorf("retry %q: %+v, %v", id, s, err)
		}
	}
	if _, err := c.SpoolAct(t.Context(), Drop, someID); err != nil {
		t.Error(err)
	}
	for _, action := range []CallAction{AcceptCall, DeclineCall, EndCall} {
		if state, err := c.Call(t.Context(), action); err != nil || state != "accepted" {
			t.Errorf("call %s: %s, %v", action, state, err)
		}
	}
	if _, err := c.Call(t.Context(), "answer"); err == nil || !strings.Contains(err.Error(), "accept, decline or end") {
		t.Errorf("call answer: %v", err)
	}
	want := `photo false, photo true, clip start, clip stop, spool retry "", spool retry "` + someID + `", spool drop "` + someID + `", call accept, call decline, call end`
	if got := strings.Join(daemon.asked, ", "); got != want {
		t.Errorf("asked for %s\nwant %s", got, want)
	}
}

// A spool is full of photos when the endpoint was away for days.
func TestAFullSpoolIsListed(t *testing.T) {
	items := make([]SpoolItem, 50_000)
	for i := range items {
		items[i] = SpoolItem{ID: someID, Kind: "photo", State: "ready", Bytes: 130_000, DeleteAfter: time.Unix(1e9, 0), Problem: "the endpoint is away"}
	}
	path, _ := serve(t, Server{Daemon: &fake{spool: items}})
	c := client(t, path)
	if s, err := c.Spool(t.Context()); err != nil || len(s.Items) != len(items) {
		t.Errorf("%d items, %v", len(s.Items), err)
	}
	if s, err := c.SpoolAct(t.Context(), Retry, ""); err != nil || len(s.Items) != len(items) {
		t.Errorf("retry: %d items, %v", len(s.Items), err)
	}
}

func TestAnEmptySpoolIsAList(t *testing.T) {
	data, err := json.Marshal(Spool{}.complete())
	if err != nil || string(data) != `{"schema_version":1,"items":[]}` {
		t.Errorf("got %s, %v", data, err)
	}
}

func TestRefusalsOfWhatIsKept(t *testing.T) {
	path, _ := serve(t, Server{Daemon: &fake{err: hinted{errors.New("there is no conversation"), "bril live on"}}})
	c := client(t, path)
	_, photo := c.Photo(t.Context(), false)
	_, clip := c.Clip(t.Context(), StartClip)
	_, call := c.Call(t.Context(), EndCall)
	_, retry := c.SpoolAct(t.Context(), Retry, "")
	for err, want := range map[error]string{
		photo: "take a photo: there is no conversation",
		clip:  "clip start: there is no conversation",
		call:  "call end: there is no conversation",
		retry: "spool retry: there is no conversation",
	} {
		if p := (*Problem)(nil); !errors.As(err, &p) || err.Error() != want || p.Code != 1 || p.Hint() != "bril live on" {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A disk may be slow: such an answer may come later than one about live.
func TestAPhotoHasMoreTime(t *testing.T) {
	daemon := &fake{hold: func(ctx context.Context) error {
		at, ok := ctx.Deadline()
		if left := time.Until(at); !ok || left <= actionTime+requestTime || left > mediaTime {
			return fmt.Errorf("%v are left", left)
		}
		return nil
	}}
	path, _ := serve(t, Server{Daemon: daemon})
	if _, err := client(t, path).Photo(t.Context(), false); err != nil {
		t.Error(err)
	}
}

func TestBadRequests(t *testing.T) {
	path, _ := serve(t, Server{Daemon: &fake{}})
	to := func(path, body string) string {
		return fmt.Sprintf("POST /v1/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	}
	post := func(body string) string { return to("live", body) }
	for _, tc := range []struct {
		name, request string
		code          int
		want          string
	}{
		{"no such thing", "GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n", 404, `there is no GET \"/v2\"`},
		{"wrong method", "DELETE /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 404, "there is no DELETE"},
		{"no JSON", post("on"), 400, "the body is not"},
		{"no action", post("{}"), 400, `live takes on, off or pause, not \"\"`},
		{"another action", post(`{"action":"explode"}`), 400, `not \"explode\"`},
		{"unknown key", post(`{"action":"on","force":true}`), 400, "the body is not"},
		{"two objects", post(`{"action":"on"}{"action":"off"}`), 400, "something follows"},
		{"too large", post(`{"action":"` + strings.Repeat("x", maxBody) + `"}`), 400, "the body is not"},
		{"larger than it says it can be", "POST /v1/live HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n?", 400, "the body is not"},
		{"a body that never comes", "GET /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", 400, "GET takes no body"},
		{"a photo of nothing", to("photo", ""), 400, "the body is not {\\\"show\\\":false|true}"},
		{"a photo for somebody", to("photo", `{"show":"yes"}`), 400, "the body is not"},
		{"a photo elsewhere", to("photo", `{"show":true,"path":"/etc/passwd"}`), 400, "the body is not"},
		{"a clip of nothing", to("clip", `{}`), 400, `clip takes start or stop, not \"\"`},
		{"a clip for ever", to("clip", `{"action":"loop"}`), 400, `not \"loop\"`},
		{"a spool with a body", "GET /v1/spool HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", 400, "GET takes no body"},
		{"a spool of nothing", to("spool", `{}`), 400, `spool takes retry or drop, not \"\"`},
		{"drop all", to("spool", `{"action":"drop","id":""}`), 400, `drop needs the id of an item`},
		{"drop a path", to("spool", `{"action":"drop","id":"../../../../../../../tmp/xx"}`), 400, `is not the id of an item","hint":"bril spool list`},
		{"drop another alphabet", to("spool", `{"action":"drop","id":"kq3x5vjm2n7abcdefghijklmn1"}`), 400, `is not the id of an item`},
		{"interval", "GET /v1/status/stream?interval=1ns HTTP/1.1\r\nHost: x\r\n\r\n", 400, "is not a time from 50ms"},
		{"large header", "GET /v1/status HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", maxHeader+5000) + "\r\n\r\n", 431, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, body := raw(t, path, tc.request)
			if code != tc.code || !strings.Contains(body, tc.want) {
				t.Errorf("got %d %s, want %d %s", code, body, tc.code, tc.want)
			}
		})
	}
}

// Whatever is sent, a request is either understood, to the byte, or refused.
func FuzzRequests(f *testing.F) {
	for _, body := range []string{`{"action":"on"}`, `{"show":true}`, `{"action":"start"}`, `{"action":"drop","id":"` + someID + `"}`,
		`{"action":"retry","id":""}`, `{"action":"drop","id":"../x"}`, `{}{}`, `{"action":`, `null`, `[]`, "\x00", strings.Repeat("[", 2000)} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		read := func(request any) error { return parse(strings.NewReader(string(body)), "it", request) }
		var live liveRequest
		if err := read(&live); err == nil {
			if a, err := ParseAction(live.Action); (err == nil) != (a == On || a == Off || a == Pause) {
				t.Errorf("live %q: %q, %v", body, a, err)
			}
		}
		var clip clipRequest
		if err := read(&clip); err == nil {
			if a, err := ParseClipAction(clip.Action); (err == nil) != (a == StartClip || a == StopClip) {
				t.Errorf("clip %q: %q, %v", body, a, err)
			}
		}
		var spool spoolRequest
		if err := read(&spool); err == nil {
			a, err := ParseSpoolAction(spool.Action, spool.ID)
			if err == nil && strings.ContainsAny(spool.ID, "./\\\x00 \n") || err == nil && a == Drop && spool.ID == "" {
				t.Errorf("spool %q: %q %q", body, a, spool.ID)
			}
		}
		var photo photoRequest
		_ = read(&photo) // both of its values are right
	})
}
