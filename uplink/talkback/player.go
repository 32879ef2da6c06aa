package talkback

import (
	"sync"
	"time"

	"github.com/bril-edge/bril/encoder/opus"
	"github.com/bril-edge/bril/uplink/rtc"
)

const (
	// margin is what a packet waits at least: the device asks in steps of 10 ms.
	margin = 10 * ms
	// What is held too long or too short by this much is made right in the next quiet
	// moment.
	tooLong, tooShort = 6 * ms, 5 * ms
	// tooLongAnyway is made right in speech, too.
	tooLongAnyway = 60 * ms
	// behind is when what waits is left out: the machine has stood still.
	behind = 200 * ms
	// concealTime is for how long missing sound is made up for; after that there is
	// silence.
	concealTime = 100 * ms
	// gapTime is the longest pause of a sender that is bridged in the same manner.
	gapTime = 40 * ms
	step    = 10 * ms
)

// decoder is an *opus.Decoder.
type decoder interface {
	Decode(packet []byte, pcm []int16) (int, error)
	Recover(next []byte, pcm []int16) error
	Conceal(pcm []int16) error
	Reset() error
}

// player makes continuous sound of packets: put by the network, taken by the sound
// device, at two clocks that know nothing of each other.
//
//	waiting ──first packet's time has come──> playing
//	   ^                                         │
//	   └──nothing came for concealTime, a pause──┘
//
// It allocates nothing.
type player struct {
	mu      sync.Mutex // held while a packet is put, or decoded
	decoder decoder
	queue   queue
	timing  timing
	clock   clock
	playing bool
	joined  bool  // the sequence is known: what is missing of it is lost
	resets  bool  // another source has begun: the decoder is to forget the last
	at      int64 // timestamp of what is decoded next, while playing
	held    int64 // how long what was decoded last was held
	made    int64 // samples made up in a row
	level   level
	voice   Voice
	counts  counts
	wanted  chan struct{} // closed by the next packet; nil when nobody waits for it
}

// counts run since the start.
type counts struct {
	packets, lost, late, duplicates, useless uint64
	concealed, shortened, stretched          int64 // samples
}

// put takes a packet in.
func (p *player) put(s rtc.Speech) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.packets++
	if p.wanted != nil {
		close(p.wanted)
		p.wanted = nil
	}
	at, o := p.queue.put(s)
	switch o {
	case useless:
		p.counts.useless++
		return
	case duplicate:
		p.counts.duplicates++
		return
	case late:
		p.counts.late++
	case anew:
		p.timing = timing{}
		p.playing, p.joined, p.resets = false, false, true
	}
	if !p.timing.observe(at, s.Arrived) { // the sender's clock has jumped
		p.playing = false
	}
}

// forget leaves nothing of what was said, neither to be heard by mistake after it nor
// in memory: another customer may follow.
func (p *player) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue, p.voice, p.timing, p.clock, p.level = queue{}, Voice{}, timing{}, clock{}, level{}
	p.playing, p.joined, p.resets = false, false, true
}

// expect returns what is closed by the next packet.
func (p *player) expect() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted == nil {
		p.wanted = make(chan struct{})
	}
	return p.wanted
}

// target is how long sound is to be held.
func (p *player) target() int64 { return p.timing.target + margin }

// fill writes what is to be heard next, and says whether there is speech in it. Now
// is when the device asks.
func (p *player) fill(out []int16, now time.Duration) (speech bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	due := p.clock.ask(len(out), now)
	for done := 0; done < len(out); {
		if p.voice.empty() {
			p.more(len(out)-done, due+int64(done))
		}
		done += p.voice.take(out[done:])
		speech = speech || p.voice.speech
	}
	return speech
}

// more decodes what comes next, or makes something up for it. Room is how much is
// asked for, and due when that is.
func (p *player) more(room int, due int64) {
	if p.resets {
		_ = p.decoder.Reset() // what is not reset sounds strange for a moment
		p.resets = false
	}
	if !p.playing && !p.begin(room, due) {
		return
	}
	p.skip(due)
	s := p.queue.find(p.queue.next)
	switch {
	case s == nil:
		p.missing(due)
	case s.at-p.at > gapTime: // the sender made a pause
		p.fade()
	case s.at > p.at:
		p.conceal(s.at - p.at)
	default:
		p.at = s.at // earlier where it was waited for, and something made up meanwhile
		p.decode(s, due)
	}
}

