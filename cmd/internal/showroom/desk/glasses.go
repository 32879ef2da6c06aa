package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxLog is how many messages a pair of glasses can have missed and still resume;
// a stream that is further behind is ended.
const maxLog = 64

// Message is one event for glasses, as server-sent events have it.
type Message struct {
	ID    string          // for the field id, and to resume by
	Event string          // hello, call, call_gone, conversation, customer, rating
	Data  json.RawMessage // one line

	number uint64
	cid    string
	again  bool // is still news to who missed it, whatever hello says
}

// pair is what is known of a pair of glasses. Its fields are guarded by the desk's
// mutex.
type pair struct {
	name, owner string
	stream      *Stream   // nil while none is open
	idle        time.Time // since when it could be called, or when its stream went

	log    []Message // the latest
	number uint64    // of the latest
	news   chan struct{}
}

// add appends a message and wakes the stream.
func (p *pair) add(m Message) {
	p.log = append(p.log, m)
	if len(p.log) > maxLog {
		p.log = p.log[1:]
	}
	p.rouse()
}

func (p *pair) rouse() {
	close(p.news)
	p.news = make(chan struct{})
}

// Stream is what a pair of glasses is told. The pair is there while it is open.
type Stream struct {
	desk *Desk
	pair *pair

	// Guarded by the desk's mutex.
	first []Message // come before what follows in the log
	at    uint64    // the number of the last message of the log that was taken
	over  bool
}

// Next returns the next message, at first hello. It is io.EOF once the stream has
// been closed, replaced by the same owner's next one, or is too far behind: then
// the client connects anew.
func (s *Stream) Next(ctx context.Context) (Message, error) {
	for {
		m, news, err := s.take()
		if err != nil || news == nil {
			return m, err
		}
		select {
		case <-ctx.Done():
			return Message{}, ctx.Err()
		case <-news:
		}
	}
}

// take returns the next message, or what tells of it.
func (s *Stream) take() (m Message, news <-chan struct{}, err error) {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	if s.over {
		return m, nil, io.EOF
	}
	if len(s.first) > 0 {
		m, s.first = s.first[0], s.first[1:]
		return m, nil, nil
	}
	if s.at == s.pair.number {
		return m, s.pair.news, nil
	}
	if oldest := s.pair.log[0].number; s.at+1 < oldest {
		s.desk.closeStream(s)
		return m, nil, io.EOF
	}
	s.at++
	return s.pair.log[s.at-s.pair.log[0].number], nil, nil
}

// Close says that the glasses no longer listen. It may be called twice.
func (s *Stream) Close() {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	s.desk.closeStream(s)
}

// closeStream is called with mu held.
func (d *Desk) closeStream(s *Stream) {
	if s.over {
		return
	}
	s.over = true
	s.pair.rouse()
	if s.pair.stream != s {
		return
	}
	s.pair.stream, s.pair.idle = nil, d.now()
	if c := d.on(s.pair.name); c != nil {
		d.step(c, Event{What: StreamWent, Glasses: s.pair.name})
	}
}

// Dismiss closes the event stream that an owner's glasses have open.
func (d *Desk) Dismiss(name, owner string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.pairs[name]; p != nil && p.owner == owner && p.stream != nil {
		d.closeStream(p.stream)
	}
}

// Glasses opens the event stream of a pair of glasses for a publisher's token's
// owner; it replaces the same owner's stream before. Another owner gets ErrHeld.
// lastEventID is the header's, or "".
func (d *Desk) Glasses(name, owner, lastEventID string) (*Stream, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.pairs[name]
	if p != nil && p.owner != owner {
		if p.stream != nil || d.on(name) != nil {
			return nil, ErrHeld
		}
		p = nil // and what is in its log is not for this owner
	}
	if p == nil {
		p = d.pair(name, owner)
	}
	if old := p.stream; old != nil {
		old.over = true
		p.rouse()
	}
	s := &Stream{desk: d, pair: p}
	c := d.on(name)
	p.stream = s
	if c != nil {
		d.step(c, Event{What: StreamCame, Glasses: name})
	}
	// What these steps tell is in hello, or after it: no message is told twice.
	d.greet(s, lastEventID)
	d.offer()
	return s, nil
}

// pair takes down whose glasses are, with mu held.
func (d *Desk) pair(name, owner string) *pair {
	p := &pair{name: name, owner: owner, idle: d.now(), news: make(chan struct{})}
	d.pairs[name] = p
	return p
}

