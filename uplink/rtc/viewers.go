package rtc

import (
	"context"
	"encoding/json"
	"fmt"
)

// sessionRel is the link relation under which an endpoint tells who is watching.
const sessionRel = "urn:bril:session"

// Viewers asks the endpoint how many are watching. known is false where the
// endpoint does not tell.
func (p *Publisher) Viewers(ctx context.Context) (n int, known bool, err error) {
	body, err := p.session.Fetch(ctx, sessionRel)
	if body == nil && err == nil {
		return 0, false, nil
	}
	if err != nil {
		return 0, true, err
	}
	var answer struct {
		Viewers *int `json:"viewers"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, true, fmt.Errorf("read who is watching: %w", err)
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
