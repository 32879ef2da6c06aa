package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/lit"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware"
	"github.com/bril-edge/bril/hardware/gpio"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// glasses are a board with a light, two buttons, a camera and a microphone, none
// of them real. The devices look at the lamp with whatever they deliver.
type glasses struct {
	t *testing.T

	mu        sync.Mutex
	lit, gone bool // of the lamp: lit, and not there
	off       int  // how often it was put out while a device ran

	running atomic.Int32 // devices that run

	button1, button2 *fakeButton
	refused          atomic.Int32 // presses
}

// refusals counts the refusals in a log.
type refusals struct {
	slog.Handler
	count *atomic.Int32
}

func (refusals) Enabled(context.Context, slog.Level) bool { return true }

func (r refusals) Handle(_ context.Context, record slog.Record) error {
	if record.Message == "refused" {
		r.count.Add(1)
	}
	return nil
}

type fakeButton struct {
	name    string
	gesture chan hardware.Gesture
	status  gpio.ButtonStatus
}

func (b *fakeButton) Status() gpio.ButtonStatus { return b.status }

func (b *fakeButton) Run(ctx context.Context, press func(hardware.Press)) {
	for {
		select {
		case g := <-b.gesture:
			press(hardware.Press{Button: b.name, Gesture: g})
		case <-ctx.Done():
			return
		}
	}
}

func newGlasses(t *testing.T) *glasses {
	newButton := func(name, line string) *fakeButton {
		return &fakeButton{name, make(chan hardware.Gesture), gpio.ButtonStatus{Name: name, Line: line}}
	}
	return &glasses{t: t, button1: newButton("button1", "BTN1"), button2: newButton("button2", "BTN2")}
}

func (g *glasses) board() *board {
	light := hardware.NewLight("capture light", "LED1", func() (hardware.Lamp, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.gone {
			return nil, syscall.ENODEV
		}
		return g, nil
	})
	return &board{name: "test", light: light, signals: newSignals(light, slog.New(slog.DiscardHandler)), buttons: []button{g.button1, g.button2}}
}

func (g *glasses) Set(on bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return syscall.ENODEV
	}
	if !on && g.running.Load() > 0 {
		g.off++
	}
	g.lit = on
	return nil
}

func (g *glasses) Lit() (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return false, syscall.ENODEV
	}
	return g.lit, nil
}

func (g *glasses) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lit = false
	return nil
}

// unplug takes the lamp away, or brings it back.
func (g *glasses) unplug(gone bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = gone
	g.lit = g.lit && !gone
}

func (g *glasses) isLit() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lit
}

func (g *glasses) system() *lit.System {
	return lit.Fake(
		func(cfg camera.Config) (lit.CameraDevice, error) {
			return &fakeCamera{g.open(), cfg.Width, cfg.Height, 0}, nil
		},
		func(microphone.Config) (lit.MicrophoneDevice, error) { return &fakeMicrophone{device: g.open()}, nil })
}

// device runs until it is closed.
type device struct {
	*glasses
	closed chan struct{}
	once   sync.Once
}

func (g *glasses) open() *device {
	if !g.isLit() {
		g.t.Error("a device is opened in the dark")
	}
	g.running.Add(1)
	return &device{glasses: g, closed: make(chan struct{})}
}

func (d *device) Close() error {
	d.once.Do(func() {
		d.running.Add(-1)
		close(d.closed)
	})
	return nil
}

// wait waits for the next thing to hand out.
func (d *device) wait(ctx context.Context, every time.Duration) error {
	select {
	case <-time.After(every):
	case <-d.closed:
		return os.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.closed:
	default:
		if !d.lit && !d.gone {
			d.t.Error("a device runs in the dark")
		}
	}
	return nil
}

type fakeCamera struct {
	*device
	width, height int
	n             uint64
}

func (c *fakeCamera) Path() string { return "/dev/fake" }

