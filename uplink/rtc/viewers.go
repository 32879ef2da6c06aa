package rtc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
)

// sessionRel is the link relation under which an endpoint tells who is watching.
const sessionRel = "urn:bril:session"

// ErrOver says that the endpoint counts the conversation as ended.
var ErrOver = errors.New("the conversation is over")

// Room returns what the endpoint calls the conversation: the last part of the link
// to it. It is "" where there is no such link, and where that is no name that a
// directory may have.
func (p *Publisher) Room() string {
	room := path.Base(p.session.LinkPath(sessionRel))
	if len(room) > maxRoom || strings.IndexFunc(room, notOfRoom) >= 0 {
		return ""
	}
	return room
}

const maxRoom = 64 // bytes

func notOfRoom(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// Viewers asks the endpoint how many are watching. known is false where the
// endpoint does not tell. The error is ErrOver once the conversation is over.
func (p *Publisher) Viewers(ctx context.Context) (n int, known bool, err error) {
	body, err := p.session.Fetch(ctx, sessionRel)
	if body == nil && err == nil {
		return 0, false, nil
	}
	if err != nil {
		return 0, true, err
	}
	var answer struct {
		Viewers *int   `json:"viewers"`
		State   string `json:"state"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, true, fmt.Errorf("read who is watching: %w", err)
	}
	if answer.State == "ended" {
		return 0, true, ErrOver
	}
	if answer.Viewers == nil {
		return 0, false, nil
	}
	return *answer.Viewers, true, nil
}

// SetPaused tells the endpoint that the advisor has paused, or goes on, so that
// viewers need not guess it from a black picture. It does nothing where the
// endpoint does not ask for it.
func (p *Publisher) SetPaused(ctx context.Context, paused bool) error {
	state := "live"
	if paused {
		state = "paused"
	}
	return p.session.Put(ctx, sessionRel, `{"state":"`+state+`"}`)
}

// talkbackRel is the link relation under which an endpoint tells where the customer
// can be heard.
const talkbackRel = "urn:bril:talkback"

// Talkback returns the address for Receiver.Connect, or "" where the endpoint has
// none. It is an error when that is at an origin which is not trusted.
func (p *Publisher) Talkback() (string, error) { return p.session.Link(talkbackRel) }
