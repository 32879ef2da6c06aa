package clip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// scene plays a stream into a ring in the time of its bubble.
type scene struct {
	*stream
	*clock
	t       *testing.T
	ring    *Ring
	frame   time.Duration // from one picture to the next
	jitter  time.Duration // at most, more or less
	gop     time.Duration
	latency time.Duration // from a picture's time to its access unit
	size    int
	keyAt   time.Duration // the next IDR picture
	soundAt time.Duration // the next packet
}

func newScene(t *testing.T, seed uint64, config Config) *scene {
	s := &scene{stream: newStream(seed, 640, 480), clock: newClock(), t: t,
		frame: 33 * time.Millisecond, gop: 2 * time.Second, latency: 20 * time.Millisecond, size: 2000}
	config.Now = s.now
	s.ring = NewRing(config)
	s.soundAt = s.now()
	return s
}

// play goes on for that long. A picture reaches the ring after the latency.
func (s *scene) play(d time.Duration) {
	for end := s.now() + d; s.now() < end; {
		pts := s.now()
		key := pts >= s.keyAt
		if key {
			s.keyAt = pts + s.gop
		}
		time.Sleep(s.latency)
		for ; s.soundAt+20*time.Millisecond <= s.now(); s.soundAt += 20 * time.Millisecond {
			s.ring.Audio(s.packet(s.soundAt))
		}
		s.ring.Video(s.unit(pts, key, s.size))
		wait := s.frame - s.latency
		if s.jitter > 0 {
			wait += time.Duration(s.random.Int64N(int64(2*s.jitter))) - s.jitter
		}
		time.Sleep(max(wait, time.Millisecond))
	}
}

// take is a clip that runs.
type take struct {
	*Clip
	t       *testing.T
	file    bytes.Buffer
	done    chan struct{}
	summary Summary
	err     error
}

func (s *scene) begin(limit time.Duration) *take { return s.beginTo(nil, limit) }

// beginTo writes to w, or to memory without one.
func (s *scene) beginTo(w io.Writer, limit time.Duration) *take {
	k := &take{t: s.t, done: make(chan struct{})}
	if w == nil {
		w = &k.file
	}
	k.Clip = s.ring.Begin(w, limit)
	go func() {
		defer close(k.done)
		k.summary, k.err = k.Clip.Run(context.Background())
	}()
	return k
}

// wait returns the clip, read back, when it has ended like that.
func (k *take) wait(why End) movie {
	k.t.Helper()
	<-k.done
	if k.err != nil {
		k.t.Fatal(k.err)
	}
	if k.summary.End != why {
		k.t.Errorf("ended: %v, want %v", k.summary.End, why)
	}
	m := readMovie(k.t, k.file.Bytes())
	if len(m.video) != k.summary.Pictures || len(m.audio) != k.summary.Packets || m.duration() != k.summary.Duration || int64(k.file.Len()) != k.summary.Bytes {
		k.t.Errorf("%+v does not describe %d pictures and %d packets in %v, %d bytes", k.summary, len(m.video), len(m.audio), m.duration(), k.file.Len())
	}
	return m
}

// check holds the clip against what was put in.
func (s *scene) check(k *take, m movie) {
	s.t.Helper()
	checkSamples(s.t, "video", m.video, s.units, k.summary.Start, videoScale)
	checkSamples(s.t, "audio", m.audio, s.packets, k.summary.Start, audioScale)
	if len(m.audio) > 0 && m.audio[0].DecodeTime > audioScale/50 {
		s.t.Errorf("sound begins %v after the picture", ticksToTime(m.audio[0].DecodeTime, audioScale))
	}
}

// testAny takes one clip of a stream whose every property follows from the seed.
func testAny(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(random.Int64N(int64(most-least)+1))
	}
	config := Config{PreRoll: between(0, 12*time.Second), Sound: random.IntN(2) == 0}
	if random.IntN(4) == 0 {
		config.PreRoll = 0
	}
	s := newScene(t, seed, config)
	s.frame = between(time.Second/60, time.Second/5)
	s.jitter = between(0, s.frame/2)
	s.gop = between(s.frame, 2*time.Second-s.frame-s.jitter)
	s.latency = between(0, 80*time.Millisecond)
	s.size = 100 + random.IntN(4000)
	before := between(s.frame, 20*time.Second)
	recorded := between(0, 8*time.Second)
	s.play(before)
	_, _, buffered := s.ring.Stats()
	press := s.now()
	k := s.begin(0)
	s.play(recorded)
	recorded = s.now() - press
	k.Stop()
	m := k.wait(Stopped)
	s.check(k, m)

	least, most := config.PreRoll+recorded, config.PreRoll+recorded+2*time.Second+s.latency+2*s.frame
	if reached := buffered >= config.PreRoll; !reached && before > config.PreRoll+2*time.Second {
		t.Errorf("after %v the ring holds %v, want %v", before, buffered, config.PreRoll)
	} else if !reached {
		least = recorded
	}
	if d := m.duration(); d < least-time.Millisecond || d > most {
		t.Errorf("%v long, want from %v to %v", d, least, most)
	}
	if k.summary.PreRoll+recorded-m.duration() > time.Millisecond || m.duration()-k.summary.PreRoll-recorded > time.Millisecond {
		t.Errorf("%v long, with %v before the press and %v after", m.duration(), k.summary.PreRoll, recorded)
	}
}

