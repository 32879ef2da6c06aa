package relay

import "fmt"

// voicePrefix is part of no conversation's name.
const voicePrefix = "voice:"

// VoiceRoom returns the room in which the customer of a conversation is the
// publisher and the advisor the viewer. Only sound passes there: the advisor
// never sees the customer.
func VoiceRoom(name string) string { return voicePrefix + name }

// soundOnly refuses an offer of pictures where a voice is expected.
func (o *offer) soundOnly(room string) error {
	if len(room) < len(voicePrefix) || room[:len(voicePrefix)] != voicePrefix {
		return nil
	}
	for _, section := range o.parsed.MediaDescriptions {
		if section.MediaName.Media != "audio" {
			return fmt.Errorf("%w: it offers %s, and only sound passes here", ErrNotAcceptable, section.MediaName.Media)
		}
	}
	return nil
}

// PublishedBy says whether the owner is the room's publisher at present.
func (r *Relay) PublishedBy(name, owner string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.rooms[name]
	if room == nil {
		return false
	}
	p := room.publisher.Load()
	return p != nil && p.owner == owner
}

// EndOwner ends all that an owner publishes and views. Who watches waits for another
// publisher, as when one is lost.
func (r *Relay) EndOwner(owner string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, room := range r.rooms {
		if p := room.publisher.Load(); p != nil && p.owner == owner {
			p.end(errOver)
		}
		for v := range room.viewers {
			if v.owner == owner {
				v.end(errOver)
			}
		}
	}
}

// End ends a conversation that is over: what is published, viewed and said in it.
// Nobody is waited for. It returns at once; what is new in a room of that name is
// another conversation.
func (r *Relay) End(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, room := range []*room{r.rooms[name], r.rooms[VoiceRoom(name)]} {
		if room == nil {
			continue
		}
		if p := room.publisher.Load(); p != nil {
			p.end(errOver)
		}
		for v := range room.viewers {
			v.end(errOver)
		}
		room.lost = false
		r.tidy(room)
	}
}
