package session

import (
	"context"
	"errors"
	"io"
)

// open starts what captures and encodes, or tries that again.
func (l *loop) open(generation Generation) {
	if l.media == nil {
		l.conversation, l.end = context.WithCancel(l.ctx)
		l.rates = newRateController(l.cfg.MaxBitRate)
		l.media = newMedia(&l.cfg, &l.meter, &l.faults, &l.recording, &l.pulses, l.rates.target)
		l.media.hear(!l.state.Kept || l.hears())
		l.ease(l.state.Heat)
	}
	ctx, m := l.conversation, l.media
	l.running.Go(func() {
		if err := m.open(ctx); err != nil {
			l.tell(ctx, message{event: Failed{generation, m.video.nextTry()}, err: err})
			return
		}
		l.tell(ctx, message{event: Opened{generation}})
		if err := m.run(ctx); errors.Is(err, io.EOF) {
			l.tell(ctx, message{event: End{EndOfFile}})
		}
	})
}

// shut closes sources first, so that nothing is captured while the endpoint is
// being told.
func (l *loop) shut() {
	l.media.out.set(nil)
	l.end()
	p := l.publisher
	l.pulses.closing.step()
	l.media, l.publisher, l.viewers, l.room = nil, nil, nil, ""
	l.background.Go(func() {
		l.running.Wait()
		if p != nil {
			l.close(context.WithoutCancel(l.ctx), p)
		}
		l.pulses.closing.rest()
		l.tell(l.ctx, message{event: Hung{}})
	})
}