// greet begins a stream with how things stand, and what was missed that this does
// not tell.
func (d *Desk) greet(s *Stream, lastEventID string) {
	p := s.pair
	s.at = p.number
	c := d.on(p.name)
	id := d.messageID(p.number)
	missed, resumes := d.missed(p, lastEventID)
	if resumes {
		id = lastEventID // cut off after hello, it has missed the same
	}
	s.first = append(s.first, Message{ID: id, Event: "hello", Data: encode(d.hello(c))})
	for _, m := range missed {
		if m.again && (c == nil || m.cid != c.id) {
			s.first = append(s.first, m)
		}
	}
}

func (d *Desk) messageID(number uint64) string {
	return d.instance + "-" + strconv.FormatUint(number, 10)
}

// missed returns the messages after the one with the ID; false where that is not
// known, as of an earlier run.
func (d *Desk) missed(p *pair, lastEventID string) ([]Message, bool) {
	instance, text, _ := strings.Cut(lastEventID, "-")
	last, err := strconv.ParseUint(text, 10, 64)
	if err != nil || instance != d.instance || last > p.number {
		return nil, false
	}
	return p.log[max(0, len(p.log)-int(min(p.number-last, maxLog))):], true
}

// tell sends glasses a message on a conversation, with mu held. Glasses that are
// not there find it when they resume.
func (d *Desk) tell(glasses string, c *call, event string, data any) {
	p := d.pairs[glasses]
	if p == nil {
		return
	}
	p.number++
	again := event == "rating" || event == "call_gone" || event == "conversation" && c.state.Phase == Ended
	p.add(Message{ID: d.messageID(p.number), Event: event, Data: encode(data), number: p.number, cid: c.id, again: again})
}

func encode(value any) json.RawMessage {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("desk: %T cannot be encoded: %v", value, err))
	}
	return data
}

// Answer accepts or declines the call that rings on the glasses. It is ErrGone
// when it no longer does; to accept what was accepted already is no error.
func (d *Desk) Answer(ctx context.Context, glasses, owner, cid string, accept bool) error {
	if err := d.answer(glasses, owner, cid, accept); err != nil {
		return err
	}
	d.keep(ctx)
	return nil
}

func (d *Desk) answer(glasses, owner, cid string, accept bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.on(glasses)
	if c == nil || c.id != cid || !d.owns(glasses, owner) {
		return ErrGone
	}
	what := Refused
	if accept {
		what = Accepted
	}
	rang := c.state.Phase == Ringing
	d.step(c, Event{What: what, Glasses: glasses})
	if accept && (!c.state.talks() || c.state.Glasses != glasses) || !accept && !rang {
		return ErrGone
	}
	return nil
}

// owns says whether the glasses are those that a token's owner connected, with mu
// held. Of glasses that have not connected yet, after a restart, nobody is.
func (d *Desk) owns(glasses, owner string) bool {
	p := d.pairs[glasses]
	return p == nil || p.owner == owner
}

// EndByGlasses is the advisor's end. It is ErrGone unless the conversation is on
// these glasses; one that is over already is no error.
func (d *Desk) EndByGlasses(ctx context.Context, glasses, owner, cid string) error {
	d.mu.Lock()
	c := d.calls[cid]
	gone := c == nil || c.state.Glasses != glasses || !d.owns(glasses, owner)
	if !gone {
		what := AdvisorEnds
		if c.state.Phase == Ringing {
			what = Refused
		}
		d.step(c, Event{What: what, Glasses: glasses})
	}
	d.mu.Unlock()
	if gone {
		return ErrGone
	}
	d.keep(ctx)
	return nil
}

// RoomOf returns the relay's room for a publication of the glasses: that of the
// conversation that runs on them, or of the one that rings, which this accepts;
// else it is their name. On glasses without event stream nothing can ring: there,
// this accepts who waits.
func (d *Desk) RoomOf(glasses, owner string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.owns(glasses, owner) {
		return glasses
	}
	for _, c := range d.acceptable(glasses) {
		d.step(c, Event{What: Accepted, Glasses: glasses})
		if !c.state.talks() || c.state.Glasses != glasses {
			continue
		}
		if d.pairs[glasses] == nil { // now they are this owner's, as if they had connected
			d.pair(glasses, owner)
		}
		return c.id
	}
	return glasses
}

// acceptable returns the conversations that a press of live may be meant for, with
// mu held.
func (d *Desk) acceptable(glasses string) []*call {
	if c := d.on(glasses); c != nil {
		return []*call{c}
	}
	if p := d.pairs[glasses]; p != nil && p.stream != nil {
		return nil
	}
	return slices.DeleteFunc(d.waiting(), func(c *call) bool { return !d.cfg.Hours.Serves(glasses, c.room) })
}

// Published tells the desk whether a room's publisher is there: true for the
// relay's phases live and paused. It may be called for any room.
func (d *Desk) Published(room string, there bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	what := PublisherWent
	if there {
		what = PublisherCame
	}
	if c := d.calls[room]; c != nil {
		d.step(c, Event{What: what})
	}
}
