package session

import (
	"context"
	"errors"
	"time"

	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/rtc"
	"github.com/bril-edge/bril/uplink/whip"
)

const (
	// viewersEvery is between two questions to the endpoint who is watching.
	viewersEvery = 15 * time.Second
	// held is how long a connection must have stood for its loss to be an outage,
	// after which the endpoint is called at once. Before that it is a refusal: an
	// endpoint that takes calls and drops them must not be hammered.
	held = 5 * time.Second
)

// dial calls the endpoint.
func (l *loop) dial(generation Generation) {
	ctx, down := l.conversation, l.state.DownSince
	offer := l.media.offer()
	offer.Estimate = func(e rtc.Estimate) { l.tell(ctx, message{event: heard{generation, e}}) }
	l.running.Go(func() {
		l.pulses.uplink.step()
		publisher, err := l.cfg.Connect(ctx, offer)
		l.pulses.uplink.rest()
		switch {
		case err == nil:
			l.tell(ctx, message{event: Connected{generation}, publisher: publisher})
		case ctx.Err() == nil:
			wait := l.cfg.ConnectBackoff.Next(monotonic.Now()-down, err)
			l.tell(ctx, message{event: Refused{generation, wait, whip.Away(err)}, err: err})
		}
	})
}

// attach sends over the connection that has come, and watches it.
func (l *loop) attach() {
	p, generation := l.publisher, l.state.Generation
	l.faults.clear("uplink")
	l.media.out.set(p)
	ctx, since, down := l.conversation, monotonic.Now(), l.state.DownSince
	l.running.Go(func() {
		select {
		case <-p.Lost():
			err := p.Err()
			now := monotonic.Now()
			wait := l.redialWait(now-since, now-down, err)
			l.tell(ctx, message{event: Lost{generation, wait}, err: err})
		case <-ctx.Done():
		}
	})
	l.running.Go(func() { l.watchViewers(ctx, generation, p) })
	l.watchPicture(ctx, generation, p)
	l.paused = make(chan bool, 1)
	paused := l.paused
	l.running.Go(func() { l.tellPaused(ctx, p, paused) })
	if l.state.Muted {
		l.paused <- true
	}
}

// showPaused has the endpoint told of a pause, or of its end. Of several in a
// row only the last counts.
func (l *loop) showPaused(on bool) {
	if l.publisher == nil {
		return
	}
	select {
	case <-l.paused:
	default:
	}
	l.paused <- on
}

// tellPaused runs as long as its connection. That the endpoint does not hear of
// a pause changes nothing about it.
func (l *loop) tellPaused(ctx context.Context, p Publisher, paused <-chan bool) {
	for {
		select {
		case on := <-paused:
			if err := p.SetPaused(ctx, on); err != nil {
				l.cfg.Log.Debug("tell the endpoint of a pause", "error", err)
			}
		case <-p.Lost():
			return
		case <-ctx.Done():
			return
		}
	}
}

// redialWait is how long to wait after a connection that stood for some time, in
// an outage that began down ago.
func (l *loop) redialWait(stood, down time.Duration, err error) time.Duration {
	if stood < held {
		return l.cfg.ConnectBackoff.Next(down, err)
	}
	l.cfg.ConnectBackoff.Reset()
	return 0
}

// watchViewers asks until the connection ends or the endpoint does not tell, and
// hears when the conversation is over.
func (l *loop) watchViewers(ctx context.Context, generation Generation, p Publisher) {
	ticker := time.NewTicker(viewersEvery)
	defer ticker.Stop()
	for {
		n, known, err := p.Viewers(ctx)
		switch {
		case errors.Is(err, rtc.ErrOver):
			l.tell(ctx, message{event: Over{generation}})
			return
		case !known:
			return
		case err == nil:
			l.tell(ctx, message{event: Watched{generation, n}})
		}
		select {
		case <-ticker.C:
		case <-p.Lost():
			return
		case <-ctx.Done():
			return
		}
	}
}

// detach stops sending over a connection that is lost.
func (l *loop) detach() {
	p := l.publisher
	l.publisher, l.viewers = nil, nil
	l.media.out.set(nil)
	l.farewell(p)
}

// farewell closes a connection, if there is one, without anybody waiting for it.
func (l *loop) farewell(p Publisher) {
	if p != nil {
		l.background.Go(func() { l.close(context.WithoutCancel(l.ctx), p) })
	}
}

// close closes a connection. Where that fails, it is the endpoint's to notice.
func (s *Session) close(ctx context.Context, p Publisher) {
	if err := p.Close(ctx); err != nil {
		s.cfg.Log.Debug("farewell to the endpoint", "error", err)
	}
}

// watchNetwork tells the connection of changed addresses.
func (l *loop) watchNetwork() {
	if l.cfg.Network == nil {
		return
	}
	l.background.Go(func() {
		if err := l.cfg.Network(l.ctx, l.networkChanged); err != nil && l.ctx.Err() == nil {
			l.cfg.Log.Warn("network changes are not seen, only their effects", "error", err)
		}
	})
}

// networkChanged is not called in the loop: an ICE restart waits for the endpoint.
func (l *loop) networkChanged() {
	p := l.shown.Load().publisher
	if p == nil {
		return
	}
	if err := p.NetworkChanged(l.ctx); err != nil {
		l.cfg.Log.Info("network changed", "error", err)
	}
}
