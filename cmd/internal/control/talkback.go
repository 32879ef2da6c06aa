package control

import (
	"context"
	"errors"
	"net/http"
)

// Talkback is how the advisor hears the customer. Counts run since the daemon's
// start.
type Talkback struct {
	State string `json:"state"` // off, silent, connecting, hearing, or deaf without a device
	URL   string `json:"url"`   // where the cloud offers the customer's voice; "" while it does not
	Muted bool   `json:"muted"`

	JitterMS    float64 `json:"jitter_ms"`    // of the packets' arrival; 0 while nobody is heard
	DelayMS     float64 `json:"delay_ms"`     // from their arrival to the ear
	Lost        uint64  `json:"lost"`         // packets that did not come in time
	ConcealedMS float64 `json:"concealed_ms"` // of sound that was made up for them
}

// muteRequest is the body of POST /v1/talkback.
type muteRequest struct {
	Muted *bool `json:"muted"`
}

func (h *handler) mute(w http.ResponseWriter, r *http.Request) {
	const shape = `{"muted":false|true}`
	var request muteRequest
	err := read(w, r, shape, &request)
	if err == nil && request.Muted == nil {
		err = errors.New("the body is not " + shape)
	}
	h.act(w, r, actionTime, err, func(context.Context) (any, error) { return h.Daemon.Mute(*request.Muted) })
}

// Mute has the customer heard no longer, or again.
func (c *Client) Mute(ctx context.Context, on bool) (Talkback, error) {
	t, err := post[Talkback](ctx, c, c.http, "/v1/talkback", muteRequest{Muted: &on})
	if err != nil {
		return Talkback{}, c.explain("mute the customer", err)
	}
	return t, nil
}
