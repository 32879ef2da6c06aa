package soak

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
)

// pressing takes photos and clips until it is ended, and notes what was answered.
type pressing struct {
	a      *agent
	l      *ledger
	cancel context.CancelFunc
	hands  sync.WaitGroup

	refusals map[string]int // answers that were no promise, by their words; the ledger's lock guards it
}

// press begins to. With hold a clip that has begun is not ended.
func press(a *agent, l *ledger, r *rand.Rand, hold bool, refusals map[string]int) *pressing {
	ctx, cancel := context.WithCancel(a.t.Context())
	p := &pressing{a: a, l: l, cancel: cancel, refusals: refusals}
	photos, clips := rand.New(rand.NewPCG(r.Uint64(), 1)), rand.New(rand.NewPCG(r.Uint64(), 2))
	p.hands.Go(func() { p.photos(ctx, photos) })
	p.hands.Go(func() { p.clips(ctx, clips, hold) })
	return p
}

// end is called when the agent is dead: who waits for an answer gets none.
func (p *pressing) end() {
	p.cancel()
	p.hands.Wait()
}

func (p *pressing) photos(ctx context.Context, r *rand.Rand) {
	for pause(ctx, r, 100*time.Millisecond) {
		photo, err := p.a.client.Photo(ctx, r.IntN(4) == 0)
		if !p.answered(ctx, err) {
			continue
		}
		p.l.note(func() { p.l.photos[photo.ID] = true })
	}
}

func (p *pressing) clips(ctx context.Context, r *rand.Rand, hold bool) {
	for pause(ctx, r, 100*time.Millisecond) {
		clip, err := p.a.client.Clip(ctx, control.StartClip)
		if !p.answered(ctx, err) {
			continue
		}
		p.l.note(func() { p.l.begun[clip.ID] = true })
		if hold {
			<-ctx.Done()
		}
		if !pause(ctx, r, 1500*time.Millisecond) {
			return
		}
		clip, err = p.a.client.Clip(ctx, control.StopClip)
		if p.answered(ctx, err) {
			p.l.note(func() { p.l.finished[clip.ID] = clip.DurationSeconds })
		}
	}
}

// answered says whether an answer is a promise.
func (p *pressing) answered(ctx context.Context, err error) bool {
	if err != nil && ctx.Err() == nil && !errors.Is(err, control.ErrNotRunning) {
		p.l.note(func() { p.refusals[err.Error()]++ })
	}
	return err == nil
}

// pause is what a hand needs between two presses.
func pause(ctx context.Context, r *rand.Rand, most time.Duration) bool {
	select {
	case <-time.After(time.Duration(r.Int64N(int64(most)))):
		return true
	case <-ctx.Done():
		return false
	}
}
