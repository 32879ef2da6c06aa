// Package clip keeps the last seconds of what is encoded, the pre-roll, in a ring
// of bounded memory and writes clips out of it as fragmented MP4 (ISO/IEC
// 14496-12, 14496-15; Opus in ISOBMFF), without encoding anything again. It knows
// nothing of where a clip goes, and takes no sound but an encoder.Packet: the
// advisor's own microphone.
package clip

import (
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
	"github.com/bril-edge/bril/hardware/monotonic"
)

// Config configures NewRing. Zero values mean the defaults named here.
type Config struct {
	// PreRoll is how much a clip shows of the time before it was begun; 0.
	PreRoll time.Duration
	// KeyFrameEvery is the longest time between two IDR pictures; 2 s. A clip may
	// be longer than its pre-roll and its recording by that.
	KeyFrameEvery time.Duration
	// BitRate is what the video may reach, from which MaxBytes follows; 2.5 Mb/s.
	BitRate encoder.BitRate
	// MaxBytes bounds the ring's memory; at least 512 KiB. By default it is
	//
	//	(BitRate/8 · 17/16 + 4 kB/s [+ 20 kB/s with Sound]) · (max(PreRoll, 5 s) + KeyFrameEvery) + 256 KiB
	//
	// which is 4.3 MB [4.5 MB] for a pre-roll of 10 s, and leaves a slow writer at least
	// five seconds. A clip that is being written has a buffer of one fragment
	// besides, about 200 kB at 2.5 Mb/s and 512 KiB and a picture at most.
	MaxBytes int
	// Sound keeps packets too, and gives clips a track of Opus. Without it
	// Audio does nothing.
	Sound bool
	// Now reads the clock of the PTS; monotonic.Now.
	Now func() time.Duration
}

const (
	minBytes = 512 << 10
	// slack is the least time by which a writer may be late.
	slack = 5 * time.Second
	// soundBytes is more than a second of Opus has: 64 kb/s, varying.
	soundBytes = 12_000
	// pictureRate and packetRate are more than there are in a second: packets are
	// of 10 or 20 ms.
	pictureRate = 64
	packetRate  = 128
	entryBytes  = 32
	// inFlight is longer than a picture takes through the encoder, and so older
	// than any sound whose picture may still come.
	inFlight = time.Second
	// away is longer than from one picture to the next unless the source was away,
	// as a camera whose cable is pulled.
	away = 3 * time.Second
)

func (c Config) withDefaults() Config {
	if c.KeyFrameEvery == 0 {
		c.KeyFrameEvery = 2 * time.Second
	}
	if c.BitRate == 0 {
		c.BitRate = 2_500_000
	}
	if c.MaxBytes == 0 {
		perSecond := int64(c.BitRate)/8*17/16 + 2*entryBytes*pictureRate
		if c.Sound {
			perSecond += soundBytes + 2*entryBytes*packetRate
		}
		c.MaxBytes = int(time.Duration(perSecond)*c.held()/time.Second) + 8*chunkSize
	}
	c.MaxBytes = max(c.MaxBytes, minBytes)
	if c.Now == nil {
		c.Now = monotonic.Now
	}
	return c
}

// held is how much time the ring has memory for.
func (c Config) held() time.Duration { return max(c.PreRoll, slack) + c.KeyFrameEvery }

// entries is how many of that rate a track may have: a power of two.
func (c Config) entries(rate int) int {
	n := 64
	for n < rate*int(c.held()/time.Second+1) && n*entryBytes < c.MaxBytes/16 {
		n *= 2
	}
	return n
}

// Ring holds what was encoded last: the pre-roll and at most one GOP more. When
// it is full the oldest GOP leaves. Its methods may be called from any
// goroutine; none waits for a writer.
type Ring struct {
	config Config

	mu         sync.Mutex
	arena      *arena
	video      track
	audio      track
	keys       queue[uint64] // numbers of the pictures at which a clip may begin
	audioFloor uint64        // packets before this one are from before Empty
	sets       []byte        // parameter sets of the last IDR picture, as in its entry
	sps        h264.SPS      // of them
	units      []h264.NAL    // memory of split
	clips      []*Clip       // begun, and not yet at the end of Run
	readers    []*Pictures   // not yet closed
}

