package relay

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	watchInterval = 500 * time.Millisecond  // how often a publisher's flow is looked at
	quietAfter    = 1500 * time.Millisecond // without packets a track counts as stopped
	maxBadPackets = 100                     // in a row, then the session ends
)

// publisher is a WHIP session.
type publisher struct {
	*Session
	room         *room
	audio, video *source       // nil when not offered
	keys         chan struct{} // requests for key frames; one is enough
	paused       atomic.Bool   // it said so
	installed    chan struct{} // closed when room is set
}

// source is one track of a publisher.
type source struct {
	clockRate uint32
	claimed   atomic.Bool // has its track
	ssrc      atomic.Uint32
	report    atomic.Pointer[senderReport]
	last      atomic.Int64 // when a packet came, Unix time in ns; 0: none yet

	ids     extensionIDs
	asked   [3]byte // the last playout delay that the publisher sent
	delayed bool    // it sent one
	playout [3]byte // what viewers get
	late    lateness
	media   mediaTime
}

// Publish makes a WHIP session of an offer. The same owner's session before it ends
// at once; another's is protected (ErrTaken).
func (r *Relay) Publish(ctx context.Context, name, owner, offerSDP string) (*Session, error) {
	o, err := parsePublished(offerSDP)
	if err != nil {
		return nil, err
	}
	if err := o.soundOnly(name); err != nil {
		return nil, err
	}
	if err := r.mayPublish(name, owner); err != nil {
		return nil, err
	}
	if err := r.reserve(); err != nil {
		return nil, err
	}
	p, err := r.newPublisher(ctx, name, owner, o, offerSDP)
	if err != nil {
		r.release()
		return nil, err
	}
	if err := r.install(p); err != nil {
		p.end(errRefused)
		p.close()
		r.release()
		return nil, err
	}
	return p.Session, nil
}

func parsePublished(text string) (*offer, error) {
	o, err := parseOffer(text, "sendonly")
	if err != nil {
		return nil, err
	}
	if o.video != nil && !o.video.choose(rankPublished) {
		return nil, fmt.Errorf("%w: video has no H.264 of baseline, main or high profile with packetization-mode=1", ErrNotAcceptable)
	}
	if o.audio != nil && !o.audio.choose(rankOpus) {
		return nil, fmt.Errorf("%w: audio has no Opus (opus/48000/2)", ErrNotAcceptable)
	}
	return o, nil
}

func (r *Relay) newPublisher(ctx context.Context, name, owner string, o *offer, text string) (*publisher, error) {
	api, err := r.publisherAPI(o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotAcceptable, err)
	}
	p := &publisher{Session: newSession(r, name, owner, o), keys: make(chan struct{}, 1), installed: make(chan struct{})}
	p.publishes = true
	if o.audio != nil {
		p.audio = &source{clockRate: 48000}
	}
	if o.video != nil {
		p.video = &source{clockRate: 90000}
	}
	if p.pc, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return nil, fmt.Errorf("make a peer connection: %w", err)
	}
	p.follow()
	p.pc.OnTrack(p.track)
	if err := p.negotiate(ctx, text); err != nil {
		p.end(err)
		p.close()
		return nil, err
	}
	return p, nil
}

// mayPublish refuses early what install would refuse after the work.
func (r *Relay) mayPublish(name, owner string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.rooms[name]
	if room != nil {
		if old := room.publisher.Load(); old != nil {
			if old.owner != owner {
				return ErrTaken
			}
			return nil
		}
	}
	if r.publishing() >= r.cfg.Publishers {
		return fmt.Errorf("%w: %d publishers are live", ErrFull, r.cfg.Publishers)
	}
	return nil
}

func (r *Relay) publishing() (n int) {
	for _, room := range r.rooms {
		if room.publisher.Load() != nil {
			n++
		}
	}
	return n
}

// install puts the publisher in its room, in the place of the one before.
func (r *Relay) install(p *publisher) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	room := r.room(p.name)
	old := room.publisher.Load()
	if old != nil && old.owner != p.owner {
		return ErrTaken
	}
	p.room = room
	close(p.installed)
	room.stopGrace()
	room.publication++
	room.publisher.Store(p)
	if old != nil {
		old.end(errReplaced)
	}
	for v := range room.viewers {
		v.meet(p)
	}
	r.launch(p.Session, func() { r.published(p) }, func() { r.unpublish(p) })
	room.announce()
	return nil
}

// published is called once the publisher is connected.
func (r *Relay) published(p *publisher) {
	p.start(func() { paceRequests(p.ctx, p.keys, keyFrameInterval, p.sendPLI) })
	p.start(func() { p.watch(r) })
	r.mu.Lock()
	defer r.mu.Unlock()
	p.room.lost = false
	p.room.announce()
	if len(*p.room.connected.Load()) > 0 {
		p.askKey()
	}
	r.log.Info("publisher live", "session", p.name)
}

// unpublish leaves the viewers waiting for a while.
func (r *Relay) unpublish(p *publisher) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, p.id)
	room := p.room
	if room.publisher.CompareAndSwap(p, nil) && !r.closed {
		room.lost = p.cause != errDeleted && p.cause != errOver && (p.hasBeenUp() || room.lost)
		room.stopGrace()
		room.grace = time.AfterFunc(r.cfg.Grace, func() { r.abandon(room) })
	}
	r.tidy(room)
}

