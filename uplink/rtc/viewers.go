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
