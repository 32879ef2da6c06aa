package clip

import (
	"bytes"
	"slices"
	"time"

	"github.com/bril-edge/bril/encoder/h264"
)

// What plan may find.
type state uint8

const (
	waiting  state = 0 // for more to be captured
	ready    state = 1 // a fragment can be written
	finished state = 2
)

// sample is what a fragment says of one picture or packet.
type sample struct {
	entry
	skip     uint32 // bytes of the entry that are left out
	duration uint32 // in ticks of its track
}

func (s *sample) bytes() uint32 { return s.size - s.skip }

// fragment is the one that is being written. Its memory is used again.
type fragment struct {
	first     bool
	sps       h264.SPS // of the first
	sets      []byte   // of the picture that it begins with
	sequence  uint32   // counts from 1
	videoTime uint64   // decoding time of its first picture, in ticks since the clip began
	audioTime uint64
	video     []sample
	audio     []sample
	next      uint64 // the number of the picture after its last
	nextAudio uint64
	buffer    []byte
}

// plan decides on the next fragment. It holds pictures of half a second or less,
// up to the next IDR picture, each with the time until the next one as its
// duration; so the newest picture has to wait for the one after it.
func (c *Clip) plan() state {
	c.ring.mu.Lock()
	defer c.ring.mu.Unlock()
	switch {
	case c.lost:
		return finished
	case !c.started && c.ended == 0:
		return waiting
	case !c.started:
		return finished
	}
	to, complete := c.scan()
	if !complete && c.ended == 0 {
		return waiting
	}
	if to == c.cursor {
		return finished
	}
	c.take(to)
	return ready
}

// scan returns the number after the last picture of the next fragment, and
// whether what follows is known to be another fragment's.
func (c *Clip) scan() (to uint64, complete bool) {
	v := &c.ring.video
	to = v.entries.next
	if c.ended != 0 {
		to = c.last
	}
	if c.cursor == to {
		return to, false
	}
	begin := v.entries.at(c.cursor)
	c.wakeAt = min(begin.pts+cadence, c.deadline)
	for i := c.cursor; i < to; i++ {
		e := v.entries.at(i)
		if e.pts >= c.deadline {
			c.end(Limit, c.deadline)
			c.last = i
			return i, false
		}
		if i > c.cursor && (e.key() || e.pts-begin.pts >= cadence || e.at+uint64(e.size)-begin.at > maxFragment) {
			return i, true
		}
	}
	return to, false
}

// take makes the pictures before number to the next fragment. What it refers to
// stays in the ring until commit.
func (c *Clip) take(to uint64) {
	f, v := &c.fragment, &c.ring.video
	f.sequence++
	f.first = f.sequence == 1
	f.video = f.video[:0]
	f.videoTime = ticks(v.entries.at(c.cursor).pts-c.origin, videoScale)
	for i := c.cursor; i < to; i++ {
		s := sample{entry: *v.entries.at(i)}
		s.duration = span(s.pts-c.origin, c.after(i)-c.origin, videoScale)
		f.video = append(f.video, s)
	}
	c.takeSets()
	c.takeAudio(c.after(to - 1))
	f.next = to
}

// commit lets go of what the fragment was made of.
func (c *Clip) commit() {
	c.ring.mu.Lock()
	defer c.ring.mu.Unlock()
	c.cursor, c.audio = c.fragment.next, c.fragment.nextAudio
}

// takeSets leaves the parameter sets out of the picture that the fragment begins
// with as long as they are those of the avcC box. Others of the same size, such as
// a hardware encoder makes for a new bitrate, stay in the stream, and from then on
// all do: for a decoder those of the avcC box have been replaced.
func (c *Clip) takeSets() {
	f := &c.fragment
	s := &f.video[0]
	if !s.key() {
		return
	}
	f.sets = c.ring.video.read(f.sets[:0], &s.entry, 0, s.sets)
	if f.first {
		c.sets = bytes.Clone(f.sets)
		f.sps, _ = firstSPS(c.sets) // learn has read it before
	}
	if c.changed = c.changed || !bytes.Equal(c.sets, f.sets); !c.changed {
		s.skip = s.sets
	}
}