// abandon ends what waits for a publisher that did not return.
func (r *Relay) abandon(room *room) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if room.publisher.Load() != nil || r.closed {
		return
	}
	room.lost = false
	for v := range room.viewers {
		v.end(errAbandoned)
	}
	r.tidy(room)
}

// Pause notes what the publisher of the owner says about itself: that it sends no
// picture on purpose, or again.
func (r *Relay) Pause(name, owner string, paused bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.rooms[name]
	if room == nil || room.publisher.Load() == nil {
		return ErrNothing
	}
	p := room.publisher.Load()
	if p.owner != owner {
		return ErrTaken
	}
	p.paused.Store(paused)
	room.announce()
	return nil
}

// describe adds what is known of the publisher.
func (p *publisher) describe(f *facts, now time.Time) {
	f.publisher, f.connected, f.told = true, p.hasBeenUp(), p.paused.Load()
	f.picture, f.sound = p.video.flows(now), p.audio.flows(now)
	if p.video == nil {
		f.picture = f.sound
	}
	if p.audio == nil {
		f.sound = f.picture
	}
}

// flows says whether packets came lately. A track that has not begun has the
// benefit of the doubt.
func (s *source) flows(now time.Time) bool {
	if s == nil {
		return true
	}
	last := s.last.Load()
	return last == 0 || now.UnixNano()-last < int64(quietAfter)
}

func (p *publisher) hasBeenUp() bool {
	select {
	case <-p.up:
		return true
	default:
		return false
	}
}

// watch notices that packets stopped or began again.
func (p *publisher) watch(r *Relay) {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-ticker.C:
			r.mu.Lock()
			p.room.announce()
			r.mu.Unlock()
		}
	}
}

func (p *publisher) askKey() {
	select {
	case p.keys <- struct{}{}:
	default: // one is waiting already
	}
}

func (p *publisher) sendPLI() {
	if p.video == nil || p.video.ssrc.Load() == 0 {
		return
	}
	// An error means that the session is ending.
	_ = p.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: p.video.ssrc.Load()}})
}

// track is pion's callback, in a goroutine of its own. Only the first track of a
// kind counts, there is one media section for it.
func (p *publisher) track(t *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	select {
	case <-p.installed:
	case <-p.done:
		return
	}
	s := p.video
	if t.Kind() == webrtc.RTPCodecTypeAudio {
		s = p.audio
	}
	if s == nil || !s.claimed.CompareAndSwap(false, true) {
		return
	}
	s.ids = negotiatedIDs(receiver.GetParameters().HeaderExtensions)
	s.ssrc.Store(uint32(t.SSRC()))
	p.start(func() { p.read(t, s) })
	p.start(func() {
		drain(func(b []byte) (int, error) {
			n, _, err := receiver.Read(b)
			return n, err
		}, func(b []byte) { s.seeRTCP(b, time.Now()) })
	})
	if s == p.video && len(*p.room.connected.Load()) > 0 {
		p.askKey()
	}
}

// read forwards packets from the goroutine that receives them: no queue.
func (p *publisher) read(t *webrtc.TrackRemote, s *source) {
	b := make([]byte, packetSize)
	var packet rtp.Packet
	for bad := 0; bad < maxBadPackets; {
		n, _, err := t.Read(b)
		if p.ctx.Err() != nil {
			return
		}
		if err != nil || packet.Unmarshal(b[:n]) != nil {
			bad++
			continue
		}
		bad = 0
		p.forward(s, &packet, time.Now())
	}
	p.end(fmt.Errorf("%d unreadable packets in a row", maxBadPackets))
}

func (p *publisher) forward(s *source, packet *rtp.Packet, now time.Time) {
	if p.room.publisher.Load() != p {
		return // replaced: its last packets must not mix with its successor's
	}
	s.last.Store(now.UnixNano())
	if s == p.audio {
		s.late.note(now, s.media.at(packet.Timestamp, s.clockRate))
	}
	e := readExtensions(&packet.Header, s.ids)
	p.playoutDelay(s, &e)
	for _, v := range *p.room.connected.Load() {
		l := v.video
		if s == p.audio {
			l = v.audio
		}
		if l != nil {
			l.write(s, packet, e, now)
		}
	}
}

// playoutDelay makes the extension of a packet fit for viewers. A value that the
// publisher sends only until it is acknowledged reaches those who join later, too.
func (p *publisher) playoutDelay(s *source, e *extensions) {
	if len(e.playoutDelay) == len(s.asked) {
		s.asked, s.delayed = [3]byte(e.playoutDelay), true
	}
	if !s.delayed {
		return
	}
	s.playout = s.asked
	if p.audio != nil {
		s.playout = withRoom(s.asked, p.audio.late.room())
	}
	e.playoutDelay = s.playout[:]
}

func (s *source) seeRTCP(b []byte, now time.Time) {
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		return
	}
	for _, packet := range packets {
		if sr, ok := packet.(*rtcp.SenderReport); ok && sr.SSRC == s.ssrc.Load() {
			s.report.Store(&senderReport{ntp: sr.NTPTime, rtp: sr.RTPTime, at: now})
		}
	}
}