// NewRing makes an empty ring. It takes its memory as it fills.
func NewRing(config Config) *Ring {
	config = config.withDefaults()
	pictures, packets := config.entries(pictureRate), 0
	if config.Sound {
		packets = config.entries(packetRate)
	}
	a := newArena((config.MaxBytes - (pictures+packets)*entryBytes) / chunkSize)
	r := &Ring{
		config: config,
		arena:  a,
		video:  track{arena: a, most: pictures},
		audio:  track{arena: a, most: packets},
	}
	runtime.AddCleanup(r, (*arena).unmap, a)
	return r
}

// Video takes an access unit in. It copies it, and returns at once. Pictures
// before the first IDR picture are forgotten. One whose PTS is not after that of
// the one before is shown right after it.
func (r *Ring) Video(au encoder.AccessUnit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.split(au)
	defer clear(r.units) // they are the encoder's memory
	if !ok {
		return
	}
	r.forsake(e.pts)
	if !e.key() && !r.wanted() {
		return
	}
	if !r.video.empty() {
		e.pts = max(e.pts, r.video.newest().pts+tick)
	}
	if e.key() && !r.learn(e.pts) {
		return
	}
	r.trim(e.pts)
	if !r.room(&r.video, int(e.size)) || !e.key() && !r.wanted() {
		return
	}
	r.store(e)
	r.wake(e.pts)
	for _, p := range r.readers {
		p.signal()
	}
}

// wanted says whether a picture that is not an IDR picture is of use: one before
// it has to be there, for a clip that begins or for one that goes on.
func (r *Ring) wanted() bool {
	if r.keys.len() > 0 {
		return true
	}
	for _, c := range r.clips {
		if c.started && !c.lost && c.ended == 0 {
			return true
		}
	}
	return false
}

// store keeps the access unit that was split.
func (r *Ring) store(e entry) {
	r.video.push(e)
	r.appendUnits()
	if !e.key() {
		return
	}
	number := r.video.entries.next - 1
	r.keys.push(number)
	for _, c := range r.clips {
		if !c.started && c.ended == 0 {
			c.startAt(number)
		}
	}
}

// learn takes notice of the parameter sets of an IDR picture, and says whether
// they are any good. A stream of another size or profile is another stream: what
// came before it is kept for running clips only, which end with it.
func (r *Ring) learn(pts time.Duration) bool {
	if r.sameSets() {
		return true
	}
	sets := r.joinSets()
	sps, err := firstSPS(sets)
	if err != nil {
		return false
	}
	before := r.sps
	r.sps, r.sets = sps, sets
	if before.Width != 0 && (before.Width != sps.Width || before.Height != sps.Height || before.Profile != sps.Profile) {
		r.cut(Resized, pts)
	}
	return true
}

// cut ends what clips can begin at, and the clips; one that waits for its first
// picture may have that of another size.
func (r *Ring) cut(why End, at time.Duration) {
	for _, c := range r.clips {
		if c.started || why != Resized {
			c.end(why, at)
		}
	}
	r.keys.base = r.keys.next
}

// forsake has no clip begin in front of a gap: what was captured before the source
// was away is no pre-roll, and the gap would be a picture that stands still for as
// long. Clips that run go on.
func (r *Ring) forsake(now time.Duration) {
	if !r.video.empty() && now-r.newest() > away {
		r.keys.base = r.keys.next
	}
}

// Audio takes a packet of sound in. It copies it, and returns at once.
func (r *Ring) Audio(p encoder.Packet) {
	if !r.config.Sound || len(p.Data) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e := entry{pts: p.PTS, length: p.Length, size: uint32(len(p.Data))}
	if !r.audio.empty() {
		e.pts = max(e.pts, r.audio.newest().pts+tick)
	}
	r.trimAudio(e.pts)
	if !r.room(&r.audio, len(p.Data)) {
		return
	}
	r.audio.push(e)
	r.audio.append(p.Data)
}

