package desk

import (
	"context"
	"encoding/json"
	"io"
)

// Message is one event for glasses, as server-sent events have it.
type Message struct {
	ID    string          // for the field id, and to resume by
	Event string          // hello, call, call_gone, conversation, customer, rating
	Data  json.RawMessage // one line
}

// Stream is what a pair of glasses is told. The pair is there while it is open.
type Stream struct{}

// Next returns the next message, at first hello. It is io.EOF once the stream has
// been closed, replaced by the same owner's next one, or is too far behind: then
// the client connects anew.
func (s *Stream) Next(ctx context.Context) (Message, error) { return Message{}, io.EOF }

// Close says that the glasses no longer listen. It may be called twice.
func (s *Stream) Close() {}

// Glasses opens the event stream of a pair of glasses for a publisher's token's
// owner; it replaces the same owner's stream before. Another owner gets ErrHeld.
// lastEventID is the header's, or "".
func (d *Desk) Glasses(name, owner, lastEventID string) (*Stream, error) { return nil, ErrHeld }

// Answer accepts or declines the call that rings on the glasses. It is ErrGone
// when it no longer does; to accept what was accepted already is no error.
func (d *Desk) Answer(ctx context.Context, glasses, owner, cid string, accept bool) error {
	return ErrGone
}

// EndByGlasses is the advisor's end. It is ErrGone unless the conversation is on
// these glasses; one that is over already is no error.
func (d *Desk) EndByGlasses(ctx context.Context, glasses, owner, cid string) error { return ErrGone }

// RoomOf returns the relay's room for a publication of the glasses: that of the
// conversation that runs on them, or of the one that rings, which this accepts;
// else it is their name.
func (d *Desk) RoomOf(glasses, owner string) string { return glasses }

// Published tells the desk whether a room's publisher is there: true for the
// relay's phases live and paused. It may be called for any room.
func (d *Desk) Published(room string, there bool) {}
