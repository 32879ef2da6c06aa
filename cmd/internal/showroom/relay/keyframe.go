package relay

import (
	"context"
	"time"
)

// keyFrameInterval is the shortest time between two requests to a publisher,
// however many viewers ask: an encoder that answered each would send nothing
// but key frames.
const keyFrameInterval = 300 * time.Millisecond

// paceRequests calls send for a request at once when none was sent in the last
// interval, and otherwise when it has passed; requests that meet in the channel,
// which holds one, become one. It returns when ctx ends.
func paceRequests(ctx context.Context, requests <-chan struct{}, interval time.Duration, send func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-requests:
			send()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval):
		}
	}
}