// after returns when picture i makes way for the next one.
func (c *Clip) after(i uint64) time.Duration {
	e := c.ring.video.entries.at(i)
	if i+1 < c.ring.video.entries.next && (c.ended == 0 || i+1 < c.last) {
		return c.ring.video.entries.at(i + 1).pts
	}
	return max(c.until, e.pts+tick)
}

// takeAudio makes the packets before until the fragment's: those that came
// already. Ones that come later are the next fragment's.
func (c *Clip) takeAudio(until time.Duration) {
	f, a := &c.fragment, &c.ring.audio
	f.audio = f.audio[:0]
	to := a.entries.next
	if c.ended != 0 {
		to = c.silent
	}
	f.nextAudio = max(c.audio, a.entries.base)
	for ; f.nextAudio < to; f.nextAudio++ {
		s := sample{entry: *a.entries.at(f.nextAudio)}
		if s.pts < c.origin {
			continue
		}
		if s.pts >= until {
			break
		}
		next := s.pts + s.length
		if f.nextAudio+1 < to {
			next = a.entries.at(f.nextAudio + 1).pts
		} else if c.ended == 0 {
			break // its duration is not known yet
		}
		s.duration = span(s.pts-c.origin, next-c.origin, audioScale)
		f.audio = append(f.audio, s)
	}
	if len(f.audio) > 0 {
		f.audioTime = ticks(f.audio[0].pts-c.origin, audioScale)
	}
}

// fill makes the fragment's bytes, and says whether they were all there still. The
// ring is held for one sample at a time.
func (c *Clip) fill() bool {
	f := &c.fragment
	b := boxes(f.buffer[:0])
	if f.first {
		b.header(c.sets, f.sps, c.ring.config.Sound)
	}
	payload := 0
	for _, samples := range [...][]sample{f.video, f.audio} {
		for i := range samples {
			payload += int(samples[i].bytes())
		}
	}
	b = slices.Grow(b, moofSize(f)+mdatHeader+payload)
	b.moof(f)
	b.mdat(payload)
	var ok bool
	if b, ok = c.copy(b, &c.ring.video, f.video); ok {
		b, ok = c.copy(b, &c.ring.audio, f.audio)
	}
	f.buffer = b
	return ok
}

func (c *Clip) copy(b boxes, t *track, samples []sample) (boxes, bool) {
	for i := range samples {
		var ok bool
		if b, ok = c.copyOne(b, t, &samples[i]); !ok {
			return b, false
		}
	}
	return b, true
}

func (c *Clip) copyOne(b boxes, t *track, s *sample) (boxes, bool) {
	c.ring.mu.Lock()
	defer c.ring.mu.Unlock()
	if c.lost {
		return b, false
	}
	return t.read(b, &s.entry, s.skip, s.size), true
}

// The time scales of the tracks, in ticks a second.
const (
	videoScale = 90_000
	audioScale = 48_000
	// tick is at least one of either: two times that are so far apart differ in a file.
	tick = time.Second/audioScale + 1
)

// ticks rounds down, so that sums of durations are times again.
func ticks(d time.Duration, scale uint64) uint64 {
	seconds, rest := d/time.Second, d%time.Second
	return uint64(seconds)*scale + uint64(rest)*scale/uint64(time.Second)
}

func ticksToTime(n, scale uint64) time.Duration {
	return time.Duration(n/scale)*time.Second + time.Duration(n%scale)*time.Second/time.Duration(scale)
}

// span is the duration of a sample in ticks.
func span(from, to time.Duration, scale uint64) uint32 {
	return uint32(min(ticks(to, scale)-ticks(from, scale), 1<<32-1))
}

func total(samples []sample) (n uint64) {
	for i := range samples {
		n += uint64(samples[i].duration)
	}
	return n
}
