package clip

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/encoder"
)

// TestBound holds the ring to its memory whatever comes, and to whole GOPs.
func TestBound(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 2))
		now := time.Hour
		s := newStream(seed, 640, 480)
		r := NewRing(Config{
			PreRoll: time.Duration(random.IntN(30)) * time.Second, Sound: true,
			MaxBytes: random.IntN(2 << 20), Now: func() time.Duration { return now },
		})
		gop, size := 1+random.IntN(100), 1+random.IntN(30_000)
		for i := range 1000 {
			now += time.Second / 30
			for sound := now; sound < now+time.Second/30; sound += 10 * time.Millisecond {
				r.Audio(s.packet(sound))
			}
			n := 1 + random.IntN(size)
			if random.IntN(300) == 0 {
				n = random.IntN(3 << 20) // more than fits, even alone
			}
			r.Video(s.unit(now, i%gop == 0, n))
			s.units, s.packets = nil, nil
			if bytes, limit, _ := r.Stats(); bytes > limit || limit != r.config.MaxBytes {
				t.Fatalf("seed %d, picture %d: %d bytes of %d", seed, i, bytes, limit)
			}
			if r.video.empty() {
				continue
			}
			if r.keys.len() == 0 || *r.keys.at(r.keys.base) != r.video.entries.base || !r.video.oldest().key() {
				t.Fatalf("seed %d, picture %d: the ring does not begin with an IDR picture", seed, i)
			}
		}
	}
}

// TestBuffered keeps the pre-roll and at most one GOP more.
func TestBuffered(t *testing.T) {
	for _, preRoll := range []time.Duration{0, 5 * time.Second, 10 * time.Second, 30 * time.Second} {
		now := time.Hour
		s := newStream(1, 640, 480)
		r := NewRing(Config{PreRoll: preRoll, Now: func() time.Duration { return now }})
		key, other := s.unit(0, true, 10_400), s.unit(0, false, 10_400)
		for i := range 40 * 30 {
			now += time.Second / 30
			au := other
			if i%60 == 0 {
				au = key
			}
			au.PTS = now
			r.Video(au)
			if _, _, buffered := r.Stats(); buffered > preRoll+2*time.Second || buffered < min(preRoll, time.Duration(i)*time.Second/30-time.Millisecond) {
				t.Fatalf("with a pre-roll of %v: %v after picture %d", preRoll, buffered, i)
			}
		}
	}
}

// TestOverrun lets a writer hang until the ring is full. The capture side never
// waits, the clip is whole as far as it goes, and the next one has its pre-roll.
func TestOverrun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 5, Config{PreRoll: 2 * time.Second, Sound: true, MaxBytes: 1 << 20})
		s.size, s.gop = 6000, time.Second // 200 kB a second
		s.play(4 * time.Second)
		var file bytes.Buffer
		gate := &gate{w: &file, open: make(chan struct{})}
		k := s.beginTo(gate, 0)
		before := s.now()
		s.play(10 * time.Second)
		if late := s.now() - before - 10*time.Second; late > s.frame {
			t.Errorf("the capture side was %v late", late)
		}
		if bytes, limit, _ := s.ring.Stats(); bytes > limit {
			t.Errorf("%d bytes of %d", bytes, limit)
		}
		next := s.begin(0)
		close(gate.open)
		<-k.done
		k.file = file
		s.check(k, k.wait(Overrun))
		s.play(time.Second)
		next.Stop()
		s.check(next, next.wait(Stopped))
		if next.summary.PreRoll < 2*time.Second {
			t.Errorf("the next one has a pre-roll of %v", next.summary.PreRoll)
		}
	})
}

// TestSlowWriter is late by less than the ring holds, and loses nothing.
func TestSlowWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 5, Config{Sound: true})
		s.size = 10_400
		s.play(2 * time.Second)
		var file bytes.Buffer
		gate := &gate{w: &file, open: make(chan struct{})}
		k := s.beginTo(gate, 0)
		s.play(slack)
		close(gate.open)
		s.play(5 * time.Second)
		k.Stop()
		<-k.done
		k.file = file
		s.check(k, k.wait(Stopped))
		if k.summary.Duration < 10*time.Second {
			t.Errorf("%+v", k.summary)
		}
	})
}