func TestAnyClip(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) { testAny(t, seed) })
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

func FuzzClip(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) { testAny(t, seed) })
	})
}

func TestClipEnds(t *testing.T) {
	const before, after = 6 * time.Second, 1500 * time.Millisecond
	for _, test := range []struct {
		name  string
		limit time.Duration
		end   func(*scene, *take)
		want  End
		long  time.Duration // since it was begun
	}{
		{"stop", 0, func(_ *scene, k *take) { k.Stop() }, Stopped, after},
		{"stop, again", 0, func(_ *scene, k *take) { k.Stop(); k.Stop() }, Stopped, after},
		{"stop before the limit", time.Minute, func(_ *scene, k *take) { k.Stop() }, Stopped, after},
		{"limit", time.Second, func(*scene, *take) {}, Limit, time.Second},
		{"limit to come", 2 * time.Second, func(s *scene, _ *take) { s.play(time.Second) }, Limit, 2 * time.Second},
		{"limit, no more pictures", 5 * time.Second, func(*scene, *take) { time.Sleep(time.Minute) }, Limit, 5 * time.Second},
		{"pause", 0, func(s *scene, _ *take) { s.ring.Empty(); s.play(3 * time.Second) }, Emptied, after},
		{"pause, then stop", 0, func(s *scene, k *take) { s.ring.Empty(); s.play(time.Second); k.Stop() }, Emptied, after},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 7, Config{PreRoll: 3 * time.Second, Sound: true})
				s.play(before)
				press := s.now()
				k := s.begin(test.limit)
				s.play(after - s.now() + press)
				if s.now() < press+after {
					time.Sleep(press + after - s.now())
				}
				late := s.now() - press - after // the last picture's wait may exceed what was asked for
				test.end(s, k)
				m := k.wait(test.want)
				s.check(k, m)
				want := k.summary.PreRoll + test.long
				if d := m.duration(); d < want-time.Millisecond || d > want+late+time.Millisecond {
					t.Errorf("%v long, want %v", d, want)
				}
				if k.summary.PreRoll < 3*time.Second || k.summary.PreRoll > 5*time.Second {
					t.Errorf("pre-roll of %v", k.summary.PreRoll)
				}
			})
		})
	}
}

func TestEmptyForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 3, Config{PreRoll: 10 * time.Second, Sound: true})
		s.play(11 * time.Second)
		s.ring.Empty()
		if bytes, _, buffered := s.ring.Stats(); s.ring.arena.touched() != 0 || buffered != 0 {
			t.Errorf("%d bytes and %v are left", bytes, buffered)
		}
		paused := s.now()
		time.Sleep(time.Second)
		s.keyAt = s.now() + time.Second // the first picture is not one to begin with
		k := s.begin(0)
		s.play(3 * time.Second)
		k.Stop()
		m := k.wait(Stopped)
		s.check(k, m)
		if k.summary.Start < paused || k.summary.PreRoll != 0 {
			t.Errorf("%+v, paused at %v", k.summary, paused)
		}
	})
}

// TestSourceThatWasAway has clips begin behind the gap that a pulled cable leaves,
// however much of before it is held, and while it lasts with the next picture. One
// that runs goes on over it.
func TestSourceThatWasAway(t *testing.T) {
	for name, back := range map[string]time.Duration{"a while ago": 2 * time.Second, "just now": 50 * time.Millisecond, "not yet": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, 3, Config{PreRoll: 5 * time.Second})
				s.play(8 * time.Second)
				running := s.begin(0)
				time.Sleep(time.Minute)
				s.keyAt = s.now()
				plugged := s.now()
				s.play(back)
				k := s.begin(0)
				s.play(time.Second)
				running.Stop()
				k.Stop()
				s.check(k, k.wait(Stopped))
				if k.summary.Start != plugged || k.summary.Duration > s.now()-plugged {
					t.Errorf("it begins at %v, the source was back at %v; %+v", k.summary.Start, plugged, k.summary)
				}
				s.check(running, running.wait(Stopped))
				if running.summary.Duration < time.Minute+5*time.Second {
					t.Errorf("the one that ran: %+v", running.summary)
				}
			})
		})
	}
}

// TestEmptyWhileTheWriterIsLate finishes the clip with what was there, and no more.
func TestEmptyWhileTheWriterIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 3, Config{PreRoll: 3 * time.Second, Sound: true})
		s.play(5 * time.Second)
		var file bytes.Buffer
		gate := &gate{w: &file, open: make(chan struct{})}
		k := s.beginTo(gate, 0)
		s.play(2 * time.Second)
		paused := s.now()
		s.ring.Empty()
		s.play(2 * time.Second)
		next := s.begin(0)
		s.play(time.Second)
		next.Stop()
		close(gate.open)
		<-k.done
		k.file = file
		s.check(k, k.wait(Emptied))
		if end := k.summary.Start + k.summary.Duration; end > paused || end < paused-time.Millisecond {
			t.Errorf("ends at %v, paused at %v", end, paused)
		}
		s.check(next, next.wait(Stopped))
		if next.summary.Start < paused {
			t.Errorf("the next one begins at %v, before the pause at %v", next.summary.Start, paused)
		}
	})
}

