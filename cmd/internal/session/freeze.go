package session

import (
	"context"
	"time"

	"github.com/bril-edge/bril/hardware/monotonic"
)

// A picture is frozen when none has left for frozenTime. It moves again when one
// has left in each of movingLooks looks: a single one is not a picture.
const (
	frozenTime  = 2 * time.Second
	lookEvery   = 500 * time.Millisecond
	movingLooks = 2
)

// freezer finds out whether the picture stands still. It has no clock of its own.
type freezer struct {
	frozen bool
	sent   uint64        // at the last look
	moved  time.Duration // when a picture had left for the last time
	moving int           // looks in a row that found one
}

// look takes how many pictures have left until now, and returns whether the
// picture is frozen.
func (f *freezer) look(sent uint64, now time.Duration) bool {
	if sent != f.sent {
		f.sent, f.moved = sent, now
		f.moving++
	} else {
		f.moving = 0
	}
	if f.frozen {
		f.frozen = f.moving < movingLooks
	} else {
		f.frozen = now-f.moved > frozenTime
	}
	return f.frozen
}

// watchPicture tells of a picture that freezes, as long as the connection lasts.
// It looks only now and then: the path of the pictures is not to pay for it.
func (l *loop) watchPicture(ctx context.Context, generation Generation, p Publisher) {
	video := l.media.video
	if video == nil {
		return
	}
	l.running.Go(func() {
		f := freezer{sent: l.meter.sent.Load(), moved: monotonic.Now()}
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		for told := false; ; {
			select {
			case <-ticker.C:
			case <-p.Lost():
				return
			case <-ctx.Done():
				return
			}
			now := monotonic.Now()
			if video.isMuted() {
				f, told = freezer{sent: l.meter.sent.Load(), moved: now}, false
			}
			if frozen := f.look(l.meter.sent.Load(), now); frozen != told {
				told = frozen
				l.tell(ctx, message{event: Freeze{generation, frozen}})
			}
		}
	})
}