func (c *fakeCamera) Format() capture.VideoFormat {
	return capture.VideoFormat{Format: capture.I420, Width: c.width, Height: c.height, FPS: 50}
}

func (c *fakeCamera) Next(ctx context.Context) (capture.Frame, error) {
	if err := c.wait(ctx, 20*time.Millisecond); err != nil {
		return capture.Frame{}, err
	}
	pool, err := capture.NewPool(capture.I420, c.width, c.height)
	if err != nil {
		return capture.Frame{}, err
	}
	f := pool.Get()
	f.PTS, f.Ready, f.Sequence = monotonic.Now(), monotonic.Now(), c.n
	c.n++
	return f, nil
}

type fakeMicrophone struct {
	*device
	samples [capture.ChunkSamples]int16
	n       uint64
}

func (m *fakeMicrophone) Name() string { return "hw:9,9" }

func (m *fakeMicrophone) Next(ctx context.Context) (capture.Sound, error) {
	if err := m.wait(ctx, capture.ChunkTime); err != nil {
		return capture.Sound{}, err
	}
	m.n++
	return capture.Sound{Format: capture.PCM16, Samples: m.samples[:], Length: capture.ChunkTime, PTS: monotonic.Now() - capture.ChunkTime, Sequence: m.n}, nil
}

// startGlasses runs an agent on glasses, ready.
func startGlasses(t *testing.T, g *glasses, cfg configs.Config, live bool) running {
	t.Helper()
	a, err := New(cfg, Options{Version: "test", StateDir: t.TempDir(), Log: slog.New(refusals{slog.DiscardHandler, &g.refused}), board: g.board(), system: g.system()})
	if err != nil {
		t.Fatal(err)
	}
	r := runAgent(t, a, live)
	r.until("its start", func(s control.Status) bool { return s.State != "off" })
	return r
}

func glassesConfig(endpoint string) configs.Config {
	cfg := configs.Default()
	cfg.Uplink.WHIPURL = endpoint
	cfg.Camera.Size = configs.Size{Width: 64, Height: 64}
	return cfg
}

func (g *glasses) wantDark(r running, what string) {
	g.t.Helper()
	r.until(what, func(control.Status) bool { return g.running.Load() == 0 && !g.isLit() })
}

// The light is on from before the first picture to after the last, and off in
// a pause and afterwards; it is never put out in between.
func TestLightFollowsCapture(t *testing.T) {
	g := newGlasses(t)
	r := startGlasses(t, g, glassesConfig(startEndpoint(t)), false)
	if s := r.Status(); s.Light != (control.Light{Line: "LED1", State: "off"}) || len(s.Errors) != 0 {
		t.Errorf("ready: %+v", s)
	}
	for _, step := range []struct {
		action control.Action
		state  string
		on     bool
	}{{control.On, "live", true}, {control.Pause, "paused", false}, {control.On, "live", true}, {control.Off, "ready", false}} {
		if _, err := r.Live(t.Context(), step.action); err != nil {
			t.Fatal(err)
		}
		s := r.until(step.state, func(s control.Status) bool {
			return s.State == step.state && (s.Light.State == "on") == step.on && (g.running.Load() == 2) == step.on
		})
		if len(s.Errors) != 0 {
			t.Errorf("%s: %+v", step.state, s.Errors)
		}
		if step.on && !g.isLit() {
			t.Errorf("%s and dark", step.state)
		}
		if !step.on {
			g.wantDark(r, "dark")
		}
	}
	if g.off != 0 {
		t.Errorf("put out %d times while a device ran", g.off)
	}
}

