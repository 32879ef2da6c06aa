package relay

import (
	"context"
	"fmt"
	"strings"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// viewer is a WHEP session.
type viewer struct {
	*Session
	room         *room
	audio, video *leg // nil when not offered or not acceptable
	published    profile
}

// View makes a WHEP session of an offer, while a publisher is connected
// (ErrNothing otherwise).
func (r *Relay) View(ctx context.Context, name, owner, offerSDP string) (*Session, error) {
	o, err := parseOffer(offerSDP, "recvonly")
	if err != nil {
		return nil, err
	}
	if err := o.soundOnly(name); err != nil {
		return nil, err
	}
	p, err := r.viewable(name)
	if err != nil {
		return nil, err
	}
	if err := o.chooseViewed(p.offer); err != nil {
		return nil, err
	}
	if err := r.reserve(); err != nil {
		return nil, err
	}
	v, err := r.newViewer(ctx, p, owner, o, offerSDP)
	if err != nil {
		r.release()
		return nil, err
	}
	if err := r.admit(v); err != nil {
		v.end(errRefused)
		v.close()
		r.release()
		return nil, err
	}
	return v.Session, nil
}

// viewable returns the connected publisher of a conversation.
func (r *Relay) viewable(name string) (*publisher, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.rooms[name]
	if room == nil {
		return nil, ErrNothing
	}
	p := room.publisher.Load()
	if p == nil && !room.lost {
		return nil, ErrNothing
	}
	if p == nil || !p.hasBeenUp() {
		return nil, ErrNotYet
	}
	if len(room.viewers) >= r.cfg.Viewers {
		return nil, fmt.Errorf("%w: %d viewers are in this conversation", ErrFull, r.cfg.Viewers)
	}
	return p, nil
}

// chooseViewed picks the viewer's codecs for what is published. A section without a
// fit codec is rejected in the answer; both kinds are negotiated even if only one
// is published, because a later publisher may send the other.
func (o *offer) chooseViewed(published *offer) error {
	fit := false
	if o.video != nil {
		if o.video.choose(rankViewed(published.profile())) {
			fit = true
		} else {
			o.video = nil
		}
	}
	if o.audio != nil {
		if o.audio.choose(rankOpus) {
			fit = true
		} else {
			o.audio = nil
		}
	}
	if !fit {
		return fmt.Errorf("%w: neither H.264 with packetization-mode=1 nor Opus", ErrNotAcceptable)
	}
	return nil
}

func (o *offer) profile() profile {
	if o.video == nil {
		return profileConstrainedBaseline
	}
	return profileOf(o.video.chosen.parameter("profile-level-id"))
}

func (r *Relay) newViewer(ctx context.Context, p *publisher, owner string, o *offer, text string) (*viewer, error) {
	api, err := r.viewerAPI(o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotAcceptable, err)
	}
	v := &viewer{Session: newSession(r, p.name, owner, o), room: p.room, published: p.offer.profile()}
	if v.pc, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return nil, fmt.Errorf("make a peer connection: %w", err)
	}
	v.follow()
	if err = v.addLegs(); err == nil {
		err = v.negotiate(ctx, text)
	}
	if err != nil {
		v.end(err)
		v.close()
		return nil, err
	}
	v.answer = withPublishedLevel(v.answer, o, p.offer)
	return v, nil
}

func (v *viewer) addLegs() error {
	if v.offer.audio != nil {
		v.audio = newLeg(webrtc.RTPCodecTypeAudio, v.offer.audio, func() {})
		if err := v.add(v.audio); err != nil {
			return err
		}
	}
	if v.offer.video == nil {
		return nil
	}
	v.video = newLeg(webrtc.RTPCodecTypeVideo, v.offer.video, v.room.askKey)
	return v.add(v.video)
}

func (v *viewer) add(l *leg) error {
	l.sendRTCP = v.pc.WriteRTCP
	sender, err := v.pc.AddTrack(l)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotAcceptable, err)
	}
	v.start(func() {
		drain(func(b []byte) (int, error) {
			n, _, err := sender.Read(b)
			return n, err
		}, v.seeRTCP)
	})
	return nil
}

// seeRTCP relays a wish for a key frame. NACKs are answered below.
func (v *viewer) seeRTCP(b []byte) {
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		return
	}
	for _, packet := range packets {
		switch packet.(type) {
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
			v.room.askKey()
		}
	}
}

// withPublishedLevel puts the publisher's real level into the answer.
func withPublishedLevel(answer string, viewed, published *offer) string {
	if viewed.video == nil || published.video == nil {
		return answer
	}
	c := viewed.video.chosen
	level := withLevelOf(c.fmtp, c.parameter("profile-level-id"), published.video.chosen.parameter("profile-level-id"))
	line := fmt.Sprintf("a=fmtp:%d ", c.payloadType)
	return strings.Replace(answer, line+c.fmtp, line+level, 1)
}

// admit puts the viewer in its room.
func (r *Relay) admit(v *viewer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return ErrClosed
	case r.rooms[v.name] != v.room || v.room.publisher.Load() == nil:
		return ErrNotYet
	case len(v.room.viewers) >= r.cfg.Viewers:
		return fmt.Errorf("%w: %d viewers are in this conversation", ErrFull, r.cfg.Viewers)
	}
	v.room.viewers[v] = struct{}{}
	r.launch(v.Session, func() { r.joined(v) }, func() { r.left(v) })
	return nil
}

// joined is called once the viewer is connected: packets flow from now on.
func (r *Relay) joined(v *viewer) {
	for _, l := range []*leg{v.audio, v.video} {
		if l != nil {
			l.start()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, here := v.room.viewers[v]; here {
		v.room.join(v)
		if v.video != nil {
			v.video.want()
		}
	}
}

func (r *Relay) left(v *viewer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, v.id)
	v.room.leave(v)
	r.tidy(v.room)
}

// meet is told of a new publisher. A decoder that was not promised its profile
// may fail in silence, so that viewer has to negotiate again.
func (v *viewer) meet(p *publisher) {
	if v.video == nil || p.video == nil {
		return
	}
	now := p.offer.profile()
	agreed := profileOf(v.offer.video.chosen.parameter("profile-level-id"))
	if now != v.published && now != agreed && !contains(agreed, now) {
		v.end(errUnsuitable)
	}
}
