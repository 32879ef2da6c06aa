package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// pressed is a daemon that notes what is asked of it.
type pressed struct {
	control.Enroller
	control.Examined
	control.Configured
	control.Provisioner

	status control.Status
	err    error
	hold   chan struct{} // what Photo waits for, if it does

	mu    sync.Mutex
	asked []string
}

func (g *pressed) did(what string, args ...any) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, fmt.Sprintf(what, args...))
	return g.err
}

func (g *pressed) Status() control.Status { return g.status }
func (g *pressed) Spool() control.Spool   { return control.Spool{} }

func (g *pressed) SpoolAct(context.Context, control.SpoolAction, string) error { return g.did("spool") }

func (g *pressed) Call(_ context.Context, action control.CallAction) (string, error) {
	return "accepted", g.did("call %s", action)
}

func (g *pressed) Mute(on bool) (control.Talkback, error) {
	return control.Talkback{}, g.did("mute %t", on)
}

func (g *pressed) Live(_ context.Context, a control.Action) (string, error) {
	return "", g.did("live %s", a)
}

func (g *pressed) Photo(_ context.Context, show bool) (control.Photo, error) {
	if g.hold != nil {
		<-g.hold
	}
	return control.Photo{ID: "kq3x5vjm2n7aijklmnopqrstuv", Frames: 4, ChooseMS: 50, EncodeMS: 10.2, StoreMS: 6}, g.did("photo %t", show)
}

func (g *pressed) Clip(_ context.Context, a control.ClipAction) (control.Clip, error) {
	return control.Clip{ID: "kq3x5vjm2n7bijklmnopqrstuv", DurationSeconds: 9.96}, g.did("clip %s", a)
}

func TestButtons(t *testing.T) {
	refused := WithHint(errors.New("there is no conversation"), "bril live on begins one")
	full := WithHint(errors.New("the storage is full"), "wait")
	for _, tc := range []struct {
		key         byte
		state, clip string
		err         error
		asks, says  string
	}{
		{' ', "ready", "", nil, "live on", ""},
		{' ', "paused", "", nil, "live on", ""},
		{' ', "connecting", "", nil, "live off", ""},
		{'p', "live", "", nil, "live pause", ""},
		{'p', "paused", "", nil, "live on", ""},
		{'p', "ready", "", nil, "", ""},
		{'x', "live", "", nil, "", ""},
		{'f', "live", "", nil, "photo false", "PHOTO       kq3x5vjm… is safe (sharpest of 4, 66 ms)"},
		{'s', "live", "", nil, "photo true", "PHOTO       kq3x5vjm… is safe, to be shown (sharpest of 4, 66 ms)"},
		{'c', "live", "", nil, "clip start", "CLIP        kq3x5vjm… has begun"},
		{'c', "live", "kq3x5vjm2n7bijklmnopqrstuv", nil, "clip stop", "CLIP        kq3x5vjm… is safe (10.0 s)"},
		{'a', "ready", "", nil, "call accept", "CALL        is accepted"},
		{'d', "ready", "", nil, "call decline", "CALL        is declined"},
		{'a', "ready", "", refused, "call accept", "call accept: there is no conversation"},
		{'f', "ready", "", refused, "photo false", "no photo: there is no conversation"},
		{'f', "live", "", full, "photo false", "no photo: the storage is full; hint: wait"},
		{'c', "ready", "", refused, "clip start", "clip start: there is no conversation"},
		{' ', "ready", "", refused, "live on", "live on: there is no conversation"},
	} {
		g := &pressed{err: tc.err, status: control.Status{State: tc.state, Recording: control.Recording{Clip: tc.clip}}}
		b := buttons{daemon: g, done: make(chan string, maxPresses)}
		if b.press(t.Context(), tc.key) {
			t.Errorf("%q quits", tc.key)
		}
		b.running.Wait()
		said := b.said
		select {
		case said = <-b.done:
		default:
		}
		if asked := strings.Join(g.asked, ", "); asked != tc.asks || said != tc.says {
			t.Errorf("%q while %s: asks %q, says %q; want %q, %q", tc.key, tc.state, asked, said, tc.asks, tc.says)
		}
	}
	for _, key := range []byte{'q', 3} {
		if !(&buttons{daemon: &pressed{}}).press(t.Context(), key) {
			t.Errorf("%q does not quit", key)
		}
	}
}

// A disk that takes long holds up neither the keys nor the process's end.
func TestPressesAreBounded(t *testing.T) {
	g := &pressed{hold: make(chan struct{})}
	b := buttons{daemon: g, done: make(chan string, maxPresses)}
	for range 3 * maxPresses {
		b.press(t.Context(), 'f')
	}
	close(g.hold)
	b.running.Wait()
	if len(g.asked) != maxPresses || len(b.done) != maxPresses {
		t.Errorf("%d photos of %d presses, %d answers", len(g.asked), 3*maxPresses, len(b.done))
	}
}

func TestKeyLineShowsTheClip(t *testing.T) {
	s := control.Status{State: "live"}
	if line := keyLine(s); !strings.Contains(line, " c clip ") || len(line) > columns-3 {
		t.Errorf("%q", line)
	}
	s.Call = &control.Call{State: "ringing"}
	if line := keyLine(s); !strings.Contains(line, "a accept") || len(line) > columns-3 {
		t.Errorf("%q", line)
	}
	s.Call.State = "talking"
	s.Recording.Clip, s.Recording.ClipSince = "a", time.Now().Add(-7*time.Second)
	if line := keyLine(s); !strings.Contains(line, "c end the clip") || len(line) > columns-3 {
		t.Errorf("%q", line)
	}
	if lines := (&liveLine{}).next(s, time.Now()); len(lines) != 2 || lines[1] != "CLIP        is running for 7s" {
		t.Errorf("%q", lines)
	}
}
