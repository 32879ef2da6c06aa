package camera

import (
	"time"

	"github.com/bril-edge/bril/hardware/v4l2"
)

// stamper makes the driver's stamps into a frame's. It distrusts them: there are
// drivers whose sequence stands still and cameras whose clock jumps.
type stamper struct {
	started bool
	last    uint32 // the driver's number
	count   uint64
	pts     time.Duration
}

// maxAge is how old a picture may claim to be: several times what the driver's
// buffers can hold at 5 frames a second.
const maxAge = 3 * time.Second

// sequence continues the driver's 32-bit number from 0 on.
func (s *stamper) sequence(n uint32) uint64 {
	switch step := n - s.last; {
	case !s.started:
		s.started = true
	case step == 0 || step > 1<<31: // stands still, or went back
		s.count++
	default:
		s.count += uint64(step)
	}
	s.last = n
	return s.count
}

// time returns when the picture was taken: the driver's stamp where it is on
// CLOCK_MONOTONIC and believable, else now. It never goes back.
func (s *stamper) time(b *v4l2.Done, now time.Duration) time.Duration {
	pts := b.Time
	monotonic := b.Flags&v4l2.BufTimestampMask == v4l2.BufTimestampMonotonic
	if !monotonic || pts > now || pts < now-maxAge {
		pts = now
	}
	if pts <= s.pts {
		pts = s.pts + 1
	}
	s.pts = pts
	return pts
}
