package cue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/hardware/alsa"
	"github.com/bril-edge/bril/hardware/speaker"
)

// device is a fake sound output on the clock of a bubble.
type device struct {
	mu    sync.Mutex
	heard []int16
	opens int
	open  int
	fails error // of open
	stuck bool
	takes time.Duration // of open
	gone  chan struct{}
}

type output struct {
	*device
	end  chan struct{}
	done sync.WaitGroup
}

func (d *device) start(fill func([]int16)) (Output, error) {
	time.Sleep(d.takes)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opens++
	if d.fails != nil {
		return nil, d.fails
	}
	d.open++
	o := &output{device: d, end: make(chan struct{})}
	d.gone = make(chan struct{})
	o.done.Go(func() { o.run(fill, d.stuck) })
	return o, nil
}

func (o *output) run(fill func([]int16), stuck bool) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	chunk := make([]int16, alsa.SampleRate/50)
	for {
		select {
		case <-ticker.C:
		case <-o.end:
			return
		}
		if stuck {
			continue
		}
		fill(chunk)
		o.mu.Lock()
		o.heard = append(o.heard, chunk...)
		o.mu.Unlock()
	}
}

func (o *output) Gone() <-chan struct{} { return o.gone }

func (o *output) Close() error {
	close(o.end)
	o.done.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open--
	return nil
}

type rig struct {
	t *testing.T
	*Player
	device *device
	log    *bytes.Buffer
	pcm    map[session.Cue][]int16
	cancel context.CancelFunc
	done   chan struct{}
}

func inBubble(t *testing.T, cfg Config, test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, device: &device{}, log: &bytes.Buffer{}, done: make(chan struct{})}
		cfg.Open = r.device.start
		cfg.Log = slog.New(slog.NewTextHandler(r.log, nil))
		r.Player = NewPlayer(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		r.cancel = cancel
		go func() {
			defer close(r.done)
			if err := r.Run(ctx); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		test(r)
		cancel()
		<-r.done
		if r.device.open != 0 {
			t.Errorf("%d devices are open at the end", r.device.open)
		}
	})
}

func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// wantHeard checks which cues were played whole since it was asked last, in their
// order.
func (r *rig) wantHeard(want ...session.Cue) {
	r.t.Helper()
	r.device.mu.Lock()
	defer r.device.mu.Unlock()
	type found struct {
		at  int
		cue session.Cue
	}
	var all []found
	for c, pcm := range r.sounds() {
		if at := indexOf(r.device.heard, pcm); at >= 0 {
			all = append(all, found{at, c})
		}
	}
	slices.SortFunc(all, func(a, b found) int { return a.at - b.at })
	var got []session.Cue
	for _, f := range all {
		got = append(got, f.cue)
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("heard %v, want %v", got, want)
	}
	r.device.heard = nil
}

// sounds returns how each cue sounds.
func (r *rig) sounds() map[session.Cue][]int16 {
	if r.pcm == nil {
		r.pcm = map[session.Cue][]int16{}
		for _, c := range All() {
			pcm, err := PCM(c, r.cfg.Language, r.cfg.Volume)
			if err != nil {
				r.t.Fatal(err)
			}
			r.pcm[c] = pcm
		}
	}
	return r.pcm
}

// indexOf is bytes.Index, which is fast, with the race detector too.
func indexOf(all, part []int16) int {
	raw := func(s []int16) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), 2*len(s)) }
	return bytes.Index(raw(all), raw(part))
}

func TestPlays(t *testing.T) {
	for _, l := range []Language{Silent, Dutch, German, English} {
		t.Run(string(l), func(t *testing.T) {
			inBubble(t, Config{Language: l, Volume: -6}, func(r *rig) {
				for _, c := range All() {
					r.Cue(c)
					r.pass(5 * time.Second)
					r.wantHeard(c)
					if r.device.open != 0 {
						t.Error("the device stays open")
					}
				}
			})
		})
	}
}

func TestOrder(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.device.takes = 100 * time.Millisecond
		r.Cue(session.CueBattery)
		r.Cue(session.CueLive)
		r.Cue(session.CueRefused)
		r.Cue(session.CueEnded)
		r.pass(5 * time.Second)
		r.wantHeard(session.CueRefused, session.CueEnded, session.CueBattery)
		if r.device.opens != 1 {
			t.Errorf("the device was opened %d times", r.device.opens)
		}
	})
}

// What is said is cut short when it is true no longer, without a click.
func TestCutShort(t *testing.T) {
	inBubble(t, Config{Language: English}, func(r *rig) {
		r.Cue(session.CueEnding) // 640 ms and its words
		r.pass(30 * time.Millisecond)
		r.Cue(session.CueEndedItself)
		r.pass(200 * time.Millisecond)
		r.Cue(session.CueLive)
		r.pass(3 * time.Second)
		clean(t, "what was heard", append([]int16{0}, append(slices.Clone(r.device.heard), 0)...))
		r.wantHeard(session.CueLive)
	})
}