// TestWithoutKeyFrames fills the ring by a single GOP: the clip that runs goes on,
// and another begins with the next IDR picture.
func TestWithoutKeyFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 5, Config{PreRoll: time.Second, Sound: true, MaxBytes: 1 << 20})
		s.size, s.gop = 6000, time.Hour
		s.play(time.Second)
		k := s.begin(0)
		s.play(10 * time.Second)
		next := s.begin(0)
		s.play(time.Second)
		s.keyAt = s.now()
		forced := s.now()
		s.play(time.Second)
		next.Stop()
		k.Stop()
		s.check(k, k.wait(Stopped))
		if k.summary.Duration < 13*time.Second {
			t.Errorf("%+v", k.summary)
		}
		s.check(next, next.wait(Stopped))
		if next.summary.Start != forced {
			t.Errorf("the next one begins at %v, the IDR picture was at %v", next.summary.Start, forced)
		}
	})
}

// TestWithoutKeyFramesOrAWriter fills the ring by a single GOP that nobody writes:
// nothing of it is held any longer, and a clip that waits for an IDR picture begins
// with that of another size.
func TestWithoutKeyFramesOrAWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 5, Config{PreRoll: time.Second, MaxBytes: 1 << 20})
		s.size, s.gop = 6000, time.Hour
		s.play(time.Second)
		gate := &gate{w: io.Discard, open: make(chan struct{})}
		k := s.beginTo(gate, 0)
		s.play(10 * time.Second)
		if !s.ring.video.empty() {
			t.Errorf("%d pictures are held that nothing can begin with", s.ring.video.entries.len())
		}
		next := s.begin(0)
		s.play(time.Second)
		s.resize(320, 240)
		s.keyAt = s.now()
		resized := s.now()
		s.play(time.Second)
		next.Stop()
		if m := next.wait(Stopped); m.width != 320 || next.summary.Start != resized {
			t.Errorf("the one that waited: %+v", next.summary)
		}
		close(gate.open)
		if <-k.done; k.summary.End != Overrun {
			t.Errorf("the one that nobody wrote ended: %v", k.summary.End)
		}
	})
}

// TestTimesThatStandStill makes them ascend.
func TestTimesThatStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, 5, Config{Sound: true})
		k := s.begin(0)
		for i := range 100 {
			pts := s.now() - time.Duration(i%3)*time.Millisecond
			s.ring.Audio(s.packet(pts))
			s.ring.Video(s.unit(pts, i == 0, 100))
			time.Sleep(time.Millisecond)
		}
		k.Stop()
		m := k.wait(Stopped)
		for i := range m.video[1:] {
			if m.video[i+1].DecodeTime <= m.video[i].DecodeTime {
				t.Fatalf("picture %d is at %d, the one before at %d", i+1, m.video[i+1].DecodeTime, m.video[i].DecodeTime)
			}
		}
		if len(m.video) != 100 || len(m.audio) < 90 {
			t.Errorf("%d pictures, %d packets of 100", len(m.video), len(m.audio))
		}
	})
}

// TestSteadyStateAllocatesNothing, with a clip that is never written and without.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	now := time.Hour
	s := newStream(1, 1280, 720)
	r := NewRing(Config{PreRoll: 10 * time.Second, Sound: true, Now: func() time.Duration { return now }})
	key, other, packet := s.unit(0, true, 60_000), s.unit(0, false, 9_576), s.packet(0)
	n := 0
	step := func() {
		now += time.Second / 30
		au := other
		if n%60 == 0 {
			au = key
		}
		au.PTS, packet.PTS = now, now
		r.Audio(packet)
		r.Video(au)
		n++
	}
	for range 30 * 30 {
		step()
	}
	if n := testing.AllocsPerRun(600, step); n > 0 {
		t.Errorf("%v allocations for each picture and packet", n)
	}
	r.Begin(io.Discard, 0)
	if n := testing.AllocsPerRun(600, step); n > 0 {
		t.Errorf("with a clip: %v allocations for each picture and packet", n)
	}
}

func TestWhatIsNoPicture(t *testing.T) {
	r := NewRing(Config{Sound: true})
	s := newStream(1, 640, 480)
	key := s.unit(time.Hour, true, 100)
	r.Video(encoder.AccessUnit{PTS: time.Hour})
	r.Video(encoder.AccessUnit{Data: []byte("rubbish"), PTS: time.Hour, Key: true})
	r.Video(encoder.AccessUnit{Data: s.sets, PTS: time.Hour, Key: true})
	r.Video(encoder.AccessUnit{Data: key.Data[len(s.sets)+6:], PTS: time.Hour, Key: true}) // without parameter sets
	r.Video(encoder.AccessUnit{Data: key.Data, PTS: time.Hour})
	r.Audio(encoder.Packet{PTS: time.Hour})
	if !r.video.empty() || !r.audio.empty() {
		t.Errorf("%d pictures, %d packets", r.video.entries.len(), r.audio.entries.len())
	}
	r.Video(key)
	if r.video.empty() {
		t.Error("the IDR picture was not kept")
	}
}
