package microphone

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/bril-edge/bril/capture"
)

// ringChunks is how much sound waits for Next, 200 ms: more than a stall of the
// encoder, and little enough to catch up with the picture afterwards.
const ringChunks = 20

type chunk struct {
	samples  [capture.ChunkSamples]int16
	pts      time.Duration
	sequence uint64
}

// recorder cuts what a device delivers into chunks and keeps the newest of them
// until they are fetched. It knows nothing of the device.
type recorder struct {
	gain  gain
	ready chan struct{} // holds one value while something is to be fetched

	out chunk // what next returned last

	mu       sync.Mutex
	clock    clock
	ring     [ringChunks]chunk
	first    int // oldest chunk in the ring
	count    int
	open     chunk // being filled
	filled   int
	sequence uint64
	err      error // of the device, or os.ErrClosed
}

func newRecorder(db float64) *recorder {
	return &recorder{gain: newGain(db), ready: make(chan struct{}, 1)}
}

// write takes samples whose last was recorded at the moment at. It copies them.
// A device that is being closed may deliver once more: that is dropped.
func (r *recorder) write(samples []int16, at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == os.ErrClosed {
		return
	}
	start := r.clock.advance(len(samples), at)
	for done := 0; done < len(samples); {
		if r.filled == 0 {
			r.open.pts = r.clock.stamp(start, done)
		}
		n := r.gain.apply(r.open.samples[r.filled:], samples[done:])
		done += n
		if r.filled += n; r.filled == capture.ChunkSamples {
			r.push()
		}
	}
}

// push puts the full chunk into the ring; the oldest makes room.
func (r *recorder) push() {
	r.open.sequence = r.sequence
	r.sequence++
	r.filled = 0
	if r.count == ringChunks {
		r.first = (r.first + 1) % ringChunks
		r.count--
	}
	r.ring[(r.first+r.count)%ringChunks] = r.open
	r.count++
	r.signal()
}

// fail makes next return err once the ring is empty. The first error stays.
func (r *recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
	r.signal()
}

// close drops what waits: no one hears it any more.
func (r *recorder) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err, r.count = os.ErrClosed, 0
	r.signal()
}

func (r *recorder) signal() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

func (r *recorder) next(ctx context.Context) (capture.Sound, error) {
	for {
		if err := ctx.Err(); err != nil {
			return capture.Sound{}, err
		}
		if ok, err := r.pop(); ok || err != nil {
			return r.sound(ok), err
		}
		select {
		case <-r.ready:
		case <-ctx.Done():
		}
	}
}

// pop copies the oldest chunk out, so that write may reuse its place.
func (r *recorder) pop() (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == 0 {
		return false, r.err
	}
	r.out = r.ring[r.first]
	r.first = (r.first + 1) % ringChunks
	r.count--
	return true, nil
}

func (r *recorder) sound(ok bool) capture.Sound {
	if !ok {
		return capture.Sound{}
	}
	return capture.Sound{
		Format: capture.PCM16, Samples: r.out.samples[:], Length: capture.ChunkTime,
		PTS: r.out.pts, Sequence: r.out.sequence,
	}
}