// A call that is answered rings no longer, without a click; what else waits is heard.
func TestHush(t *testing.T) {
	inBubble(t, Config{Language: English}, func(r *rig) {
		r.Cue(session.CueRing)
		r.pass(100 * time.Millisecond)
		r.Hush(session.CueRing)
		r.pass(200 * time.Millisecond)
		clean(t, "what was heard", append([]int16{0}, append(slices.Clone(r.device.heard), 0)...))
		r.Cue(session.CueLive)
		r.Cue(session.CueRing)
		r.Hush(session.CueRing)
		r.Hush(session.CueHeat)
		r.pass(3 * time.Second)
		r.wantHeard(session.CueLive)
	})
}

// A press between the choice of a cue and its first sound counts too.
func TestCutBeforeItBegins(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.device.takes = time.Second
		r.Cue(session.CueLive)
		r.pass(500 * time.Millisecond)
		r.Cue(session.CueEnded)
		r.pass(5 * time.Second)
		r.wantHeard(session.CueEnded)
	})
}

// What happens at the end is heard, but not for ever.
func TestFarewell(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.Cue(session.CueEndedItself)
		r.cancel()
		<-r.done
		r.wantHeard(session.CueEndedItself)
	})
	inBubble(t, Config{}, func(r *rig) {
		r.device.stuck = true
		start := time.Now()
		r.Cue(session.CueEndedItself)
		r.cancel()
		<-r.done
		if d := time.Since(start); d > farewell {
			t.Errorf("it took %v", d)
		}
	})
}

func TestTrouble(t *testing.T) {
	tests := []struct {
		name  string
		cfg   Config
		fails func(*device)
		want  string // in the warning
	}{
		{"no device", Config{}, func(d *device) { d.fails = fmt.Errorf("open: %w", speaker.ErrNoSpeaker) }, ""},
		{"no such device", Config{Device: "hw:7,0"}, func(d *device) { d.fails = fmt.Errorf("open: %w", speaker.ErrNoSpeaker) }, "no sound output"},
		{"busy", Config{}, func(d *device) { d.fails = alsa.ErrBusy }, "another process"},
		{"stuck", Config{}, func(d *device) { d.stuck = true }, "takes no sound"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, test.cfg, func(r *rig) {
				test.fails(r.device)
				for range 3 {
					r.Cue(session.CueLive)
					r.pass(5 * time.Second)
				}
				warning, logged := r.Warning(), strings.Count(r.log.String(), "level=WARN")
				if test.want == "" && (warning != "" || logged != 0) || !strings.Contains(warning, test.want) || test.want != "" && logged != 1 {
					t.Errorf("warning %q, logged %d times, want %q", warning, logged, test.want)
				}
				r.device.mu.Lock()
				r.device.fails, r.device.stuck = nil, false
				r.device.mu.Unlock()
				r.wantHeard()
				r.Cue(session.CuePaused)
				r.pass(5 * time.Second)
				r.wantHeard(session.CuePaused)
				if w := r.Warning(); w != "" {
					t.Errorf("warning of what works: %q", w)
				}
			})
		})
	}
}

func TestUnplugged(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.Cue(session.CueFrozen)
		r.Cue(session.CueHeat)
		r.pass(100 * time.Millisecond)
		close(r.device.gone)
		r.pass(time.Second)
		if w := r.Warning(); !strings.Contains(w, alsa.ErrGone.Error()) {
			t.Errorf("warning is %q", w)
		}
		r.wantHeard()
		r.Cue(session.CueLive)
		r.pass(time.Second)
		r.wantHeard(session.CueLive)
	})
}

func TestPlayNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &device{}
		r := &rig{t: t, device: d, Player: NewPlayer(Config{Language: German, Open: d.start})}
		if err := r.Play(t.Context(), All()...); err != nil {
			t.Error(err)
		}
		r.wantHeard(All()...)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		if err := r.Play(ctx, session.CueLive, session.CueEnded); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v", err)
		}
		r.wantHeard()
		d.fails = speaker.ErrNoSpeaker
		if err := r.Play(t.Context(), session.CueLive); !errors.Is(err, speaker.ErrNoSpeaker) {
			t.Errorf("without a device: %v", err)
		}
		if d.open != 0 {
			t.Error("a device is open")
		}
	})
}

// A cue never waits, however long the device takes.
func TestCueReturnsAtOnce(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.device.takes = time.Hour
		r.device.fails = errors.New("broken")
		start := time.Now()
		for range 100 {
			for _, c := range All() {
				r.Cue(c)
			}
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("took %v", d)
		}
		r.pass(2 * time.Hour)
	})
}

// What an unplugged device did not take is not heard from the next one, which
// asks for sound before there is any.
func TestRemainderIsNotHeardLater(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.Cue(session.CueFrozen)
		r.pass(100 * time.Millisecond)
		close(r.device.gone)
		r.pass(time.Second)
		first := make([]int16, alsa.SampleRate/50)
		r.Player.cfg.Open = func(fill func([]int16)) (Output, error) {
			fill(first)
			return r.device.start(fill)
		}
		r.Cue(session.CueLive)
		r.pass(time.Second)
		if i := slices.IndexFunc(first, func(s int16) bool { return s != 0 }); i >= 0 {
			t.Errorf("sample %d of a new device is %d: of the last cue", i, first[i])
		}
	})
}