// Without its light nothing is captured, at the start and while live; that is a
// fault with a hint, and all is well again once the light is.
func TestNothingIsCapturedWithoutTheLight(t *testing.T) {
	for _, atStart := range []bool{true, false} {
		g := newGlasses(t)
		g.unplug(atStart)
		r := startGlasses(t, g, glassesConfig(startEndpoint(t)), true)
		if !atStart {
			r.until("pictures", func(s control.Status) bool { return s.State == "live" && s.Video.Sent > 3 })
			g.unplug(true)
		}
		s := r.until("a fault of the light", func(s control.Status) bool {
			return len(s.Errors) == 1 && s.Errors[0].Component == "light" && s.Light.State == "failed" && g.running.Load() == 0
		})
		if f := s.Errors[0]; !strings.Contains(f.Message, "capture light LED1: ") || f.Hint == "" || f.Since.IsZero() {
			t.Errorf("fault %+v", f)
		}
		captured := s.Video.Captured
		time.Sleep(50 * time.Millisecond) // a few pictures' time
		if s := r.Status(); s.Video.Captured != captured {
			t.Errorf("%d pictures were captured in the dark", s.Video.Captured-captured)
		}
		g.unplug(false)
		r.until("pictures again", func(s control.Status) bool { return s.State == "live" && s.Video.Captured > captured+3 && g.isLit() })
		r.until("sound again", func(s control.Status) bool { return s.Microphone != "" && g.running.Load() == 2 })
	}
}

// Presses do what the configuration says, and what cannot be done is refused.
func TestButtons(t *testing.T) {
	g := newGlasses(t)
	cfg := glassesConfig(startEndpoint(t))
	cfg.Board.Buttons.Button1.Short = configs.ActionLive
	cfg.Board.Buttons.Button2.Double = configs.ActionNone
	r := startGlasses(t, g, cfg, false)
	is := func(state string) {
		t.Helper()
		r.until(state, func(s control.Status) bool { return s.State == state })
	}
	is("ready")
	g.button2.gesture <- hardware.Short // there is nothing to pause
	g.button2.gesture <- hardware.Double
	g.button1.gesture <- hardware.Double // a photo
	g.button1.gesture <- hardware.Short
	is("live")
	if n := g.refused.Load(); n != 2 {
		t.Errorf("%d presses were refused, want those of the pause and the photo", n)
	}
	g.button2.gesture <- hardware.Short
	is("paused")
	g.button2.gesture <- hardware.Short
	is("live")
	g.button2.gesture <- hardware.Short
	is("paused")
	g.button1.gesture <- hardware.Short
	is("ready")
	g.button1.gesture <- hardware.Long // the default is the same
	is("live")
	g.button1.gesture <- hardware.Long
	is("ready")
}

func TestToggles(t *testing.T) {
	tests := []struct {
		phase       session.Phase
		paused      bool
		live, pause control.Action
	}{
		{session.Off, false, control.On, ""},
		{session.Ready, false, control.On, ""},
		{session.Connecting, false, control.Off, control.Pause},
		{session.Connecting, true, control.Off, control.On},
		{session.Live, false, control.Off, control.Pause},
		{session.Paused, true, control.Off, control.On},
		{session.Fault, false, control.Off, control.Pause},
		{session.Stopping, false, control.On, ""},
	}
	for _, test := range tests {
		if live, pause := toggleLive(test.phase), togglePause(test.phase, test.paused); live != test.live || pause != test.pause {
			t.Errorf("%s, paused %v: live is %q, pause is %q; want %q, %q", test.phase, test.paused, live, pause, test.live, test.pause)
		}
	}
}

func TestActionsOfGestures(t *testing.T) {
	all := configs.Default().Board.Buttons
	for _, test := range []struct {
		button  string
		gesture hardware.Gesture
		want    string
	}{
		{"button1", hardware.Short, "photo"}, {"button1", hardware.Double, "photo-show"}, {"button1", hardware.Long, "live"},
		{"button2", hardware.Short, "pause"}, {"button2", hardware.Double, "none"}, {"button2", hardware.Long, "clip"},
		{"button3", hardware.Short, "none"},
	} {
		if got := action(all, test.button, test.gesture); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.button, test.gesture, got, test.want)
		}
	}
}