// gate is a writer that blocks until it is opened.
type gate struct {
	w    io.Writer
	open chan struct{}
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.w.Write(p)
}

func TestNoPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 3, Config{PreRoll: time.Second})
		for name, end := range map[string]func(*take){
			"stop":  func(k *take) { k.Stop() },
			"empty": func(*take) { s.ring.Empty() },
			"limit": func(*take) { time.Sleep(time.Minute) },
		} {
			k := s.begin(10 * time.Second)
			end(k)
			if <-k.done; !errors.Is(k.err, ErrNoPicture) || k.file.Len() > 0 {
				t.Errorf("%s: %v, %d bytes", name, k.err, k.file.Len())
			}
		}
		if len(s.ring.clips) > 0 {
			t.Errorf("%d clips are left", len(s.ring.clips))
		}
	})
}

func TestResized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 3, Config{PreRoll: 5 * time.Second, Sound: true})
		s.play(6 * time.Second)
		k := s.begin(0)
		s.play(time.Second)
		s.resize(320, 240)
		s.keyAt = s.now()
		changed := s.now()
		s.play(time.Second)
		m := k.wait(Resized)
		s.check(k, m)
		if end := k.summary.Start + k.summary.Duration; m.width != 640 || m.height != 480 || end > changed || end < changed-time.Millisecond {
			t.Errorf("%dx%d, ends at %v, changed at %v", m.width, m.height, end, changed)
		}
		k = s.begin(0)
		s.play(time.Second)
		k.Stop()
		m = k.wait(Stopped)
		s.check(k, m)
		if m.width != 320 || m.height != 240 || k.summary.Start != changed {
			t.Errorf("the next one: %dx%d from %v on, changed at %v", m.width, m.height, k.summary.Start, changed)
		}
	})
}

// TestOtherSetsOfTheSameSize keeps a clip whole when an encoder that took a new
// bitrate writes another level, and goes back to the first one: which level each
// IDR picture is decoded with follows from what is in the stream before it.
func TestOtherSetsOfTheSameSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 3, Config{PreRoll: time.Second})
		s.play(3 * time.Second)
		k := s.begin(0)
		for _, level := range []byte{40, 31, 31} {
			s.sets[7] = level
			s.keyAt = s.now()
			s.play(time.Second)
		}
		k.Stop()
		m := k.wait(Stopped)
		var levels []byte
		for _, sample := range m.video {
			if sample.Data[4] == 0x67 {
				levels = append(levels, sample.Data[7])
			}
		}
		if !bytes.Equal(levels, []byte{40, 31, 31}) || k.summary.PreRoll < time.Second || k.summary.Duration < 4*time.Second {
			t.Errorf("the levels in the stream are %v, want each from the first other one on; %+v", levels, k.summary)
		}
	})
}

func TestWriterFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 3, Config{PreRoll: time.Second})
		s.play(3 * time.Second)
		k := s.beginTo(failing{}, 0)
		if <-k.done; !errors.Is(k.err, errDisk) {
			t.Errorf("got %v, want the writer's error", k.err)
		}
		if _, err := k.Run(t.Context()); err == nil {
			t.Error("a second Run: no error")
		}
		c := s.ring.Begin(io.Discard, 0)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Run(ctx); !errors.Is(err, context.Canceled) || len(s.ring.clips) > 0 {
			t.Errorf("with a context that has ended: %v, %d clips are left", err, len(s.ring.clips))
		}
	})
}

var errDisk = errors.New("disk is full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errDisk }

// TestTogether calls everything from everywhere; the race detector looks on.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 3, Config{PreRoll: 2 * time.Second, Sound: true, MaxBytes: 1 << 20})
		s.size = 6000
		stop := make(chan struct{})
		var all sync.WaitGroup
		every := func(d time.Duration, f func()) {
			all.Go(func() {
				for tick := time.NewTicker(d); ; {
					select {
					case <-tick.C:
						f()
					case <-stop:
						tick.Stop()
						return
					}
				}
			})
		}
		for n := range time.Duration(3) {
			every(700*time.Millisecond+n*time.Millisecond, func() {
				c := s.ring.Begin(io.Discard, 5*time.Second)
				all.Go(func() {
					if _, err := c.Run(context.Background()); err != nil && !errors.Is(err, ErrNoPicture) {
						t.Error(err)
					}
				})
				time.Sleep(300 * time.Millisecond)
				c.Stop()
			})
		}
		every(3*time.Second, s.ring.Empty)
		every(10*time.Millisecond, func() { s.ring.Stats() })
		s.play(20 * time.Second)
		close(stop)
		all.Wait()
		if len(s.ring.clips) > 0 {
			t.Errorf("%d clips are left", len(s.ring.clips))
		}
	})
}
