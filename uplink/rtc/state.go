package rtc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"
)

// ErrLost says that the connection has gone: nothing was heard for too long, the
// peer closed it, or its host says that nobody listens.
var ErrLost = errors.New("connection to the endpoint lost")

// state is whether packets can flow. A connection is lost once and for all.
//
//	connecting ──> up <──> restarting
//	     └─────────┴───────────┴────> lost
type state struct {
	up   chan struct{} // a token for each time that pion has connected
	lost chan struct{}

	once   sync.Once // of lost
	reason error     // read after lost is closed
}

func newState() state {
	return state{up: make(chan struct{}, 1), lost: make(chan struct{})}
}

func (s *state) lose(reason error) {
	s.once.Do(func() {
		s.reason = reason
		close(s.lost)
	})
}

// follow is pion's callback, in a goroutine for each change.
func (s *state) follow(pc webrtc.PeerConnectionState) {
	switch pc {
	case webrtc.PeerConnectionStateConnected:
		select {
		case s.up <- struct{}{}:
		default:
		}
	case webrtc.PeerConnectionStateDisconnected:
		s.lose(fmt.Errorf("nothing heard for %v: %w", silence, ErrLost))
	case webrtc.PeerConnectionStateFailed:
		s.lose(fmt.Errorf("ICE found no way or DTLS failed (is UDP blocked?): %w", ErrLost))
	case webrtc.PeerConnectionStateClosed:
		s.lose(fmt.Errorf("closed by the endpoint: %w", ErrLost))
	}
}

// await waits until packets can flow, at most limit.
func (s *state) await(ctx context.Context, limit time.Duration) error {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case <-s.up:
		return nil
	case <-s.lost:
		return s.reason
	case <-timeout.C:
		return fmt.Errorf("no ICE or DTLS within %v (is UDP blocked?)", limit)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Lost is closed when the connection has gone; Err then says why.
func (p *Publisher) Lost() <-chan struct{} { return p.state.lost }

// Err returns why the connection was lost, or nil.
func (p *Publisher) Err() error { return p.state.err() }

func (s *state) err() error {
	select {
	case <-s.lost:
		return s.reason
	default:
		return nil
	}
}
