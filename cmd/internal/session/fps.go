package session

import (
	"math"
	"sync/atomic"
	"time"
)

// rateSpan is how long a frame rate looks back; after half of it without a frame
// there is none.
const rateSpan = 2 * time.Second

// rate tells how many frames a second there were. One goroutine adds, any reads. It
// is of the times between frames and not of their number, which would jump by whole
// ones. The zero value is ready.
type rate struct {
	ring  [128]atomic.Int64 // when, on the monotonic clock; at 60 a second the last two seconds
	count atomic.Uint64
}

func (r *rate) add(now time.Duration) {
	n := r.count.Load()
	r.ring[n%uint64(len(r.ring))].Store(int64(now))
	r.count.Store(n + 1)
}

func (r *rate) read(now time.Duration) float64 {
	count := r.count.Load()
	newest, oldest, frames := time.Duration(0), time.Duration(0), 0
	for i := range min(count, uint64(len(r.ring))) {
		at := time.Duration(r.ring[(count-1-i)%uint64(len(r.ring))].Load())
		if now-at > rateSpan {
			break
		}
		if i == 0 {
			newest = at
		}
		oldest = at
		frames++
	}
	if frames < 2 || now-newest > rateSpan/2 || newest <= oldest {
		return 0
	}
	return math.Round(float64(frames-1)/(newest-oldest).Seconds()*10) / 10
}