// trim lets go of what neither the pre-roll nor a clip needs when the newest
// picture is of that time.
func (r *Ring) trim(newest time.Duration) {
	for r.keys.len() >= 2 && r.video.entries.at(*r.keys.at(r.keys.base + 1)).pts <= newest-r.config.PreRoll {
		r.keys.pop()
	}
	to := r.video.entries.next
	if r.keys.len() > 0 {
		to = *r.keys.at(r.keys.base)
	}
	for _, c := range r.clips {
		if c.holds() {
			to = min(to, c.cursor)
		}
	}
	r.video.drop(to)
	r.trimAudio(newest)
	if r.video.empty() && r.audio.empty() {
		r.arena.clear()
	}
}

// trimAudio lets go of the sound that is older than all pictures.
func (r *Ring) trimAudio(newest time.Duration) {
	oldest := newest - inFlight
	if !r.video.empty() {
		oldest = min(oldest, r.video.oldest().pts)
	}
	held := r.audio.entries.next
	for _, c := range r.clips {
		if c.holds() {
			held = min(held, c.audio)
		}
	}
	to := r.audio.entries.base
	for to < held && (to < r.audioFloor || r.audio.entries.at(to).pts < oldest) {
		to++
	}
	r.audio.drop(to)
}

// room makes room for an entry, if it can be made.
func (r *Ring) room(t *track, size int) bool {
	for !t.fits(size) {
		if !r.evict() {
			return false
		}
	}
	return true
}

// evict makes the oldest GOP leave although it is needed, and says whether there
// was one. Of a GOP that fills the ring alone only that part leaves which the
// running clips have behind them: they go on, though none can begin in it.
func (r *Ring) evict() bool {
	if r.video.empty() {
		return false
	}
	to := r.video.entries.next
	switch first := r.keys.base; {
	case r.keys.len() > 0 && *r.keys.at(first) > r.video.entries.base: // older ones are there for a clip only
		to = *r.keys.at(first)
	case r.keys.len() >= 2:
		r.keys.pop()
		to = *r.keys.at(first + 1)
	default:
		r.keys.base = r.keys.next
		for _, c := range r.clips {
			if c.holds() && c.cursor > r.video.entries.base {
				to = min(to, c.cursor)
			}
		}
	}
	for _, c := range r.clips {
		if c.holds() && c.cursor < to {
			c.lose()
		}
	}
	r.video.drop(to)
	r.trimAudio(r.newest())
	return true
}

func (r *Ring) newest() time.Duration {
	if r.video.empty() {
		return 0
	}
	return r.video.newest().pts
}

// wake tells those clips that have a fragment to write by now.
func (r *Ring) wake(newest time.Duration) {
	for _, c := range r.clips {
		if c.holds() && (newest >= c.wakeAt || r.video.end-r.video.entries.at(c.cursor).at >= maxFragment) {
			c.signal()
		}
	}
}

// Empty forgets all that the ring holds: no clip that begins later shows it. A
// clip that is being written ends with what was captured up to now.
func (r *Ring) Empty() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut(Emptied, r.config.Now())
	r.audioFloor = r.audio.entries.next
	for _, p := range r.readers {
		p.gone = true
		p.signal()
	}
	r.sets, r.sps = nil, h264.SPS{}
	r.trim(r.newest())
}

// Stats returns how much memory the ring has taken, of how much at most, and how
// far back a clip could begin.
func (r *Ring) Stats() (bytes, limit int, buffered time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	bytes = r.arena.touched() + entryBytes*(len(r.video.entries.items)+len(r.audio.entries.items))
	if r.keys.len() > 0 {
		buffered = r.newest() - r.video.entries.at(*r.keys.at(r.keys.base)).pts
	}
	return bytes, r.config.MaxBytes, buffered
}

// Begin begins a clip of the pre-roll and of what is captured from now on, for
// limit at most (0: without one): at the newest IDR picture that is not younger
// than the pre-roll, else at the oldest there is, else at the next to come; none
// counts from before the source was away. The
// clip is written to w by its Run, which has to be called, if only with a context
// that has ended: until it returns the ring keeps what the clip needs.
func (r *Ring) Begin(w io.Writer, limit time.Duration) *Clip {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := newClip(r, w, limit)
	r.clips = append(r.clips, c)
	r.forsake(c.press)
	for i := r.keys.next; i > r.keys.base; i-- {
		number := *r.keys.at(i - 1)
		if i-1 == r.keys.base || r.video.entries.at(number).pts <= c.press-r.config.PreRoll {
			c.startAt(number)
			break
		}
	}
	return c
}
