package agent

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
)

// arrived waits until the endpoint has n photos and clips, and returns their kinds
// by id.
func (r running) arrived(whip string, n int) map[string]string {
	r.t.Helper()
	url := strings.Replace(whip, "/whip/", "/api/sessions/", 1) + "/media"
	kinds := map[string]string{}
	r.until("what was taken", func(control.Status) bool {
		answer, err := http.Get(url) //nolint:noctx // it ends with the endpoint
		if err != nil {
			r.t.Fatal(err)
		}
		defer answer.Body.Close()
		var list struct{ Items []media.Listed }
		if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
			r.t.Fatal(err)
		}
		for _, item := range list.Items {
			kinds[item.ID] = string(item.Kind)
		}
		return len(kinds) >= n
	})
	return kinds
}

// Photos and clips without a conversation: the camera runs for them alone, under
// its light, and what is taken arrives. A clip that runs when a conversation begins
// ends there.
func TestOutside(t *testing.T) {
	g := newGlasses(t)
	whip := startEndpoint(t)
	cfg := glassesConfig(whip)
	cfg.Media.OutsideSession = true
	r := startGlasses(t, g, cfg, false)
	want := map[string]string{}

	photo, err := r.Photo(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	want[photo.ID] = "photo"
	g.wantDark(r, "the end of the photo")

	for _, conversation := range []bool{false, true} {
		clip, err := r.Clip(t.Context(), control.StartClip)
		if err != nil {
			t.Fatal(err)
		}
		want[clip.ID] = "clip"
		s := r.until("a clip", func(s control.Status) bool { return s.Recording.RingSeconds > 0.5 })
		if s.State != "ready" || s.Camera == "" || s.Microphone != "" || s.Uplink.State != "off" || s.Light.State != "on" || s.Recording.Clip != clip.ID {
			t.Errorf("status: %+v", s)
		}
		if n := g.running.Load(); n != 1 || !g.isLit() {
			t.Errorf("%d devices run, lit: %v", n, g.isLit())
		}
		if conversation {
			if _, err := r.Live(t.Context(), control.On); err != nil {
				t.Fatal(err)
			}
			r.until("live", func(s control.Status) bool {
				return s.State == "live" && g.running.Load() == 2 && s.Recording.Armed && s.Recording.Clip == ""
			})
			if _, err := r.Live(t.Context(), control.Off); err != nil {
				t.Fatal(err)
			}
		} else if stopped, err := r.Clip(t.Context(), control.StopClip); err != nil || stopped.ID != clip.ID || stopped.DurationSeconds < 0.5 {
			t.Errorf("stop: %+v, %v", stopped, err)
		}
		g.wantDark(r, "the end of the clip")
	}

	if got := r.arrived(whip, len(want)); len(got) != len(want) {
		t.Errorf("%v arrived, want %v", got, want)
	} else {
		for id, kind := range want {
			if got[id] != kind {
				t.Errorf("%s: %q, want a %s", id, got[id], kind)
			}
		}
	}
	if g.off > 0 {
		t.Errorf("the light was put out %d times while a device ran", g.off)
	}
}

// Without being allowed, in a pause and without the light there is no photo, and no
// device runs; who asks is told what to do.
func TestOutsideRefused(t *testing.T) {
	tests := map[string]struct {
		allowed, dark, pause bool
		why, hint            string
	}{
		"not allowed":       {why: "none is live", hint: "media.outside_session"},
		"paused":            {allowed: true, pause: true, why: "is paused", hint: "bril live on"},
		"paused by default": {pause: true, why: "is paused", hint: "bril live on"},
		"no light":          {allowed: true, dark: true, why: "light LED1", hint: "nothing is captured while the light does not work"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := newGlasses(t)
			g.unplug(test.dark)
			cfg := glassesConfig(startEndpoint(t))
			cfg.Media.OutsideSession = test.allowed
			r := startGlasses(t, g, cfg, test.pause)
			if test.pause {
				r.until("live", func(s control.Status) bool { return s.State == "live" })
				if _, err := r.Live(t.Context(), control.Pause); err != nil {
					t.Fatal(err)
				}
				g.wantDark(r, "a pause")
			}
			_, photo := r.Photo(t.Context(), false)
			_, clip := r.Clip(t.Context(), control.StartClip)
			for _, err := range []error{photo, clip} {
				if err == nil || !strings.Contains(err.Error(), test.why) || !strings.Contains(hint(err), test.hint) {
					t.Errorf("%v, hint %q", err, hint(err))
				}
			}
			if n := g.running.Load(); n > 0 {
				t.Errorf("%d devices run", n)
			}
			r.until("no fault", func(s control.Status) bool { return test.dark || len(s.Errors) == 0 })
		})
	}
}

// Whatever is asked for at once and in whatever order, the light is on while a
// device runs, and at the end nothing does.
func TestOutsideInAnyOrder(t *testing.T) {
	g := newGlasses(t)
	cfg := glassesConfig(startEndpoint(t))
	cfg.Media.OutsideSession = true
	r := startGlasses(t, g, cfg, false)
	live := func(action control.Action) func() {
		return func() { _, _ = r.Live(t.Context(), action) } // it may be refused
	}
	asks := []func(){
		live(control.On), live(control.On), live(control.Off), live(control.Off), live(control.Pause),
		func() { _, _ = r.Photo(t.Context(), false) },
		func() { _, _ = r.Clip(t.Context(), control.StartClip) },
		func() { _, _ = r.Clip(t.Context(), control.StopClip) },
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		var asking sync.WaitGroup
		for range 12 {
			asking.Go(asks[random.IntN(len(asks))])
		}
		asking.Wait()
	}
	r.alive()
	if _, err := r.Clip(t.Context(), control.StopClip); err == nil {
		t.Log("a clip was running")
	}
	g.wantDark(r, "the end")
	if g.off > 0 {
		t.Errorf("the light was put out %d times while a device ran", g.off)
	}
	for _, item := range r.Spool().Items {
		if item.State != "ready" {
			t.Errorf("left: %+v", item)
		}
	}
}