// A button that does not work, and one that is stuck, are shown.
func TestBrokenButtonsAreShown(t *testing.T) {
	g := newGlasses(t)
	b := g.board()
	g.button1.status.Err, g.button1.status.Since = errors.New("line BTN1: gone"), time.Now()
	g.button2.status.Stuck = true
	var s control.Status
	b.show(&s)
	want := []control.Button{{Name: "button1", Line: "BTN1", State: "fault", Message: "line BTN1: gone"},
		{Name: "button2", Line: "BTN2", State: "stuck", Message: "it has been down for longer than anyone presses it"}}
	if !slices.Equal(s.Buttons, want) || len(s.Errors) != 1 || s.Errors[0].Component != "button1" || len(s.Warnings) != 1 {
		t.Errorf("got %+v", s)
	}
}

// A status light that fails is worth telling, under its own name, and no fault:
// the capture light works.
func TestBrokenStatusLightIsShown(t *testing.T) {
	g := newGlasses(t)
	b := g.board()
	lamp := hardware.NewLight("status light", "LED2", func() (hardware.Lamp, error) { return nil, syscall.EBUSY })
	b.signals = newSignals(lamp, slog.New(slog.DiscardHandler))
	_ = lamp.Show(true) // it fails
	var s control.Status
	b.show(&s)
	if want := "status light LED2: device or resource busy"; len(s.Errors) != 0 || !slices.Equal(s.Warnings, []string{want}) {
		t.Errorf("faults %v, warnings %q, want %q", s.Errors, s.Warnings, want)
	}
}

// Board profiles give a light that has to work; only generic says that it has none.
func TestLightOfProfiles(t *testing.T) {
	for _, p := range configs.Profiles() {
		b := newBoard(p, configs.Default().Board.Buttons, slog.New(slog.DiscardHandler))
		var s control.Status
		b.show(&s)
		generic := p.Name == configs.ProfileGeneric
		if (s.Light.State == "none") != generic || (s.Light.Note == noLight) != generic || (s.Light.Line == "") != generic {
			t.Errorf("%s: %+v", p.Name, s.Light)
		}
		if hold, err := b.light.Hold(); err == nil && !generic {
			hold.Release()
			t.Errorf("%s: its light can be held on this machine", p.Name)
		}
		if len(b.buttons) != len(p.Buttons) {
			t.Errorf("%s: %d buttons", p.Name, len(b.buttons))
		}
	}
}

// No pattern looks like capture.
func TestPatternsAreMostlyDark(t *testing.T) {
	seen := map[string]bool{}
	for _, phase := range []session.Phase{session.Off, session.Ready, session.Connecting, session.Live, session.Paused, session.Stopping, session.Fault} {
		for _, battery := range []bool{false, true} {
			p := patternOf(phase, battery)
			var on, all time.Duration
			for i, d := range p {
				all += d
				if i%2 == 0 {
					on += d
				}
			}
			if len(p)%2 != 0 || len(p) > 0 && on*2 >= all {
				t.Errorf("%s: lit %v of %v", phase, on, all)
			}
			seen[fmt.Sprint(p)] = true
		}
	}
	if len(seen) != 6 { // ready, connecting, paused, fault, low battery, and dark
		t.Errorf("%d different patterns", len(seen))
	}
}

// A press that the session does not answer in time is refused, not forgotten;
// one that the daemon's end overtakes needs no answer.
func TestPressWithoutAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		ends bool
		want string
	}{"no answer": {false, "level=WARN msg=refused action=live"}, "the end": {true, ""}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				opts := Options{StateDir: t.TempDir(), board: newGlasses(t).board(), Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
				a, err := New(glassesConfig("http://127.0.0.1:9/whip/x"), opts) // does not run
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.ends {
					time.AfterFunc(time.Second, cancel)
				}
				a.press(ctx, hardware.Press{Button: "button1", Gesture: hardware.Long})
				if got := log.String(); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
					t.Errorf("logged %q, want %q", got, test.want)
				}
				if err := a.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