// begin goes over to playing once the first packet's time has come. Until then
// there is silence.
func (p *player) begin(room int, due int64) bool {
	first := p.queue.first()
	if first == nil {
		p.voice.silence(room)
		return false
	}
	wait := p.target() - p.timing.delay(first.at, due)
	if wait >= int64(room) {
		p.voice.silence(room)
		return false
	}
	if p.joined {
		p.lose(first.sequence - p.queue.next)
		if first.sequence == p.queue.next && first.at >= p.at { // nothing was missing: the sender paused
			p.counts.concealed -= p.made
		}
	}
	p.queue.advance(first.sequence - 1)
	p.playing, p.joined, p.at, p.made = true, true, first.at, 0
	p.held = p.timing.delay(first.at, due)
	if wait > 0 {
		p.voice.silence(int(wait))
		p.held = p.target()
		return false
	}
	return true
}

func (p *player) lose(packets int64) {
	if packets > 0 {
		p.counts.lost += uint64(packets)
	}
}

// skip leaves out what has waited for much too long.
func (p *player) skip(due int64) {
	for p.timing.delay(p.at, due) > p.target()+behind {
		s := p.queue.find(p.queue.next)
		if s == nil || p.queue.find(p.queue.next+1) == nil {
			return
		}
		p.queue.advance(s.sequence)
		p.at = s.at + int64(s.length)
		p.held = p.timing.delay(p.at, due)
		p.counts.shortened += int64(s.length)
	}
}

// missing makes up for what is not there: lost where something later is, and maybe
// only late where nothing is.
func (p *player) missing(due int64) {
	newer := p.queue.first()
	switch {
	case newer == nil && p.made < concealTime:
		p.conceal(step)
		return
	case newer == nil, newer.at-p.at > 2*concealTime:
		p.fade()
		return
	}
	gap := newer.at - p.at
	if short := p.target() - p.held; short >= granule { // what is late is to be waited for
		at := p.at
		p.conceal(min(short, 2*step))
		p.held += p.at - at
		p.at = at
		return
	}
	if gap > int64(newer.length) {
		p.conceal(min(gap-int64(newer.length), 2*step))
		return
	}
	p.lose(newer.sequence - p.queue.next)
	p.queue.advance(newer.sequence - 1)
	if opus.HasFEC(newer.payload()) { // which helps only where the next packet is here in time
		p.timing.target = max(p.timing.target, int64(newer.length))
	}
	if gap > 0 {
		p.recover(newer, gap)
		return
	}
	p.at = newer.at
	p.decode(newer, due)
}

// decode makes sound of a packet, a little less or more of it where it was held too
// long or too short.
func (p *player) decode(s *slot, due int64) {
	p.queue.advance(s.sequence)
	length := p.voice.decode(p.decoder, s.payload())
	if length == 0 { // it makes no sense to libopus
		p.lose(1)
		p.conceal(int64(s.length))
		return
	}
	p.made = 0
	p.held = p.timing.delay(p.at, due)
	p.at = s.at + int64(length)
	p.voice.speech = p.level.speech(p.voice.rest())
	p.adjust(p.held - p.target())
}

// adjust makes up for what sound is held too long.
func (p *player) adjust(over int64) {
	quiet := !p.voice.speech
	before := p.voice.length()
	switch {
	case quiet && over > tooLong:
		p.voice.shorten(int(over))
		p.counts.shortened += before - p.voice.length()
	case over > tooLongAnyway:
		p.voice.shorten(int(before / 4))
		p.counts.shortened += before - p.voice.length()
	case quiet && over < -tooShort:
		p.voice.lengthen(int(min(-over, before/2)))
		p.counts.stretched += p.voice.length() - before
	}
	p.held += p.voice.length() - before
}

// conceal makes up n samples.
func (p *player) conceal(n int64) {
	n = p.voice.conceal(p.decoder, n)
	p.passed(n)
}

// recover makes n samples of what the packet after them says of them.
func (p *player) recover(next *slot, n int64) {
	n = p.voice.recover(p.decoder, next.payload(), n)
	p.passed(n)
}

func (p *player) passed(n int64) {
	p.at += n
	p.made += n
	p.counts.concealed += n
}

// fade ends what is heard without a click, and waits for the next packet.
func (p *player) fade() {
	p.voice.conceal(p.decoder, step)
	p.voice.fade()
	p.playing = false
}

// Stats are how talk-back does; counts run since its start.
type Stats struct {
	Jitter    time.Duration // of the arrival of packets
	Delay     time.Duration // from a packet's arrival to the device
	Packets   uint64
	Lost      uint64 // packets that did not come, or came too late
	Concealed time.Duration
	Shortened time.Duration // left out, because sound was held for too long
	Stretched time.Duration // repeated, because it was held too short
}

func (p *player) stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Jitter: time.Duration(p.timing.jitter * float64(time.Second) / sampleRate), Delay: durationOf(p.held),
		Packets: p.counts.packets, Lost: p.counts.lost,
		Concealed: durationOf(p.counts.concealed), Shortened: durationOf(p.counts.shortened), Stretched: durationOf(p.counts.stretched),
	}
}
